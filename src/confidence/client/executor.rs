//! How a call is made: admission, a token, a permit for each request, and a value or an [`Error`] at the end.
//!
//! A token that was refused is replaced and the call made once more, because that is no matter of any one credential.
//! Everything else is the caller's to repeat, or not.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tracing::{Instrument, Span};

use super::call::{Call, CallKind};
use super::proven::ProvenCalls;
use super::token_endpoint::TokenEndpoint;
use super::{Response, WriteGuard};
use crate::confidence::admission::{AccountState, Admission, AdmittedCall, Change, Permit, Requester};
use crate::confidence::auth::{Auth, Token, expiry};
use crate::confidence::error::{Cause, Effect, Error, Now, RequestContext, SentSecrets};
use crate::confidence::http_date::http_date;
use crate::confidence::metrics::{AccountMetrics, TokenSource};
use crate::confidence::settings::{CredentialValues, Settings, SettingsError};
use crate::confidence::transport::{
    LastCheck, MAX_ANSWER_BYTES, REQUEST_TIMEOUT, Transport, TransportError, TransportFault,
};
use crate::confidence::wire::WireError;

/// Reads a good answer.
type Read<T> = fn(&[u8]) -> Result<T, WireError>;

/// Makes the calls of an account.
pub(super) struct Executor {
    transport: Arc<dyn Transport>,
    guard: Arc<dyn WriteGuard>,
    auth: Auth,
    admission: Arc<Admission>,
    pub(super) metrics: AccountMetrics,
    pub(super) token_url: String,
    /// The version of the account's credentials.
    credentials: watch::Sender<Option<u64>>,
    /// The server refused the account's credentials.
    refused: Notify,
    pub(super) proven: ProvenCalls,
    /// The read that last succeeded.
    pub(super) last_read: Mutex<Option<Call<'static>>>,
    closed: watch::Sender<bool>,
}

impl Executor {
    pub(super) fn new(
        settings: &Settings,
        admission: Arc<Admission>,
        transport: Arc<dyn Transport>,
        guard: Arc<dyn WriteGuard>,
        metrics: AccountMetrics,
    ) -> Result<Self, SettingsError> {
        let token_url = match &settings.token_url {
            Some(url) => url.as_str().to_owned(),
            None => settings.url.join("v1/oauth/token"),
        };
        let auth = Auth::new(&settings.credentials, settings.secret.as_deref())?;
        metrics.observe(&admission);
        let executor = Self {
            transport,
            guard,
            credentials: watch::channel(auth.version()).0,
            auth,
            admission,
            metrics,
            token_url,
            refused: Notify::new(),
            proven: ProvenCalls::default(),
            last_read: Mutex::default(),
            closed: watch::channel(false).0,
        };
        executor.record_given_token();
        Ok(executor)
    }

    pub(super) fn account(&self) -> watch::Receiver<AccountState> {
        self.admission.account()
    }

    /// The version of the account's credentials, and news of it.
    pub(super) fn credentials(&self) -> watch::Receiver<Option<u64>> {
        self.credentials.subscribe()
    }

    /// News of the credentials, where somebody else watches them.
    pub(super) fn watched_credentials(&self) -> Option<watch::Receiver<Option<CredentialValues>>> {
        self.auth.news()
    }

    /// Waits until the server refuses the account's credentials.
    pub(super) async fn until_refused(&self) {
        self.refused.notified().await;
    }

    /// Looks for new credentials. New ones end a block that was for want of them.
    pub(super) fn check_credentials(&self) {
        let version = self.auth.version();
        if self.credentials.send_if_modified(|before| std::mem::replace(before, version) != version) {
            self.record_given_token();
            self.admission.credentials_changed();
        }
    }

    /// Ends every call but the writes that were sent.
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }

    async fn until_closed(&self) {
        // The sender lives as long as this.
        drop(self.closed.subscribe().wait_for(|is_closed| *is_closed).await);
    }

    /// Somebody else renews a token that was given: when it ends, as far as it says, is for them to know.
    fn record_given_token(&self) {
        if let Some(token) = self.auth.given() {
            self.metrics.token_expiry(TokenSource::Given, expiry(&token));
        }
    }

    /// Makes a call.
    pub(super) async fn call<T>(&self, call: &Call<'_>, by: &Requester, read: Read<T>) -> Result<Response<T>, Error> {
        let mut admitted = self.admission.enter()?;
        if admitted.wants_other_probe()
            && let Some(probe) = self.take_last_read()
        {
            let result = self.attempt(&probe, &admitted, by, |_| Ok(())).await;
            self.settle(admitted, &probe.about, result)?;
            admitted = self.admission.enter()?;
        }
        let result = self.attempt(call, &admitted, by, read).await;
        self.settle(admitted, &call.about, result)
    }

    fn settle<T>(&self, admitted: AdmittedCall, about: &str, result: Result<T, Error>) -> Result<T, Error> {
        if result.as_ref().is_err_and(|error| error.cause() == Cause::Unauthenticated) {
            self.refused.notify_one();
        }
        let (result, change) = admitted.settle(about, result);
        let account = self.metrics.name();
        match (change, &result) {
            (Change::Blocked, Err(error)) => tracing::warn!(account, %error, "the account is blocked"),
            (Change::Available, _) => tracing::info!(account, "the account is available"),
            _ => {}
        }
        result
    }

    /// The read that last succeeded. If it fails now, it is not that any more.
    fn take_last_read(&self) -> Option<Call<'static>> {
        self.last_read.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn attempt<T>(
        &self,
        call: &Call<'_>,
        admitted: &AdmittedCall,
        by: &Requester,
        read: Read<T>,
    ) -> Result<Response<T>, Error> {
        let endpoint = TokenEndpoint { executor: self, admitted, flow: &by.flow };
        let token = self.auth.token(&endpoint).await?;
        let refusal = match self.send(call, admitted, by, Some(&token), read).await {
            Err(error) if is_refused_token(&error) => error,
            result => return result,
        };
        let token = self.auth.after_refusal(&token, refusal, &endpoint).await?;
        match self.send(call, admitted, by, Some(&token), read).await {
            Err(error) if is_refused_token(&error) => Err(self.auth.refused(error)),
            result => result,
        }
    }

    /// Makes one request.
    pub(super) async fn send<T>(
        &self,
        call: &Call<'_>,
        admitted: &AdmittedCall,
        by: &Requester,
        token: Option<&Token>,
        read: Read<T>,
    ) -> Result<Response<T>, Error> {
        let mut request = call.request(token.map(|token| &token.value))?;
        let permit = self.permit(admitted, by).await?;
        if call.effect == Effect::Write {
            self.check_write(call)?;
            request.extensions_mut().insert(LastCheck::new(Arc::clone(&self.guard)));
        }
        let began = Instant::now();
        let span = call.span();
        let secrets = SentSecrets { in_body: call.has_secret, token: token.map(|token| &token.value) };
        let result = self.exchange(call, request, secrets, read).instrument(span.clone()).await;
        if let Err(error) = &result {
            span.record("otel.status_code", "ERROR").record("error.type", error.cause().label());
        }
        self.record(call, result.as_ref().err(), permit, began.elapsed());
        result
    }

    async fn permit(&self, admitted: &AdmittedCall, by: &Requester) -> Result<Permit, Error> {
        let since = Instant::now();
        let permit = tokio::select! {
            biased;
            () = self.until_closed() => return Err(Error::new(Cause::Stopping, "")),
            permit = admitted.permit(by) => permit?,
        };
        self.metrics.permit(by.priority, since.elapsed());
        Ok(permit)
    }

    /// The wait for the permit may have outlasted the lease, and the wish.
    fn check_write(&self, call: &Call<'_>) -> Result<(), Error> {
        if !self.guard.may_write() {
            return Err(Error::new(Cause::NotLeader, ""));
        }
        if !(call.still_wanted)() {
            return Err(Error::new(Cause::Superseded, ""));
        }
        Ok(())
    }

    async fn exchange<T>(
        &self,
        call: &Call<'_>,
        request: Request<Bytes>,
        secrets: SentSecrets<'_>,
        read: Read<T>,
    ) -> Result<Response<T>, Error> {
        let effect = call.effect;
        let response = self.response(effect, request).await?;
        let status = response.status();
        Span::current().record("http.response.status_code", status.as_u16());
        if !status.is_success() {
            let context = RequestContext { effect, is_proven: self.proven.is_proven(call.kind), secrets };
            return Err(Error::from_response(context, &response, Now::read()));
        }
        let body = match status {
            StatusCode::NO_CONTENT if call.kind == CallKind::Delete => b"{}",
            StatusCode::ACCEPTED | StatusCode::NO_CONTENT | StatusCode::PARTIAL_CONTENT => {
                return Err(Error::from_unreadable(effect, status, "a success without the credential"));
            }
            _ => response.body().as_ref(),
        };
        let value = read(body).map_err(|error| Error::from_unreadable(effect, status, &error.to_string()))?;
        Ok(Response { value, date: http_date(response.headers(), &header::DATE) })
    }

    /// A response of any status, in time and of a size that the API may answer.
    async fn response(&self, effect: Effect, request: Request<Bytes>) -> Result<http::Response<Bytes>, Error> {
        let sent = timeout(REQUEST_TIMEOUT, self.transport.send(request));
        let sent = tokio::select! {
            biased;
            () = self.until_closed(), if effect == Effect::Read => return Err(Error::new(Cause::Stopping, "")),
            sent = sent => sent,
        };
        let late = TransportError::new(TransportFault::TimedOut, format!("waited {} s", REQUEST_TIMEOUT.as_secs()));
        let response = sent.unwrap_or(Err(late)).map_err(|error| Error::from_transport(effect, &error))?;
        if response.body().len() > MAX_ANSWER_BYTES {
            let detail = format!("{} bytes", response.body().len());
            return Err(Error::from_transport(effect, &TransportError::new(TransportFault::TooLarge, detail)));
        }
        Ok(response)
    }
}

/// Whether another token may help. Not while the account is blocked, because then nothing was refused just now.
fn is_refused_token(error: &Error) -> bool {
    error.cause() == Cause::Unauthenticated && error.blocked().is_none()
}
