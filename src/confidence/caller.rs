//! How a call is made: in at the gate, with a token, a turn for each request, and out again with a value or an [`Error`].
//! A token that was refused is replaced and the call made once more, for that is no matter of any one credential.
//! Everything else is for others to repeat, or not.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{Instrument, Span};

use super::auth::{Auth, Exchange, Token};
use super::client::WriteGuard;
use super::error::{Cause, Effect, Error, Now, Secrets};
use super::gate::{Gate, Pass, Priority};
use super::metrics::{Metrics, TokenSource};
use super::request::Call;
use super::settings::Settings;
use super::token::{self, Issued};
use super::transport::{LastCheck, MAX_ANSWER_BYTES, REQUEST_TIMEOUT, Transport, TransportError, TransportFault};
use super::wire::WireError;

/// Reads a good answer.
type Read<T> = fn(&[u8]) -> Result<T, WireError>;

/// Makes the calls of an account.
pub(super) struct Caller {
    transport: Arc<dyn Transport>,
    guard: Arc<dyn WriteGuard>,
    auth: Auth,
    gate: Gate,
    metrics: Metrics,
    token_url: String,
    /// The version of the account's credentials.
    credentials: watch::Sender<Option<u64>>,
}

impl Caller {
    pub(super) fn new(
        settings: &Settings,
        transport: Arc<dyn Transport>,
        guard: Arc<dyn WriteGuard>,
        metrics: Metrics,
    ) -> Result<Self, String> {
        let random = settings.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let token_url = match &settings.token_url {
            Some(url) => url.as_str().to_owned(),
            None => settings.url.join("v1/oauth/token"),
        };
        let auth = Auth::new(&settings.credentials)?;
        let gate = Gate::new(settings.requests_per_second, random, metrics.clone());
        let (credentials, _) = watch::channel(auth.version());
        let caller = Self { transport, guard, auth, gate, metrics, token_url, credentials };
        caller.tell_given_token();
        Ok(caller)
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The version of the account's credentials, and news of it.
    pub(super) fn credentials(&self) -> watch::Receiver<Option<u64>> {
        self.credentials.subscribe()
    }

    /// Tells of new credentials, and opens the gate if it was closed for want of them.
    pub(super) fn look_for_credentials(&self) {
        let version = self.auth.version();
        if self.credentials.send_if_modified(|before| std::mem::replace(before, version) != version) {
            self.tell_given_token();
        }
        if self.auth.has_changed() {
            self.gate.credentials_changed();
        }
    }

    /// Somebody else renews a token that was given: when it ends, as far as it says, is for them to know.
    fn tell_given_token(&self) {
        if let Some(token) = self.auth.given() {
            self.metrics.token_expiry(TokenSource::Given, token::expiry(&token));
        }
    }

    /// Makes a call.
    pub(super) async fn call<T>(&self, call: &Call<'_>, priority: Priority, read: Read<T>) -> Result<T, Error> {
        let pass = self.gate.enter(&call.about)?;
        let result = self.attempt(call, &pass, priority, read).await;
        pass.settle(result)
    }

    async fn attempt<T>(&self, call: &Call<'_>, pass: &Pass, priority: Priority, read: Read<T>) -> Result<T, Error> {
        let tokens = TokenCalls { caller: self, pass };
        let token = self.auth.token(&tokens).await?;
        let refusal = match self.send(call, pass, priority, Some(&token), read).await {
            Err(error) if is_refused_token(&error) => error,
            result => return result,
        };
        let token = self.auth.after_refusal(&token, refusal, &tokens).await?;
        match self.send(call, pass, priority, Some(&token), read).await {
            Err(error) if is_refused_token(&error) => Err(self.auth.refused(&token, error)),
            result => result,
        }
    }

    /// Makes one request.
    async fn send<T>(
        &self,
        call: &Call<'_>,
        pass: &Pass,
        priority: Priority,
        token: Option<&Token>,
        read: Read<T>,
    ) -> Result<T, Error> {
        let mut request = call.request(token.map(|token| &token.value))?;
        pass.turn(priority).await?;
        if call.effect() == Effect::Write {
            // The wait for a turn may have outlasted the lease.
            if !self.guard.may_write() {
                return Err(Error::new(Cause::NotLeader, ""));
            }
            if !(call.still_wanted)() {
                return Err(Error::new(Cause::Superseded, ""));
            }
            request.extensions_mut().insert(LastCheck::new(Arc::clone(&self.guard)));
        }
        let began = Instant::now();
        let span = call.span();
        let secrets = Secrets::new(call.secrets.iter().chain(token.map(|token| &token.value)));
        let result = self.exchange(call.effect(), request, &secrets, read).instrument(span.clone()).await;
        if let Err(error) = &result {
            span.record("otel.status_code", "ERROR").record("error.type", error.cause().label());
        }
        if !matches!(&result, Err(error) if error.cause() == Cause::RateLimited) {
            pass.accepted();
        }
        self.tell(call, result.as_ref().err(), began.elapsed());
        result
    }

    async fn exchange<T>(
        &self,
        effect: Effect,
        request: Request<Bytes>,
        secrets: &Secrets<'_>,
        read: Read<T>,
    ) -> Result<T, Error> {
        let late =
            |_| Err(TransportError::new(TransportFault::TimedOut, format!("waited {} s", REQUEST_TIMEOUT.as_secs())));
        let sent = timeout(REQUEST_TIMEOUT, self.transport.send(request)).await.unwrap_or_else(late);
        let answer = sent.map_err(|error| Error::of_transport(effect, &error))?;
        Span::current().record("http.response.status_code", answer.status().as_u16());
        if !answer.status().is_success() {
            return Err(Error::of_answer(effect, &answer, secrets, Now::read()));
        }
        if answer.body().len() > MAX_ANSWER_BYTES {
            let error = TransportError::new(TransportFault::TooLarge, format!("{} bytes", answer.body().len()));
            return Err(Error::of_transport(effect, &error));
        }
        let unreadable = |detail: String| Error::of_unreadable(effect, format!("{}: {detail}", answer.status()));
        if matches!(answer.status(), StatusCode::ACCEPTED | StatusCode::NO_CONTENT | StatusCode::PARTIAL_CONTENT) {
            return Err(unreadable("a success without the credential".to_owned()));
        }
        read(answer.body()).map_err(|error| unreadable(error.to_string()))
    }

    /// One line for each write, at a level that is on; for all else where somebody looks for it.
    fn tell(&self, call: &Call<'_>, error: Option<&Error>, duration: Duration) {
        let outcome = error.map_or("ok", |error| error.cause().label());
        self.metrics.request(call.kind, outcome, duration);
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        if let Some(mask) = &call.update_mask {
            tracing::info!(credential = call.about, update_mask = mask, outcome, milliseconds, "update");
        } else {
            tracing::debug!(kind = call.kind, about = call.about, outcome, milliseconds, "request");
        }
    }
}

/// Whether another token may help: not where the account is held back, for then nothing was refused just now.
fn is_refused_token(error: &Error) -> bool {
    error.cause() == Cause::Unauthenticated && error.blocked().is_none()
}

/// The token calls within another call: they are part of it, so they go through on its pass.
struct TokenCalls<'a> {
    caller: &'a Caller,
    pass: &'a Pass,
}

impl Exchange for TokenCalls<'_> {
    async fn exchange(&self, id: &SecretString, secret: &SecretString) -> Result<Issued, Error> {
        let body = token::body(id, secret).map_err(|error| Error::new(Cause::InvalidRequest, error.to_string()))?;
        let call = Call {
            kind: "token",
            about: "the token".to_owned(),
            method: Method::POST,
            url: self.caller.token_url.clone(),
            body,
            secrets: vec![id.clone(), secret.clone()],
            update_mask: None,
            still_wanted: &|| true,
        };
        // Every other call of the account waits for it.
        let issued = self.caller.send(&call, self.pass, Priority::Interactive, None, Issued::from_json).await?;
        let life = issued.life.and_then(|life| SignedDuration::try_from(life).ok());
        let end = life.and_then(|life| Timestamp::now().checked_add(life).ok());
        self.caller.metrics.token_expiry(TokenSource::Exchanged, end);
        Ok(issued)
    }
}
