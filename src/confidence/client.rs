//! The calls. Each takes a token, waits for its turn, is sent once, and comes back as a value or an [`Error`]. Two things
//! are tried again here, because they are no matter of any one credential: a token that was refused, and the shape of
//! labels. Everything else is for the caller to repeat, or not.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use tokio::sync::watch;
use tokio::time::Instant;

use super::auth::{Auth, Exchange, Token, TokenAnswer, TokenRequest};
use super::error::{Cause, Error};
use super::gate::{AccountState, Gate, Permit, Verdict};
use super::metrics::Metrics;
use super::name::CredentialName;
use super::settings::Settings;
use super::transport::Transport;
use super::wire::{ClientCredential, CredentialUpdate, Field, LabelsShape, ListPage, WireError};

pub use super::gate::Urgency;

/// How often it is looked whether there are new credentials.
const CREDENTIALS_PAUSE: Duration = Duration::from_secs(2);

/// Asked immediately before each write, after all waiting: whether this replica may still write.
pub trait WriteGuard: Send + Sync {
    /// Whether it may.
    fn may_write(&self) -> bool;
}

/// For a replica that is alone.
#[derive(Clone, Copy, Debug)]
pub struct AlwaysWrite;

impl WriteGuard for AlwaysWrite {
    fn may_write(&self) -> bool {
        true
    }
}

/// An account at Confidence. Cheap to clone.
#[derive(Clone)]
pub struct Confidence {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    transport: Arc<dyn Transport>,
    guard: Arc<dyn WriteGuard>,
    auth: Auth,
    gate: Gate,
    metrics: Metrics,
    /// The shape of labels that the server showed, or took, last.
    labels: Mutex<Option<LabelsShape>>,
}

/// One request, but for the token.
struct Call {
    kind: &'static str,
    method: Method,
    url: String,
    body: Bytes,
}

impl Call {
    fn is_write(&self) -> bool {
        self.method == Method::PATCH
    }
}

impl Confidence {
    /// A client for an account.
    ///
    /// # Errors
    /// A sentence for a person, when the account's credentials cannot be read.
    pub fn new(
        settings: Settings,
        transport: Arc<dyn Transport>,
        guard: Arc<dyn WriteGuard>,
        metrics: Metrics,
    ) -> Result<Self, String> {
        let auth = Auth::new(settings.credentials.clone())?;
        let random = settings.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let gate = Gate::new(settings.requests_per_second, random, metrics.clone());
        let labels = Mutex::new(settings.labels);
        let inner = Arc::new(Inner { settings, transport, guard, auth, gate, metrics, labels });
        tokio::spawn(watch_credentials(Arc::downgrade(&inner)));
        Ok(Self { inner })
    }

    /// Whether calls go through, and news of it.
    pub fn account(&self) -> watch::Receiver<AccountState> {
        self.inner.gate.account()
    }

    /// Reads a credential.
    ///
    /// # Errors
    /// [`Error`], with what to do about it.
    pub async fn get(&self, name: &CredentialName, urgency: Urgency) -> Result<ClientCredential, Error> {
        let url = self.inner.settings.url.join(&format!("v1/{name}"));
        let call = Call { kind: "get", method: Method::GET, url, body: Bytes::new() };
        let credential = self.inner.send(&call, urgency, ClientCredential::from_json).await?;
        self.inner.learn(&credential);
        Ok(credential)
    }

    /// Reads a page of the credentials of a client.
    ///
    /// # Errors
    /// [`Error`], with what to do about it.
    pub async fn list(&self, client: &str, page_size: u16, page_token: Option<&str>) -> Result<ListPage, Error> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("pageSize", &page_size.to_string());
        if let Some(token) = page_token {
            query.append_pair("pageToken", token);
        }
        let url = self.inner.settings.url.join(&format!("v1/clients/{client}/credentials?{}", query.finish()));
        let call = Call { kind: "list", method: Method::GET, url, body: Bytes::new() };
        self.inner.send(&call, Urgency::Check, ListPage::from_json).await
    }

    /// Writes the fields that an update names, and answers the whole credential.
    ///
    /// # Errors
    /// [`Error`], with what to do about it; [`Error::outcome_unknown`] tells that it may have been carried out.
    pub async fn update(
        &self,
        name: &CredentialName,
        update: &CredentialUpdate,
        urgency: Urgency,
    ) -> Result<ClientCredential, Error> {
        let shape = self.inner.labels_shape();
        let began = Instant::now();
        let mut result = self.inner.patch(name, update, shape, urgency).await;
        if self.inner.may_be_the_shape(update, shape, &result) {
            result = self.inner.patch(name, update, Some(LabelsShape::Array), urgency).await;
            if result.is_ok() {
                self.inner.set_labels_shape(LabelsShape::Array);
            }
        }
        let outcome = result.as_ref().map_or_else(|error| error.cause().label(), |_| "ok");
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(credential = %name, update_mask = update.update_mask(), outcome, milliseconds, "update");
        let credential = result?;
        self.inner.learn(&credential);
        Ok(credential)
    }
}

impl Inner {
    async fn patch(
        &self,
        name: &CredentialName,
        update: &CredentialUpdate,
        labels: Option<LabelsShape>,
        urgency: Urgency,
    ) -> Result<ClientCredential, Error> {
        let mask = update.update_mask();
        let url = self.settings.url.join(&format!("v1/{name}?updateMask={mask}"));
        let body = update.body(labels.unwrap_or(LabelsShape::Object));
        let body = body.map_err(|error| Error::new(Cause::InvalidRequest, error.to_string()))?;
        let call = Call { kind: "update", method: Method::PATCH, url, body: body.into() };
        self.send(&call, urgency, ClientCredential::from_json).await
    }

    fn labels_shape(&self) -> Option<LabelsShape> {
        *self.labels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_labels_shape(&self, shape: LabelsShape) {
        *self.labels.lock().unwrap_or_else(PoisonError::into_inner) = Some(shape);
    }

    /// The shape that the server shows is the one that it takes, unless a person said otherwise.
    fn learn(&self, credential: &ClientCredential) {
        if self.settings.labels.is_none()
            && let Some(shape) = credential.labels_shape
        {
            self.set_labels_shape(shape);
        }
    }

    /// Whether a refusal may be one of the shape of labels, which the other shape would mend.
    fn may_be_the_shape(
        &self,
        update: &CredentialUpdate,
        shape: Option<LabelsShape>,
        result: &Result<ClientCredential, Error>,
    ) -> bool {
        let refused = matches!(result, Err(error) if error.cause() == Cause::InvalidRequest);
        self.settings.labels.is_none()
            && refused
            && update.names(Field::Labels)
            && shape.unwrap_or(LabelsShape::Object) == LabelsShape::Object
    }

    /// Sends a call with the current token; once more with a new one, if that is refused.
    async fn send<T>(
        &self,
        call: &Call,
        urgency: Urgency,
        read: fn(&[u8]) -> Result<T, WireError>,
    ) -> Result<T, Error> {
        let token = self.auth.token(self).await?;
        let (permit, refusal) = match self.send_once(call, urgency, Some(&token), read).await {
            Ok((permit, value)) => {
                permit.settle(&Verdict::Alive);
                return Ok(value);
            }
            Err((Some(permit), error)) if error.cause() == Cause::Unauthenticated => (permit, error),
            Err((permit, error)) => return Err(settled(permit, error)),
        };
        let Some(token) = self.token_after_refusal(&token, permit, &refusal).await? else { return Err(refusal) };
        match self.send_once(call, urgency, Some(&token), read).await {
            Ok((permit, value)) => {
                permit.settle(&Verdict::Alive);
                Ok(value)
            }
            Err((permit, error)) => Err(settled(permit, error)),
        }
    }

    /// Asks for another token. Where there is none, the account is held back until there are other credentials.
    async fn token_after_refusal(
        &self,
        token: &Token,
        permit: Permit,
        refusal: &Error,
    ) -> Result<Option<Token>, Error> {
        // The server lives, and the token call needs a turn of its own.
        if matches!(self.settings.credentials, super::settings::Credentials::ClientFiles { .. }) {
            permit.settle(&Verdict::Alive);
            return self.auth.after_refusal(token, self).await;
        }
        let token = self.auth.after_refusal(token, self).await?;
        match token {
            Some(_) => permit.settle(&Verdict::Alive),
            None => drop(settled(Some(permit), refusal.clone())),
        }
        Ok(token)
    }

    async fn send_once<T>(
        &self,
        call: &Call,
        urgency: Urgency,
        token: Option<&Token>,
        read: fn(&[u8]) -> Result<T, WireError>,
    ) -> Result<(Permit, T), (Option<Permit>, Error)> {
        let permit = self.gate.acquire(urgency).await.map_err(|error| (None, error))?;
        // Asked as late as can be: a wait for a turn may have outlasted the lease.
        if call.is_write() && !self.guard.may_write() {
            return Err((Some(permit), Error::new(Cause::NotLeader, "")));
        }
        let request = match request(call, token) {
            Ok(request) => request,
            Err(error) => return Err((Some(permit), error)),
        };
        let began = Instant::now();
        let result = self.exchange_once(call, request, read).await;
        let outcome = result.as_ref().map_or_else(|error| error.cause().label(), |_| "ok");
        self.metrics.request(call.kind, outcome, began.elapsed());
        tracing::debug!(kind = call.kind, url = call.url, outcome, "request");
        match result {
            Ok(value) => Ok((permit, value)),
            Err(error) => Err((Some(permit), error)),
        }
    }

    async fn exchange_once<T>(
        &self,
        call: &Call,
        request: Request<Bytes>,
        read: fn(&[u8]) -> Result<T, WireError>,
    ) -> Result<T, Error> {
        let is_write = call.is_write();
        let sent = self.transport.send(request).await;
        let answer = sent.map_err(|error| Error::of_transport(is_write, &error))?;
        if answer.status() != StatusCode::OK {
            let now = Timestamp::now();
            return Err(Error::of_answer(is_write, answer.status(), answer.headers(), answer.body(), now));
        }
        read(answer.body()).map_err(|error| Error::of_unreadable(is_write, error.to_string()))
    }
}

fn request(call: &Call, token: Option<&Token>) -> Result<Request<Bytes>, Error> {
    let mut request =
        Request::builder().method(call.method.clone()).uri(&call.url).header(header::ACCEPT, "application/json");
    if let Some(token) = token {
        let value = header::HeaderValue::from_str(&format!("Bearer {}", token.value.expose_secret()));
        let mut value =
            value.map_err(|_| Error::new(Cause::Unauthenticated, "the token is not one that a header can carry"))?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    if !call.body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    request.body(call.body.clone()).map_err(|error| Error::new(Cause::InvalidRequest, error.to_string()))
}

/// Tells the gate how a call failed, as far as the account is concerned.
fn settled(permit: Option<Permit>, error: Error) -> Error {
    let Some(permit) = permit else { return error };
    let verdict = match error.cause() {
        Cause::RateLimited => Verdict::Throttled(error.retry_after()),
        Cause::Unauthenticated => Verdict::Unauthenticated,
        // Nothing was learnt of the service.
        Cause::NotLeader => return error,
        cause if cause.is_outage() => Verdict::Failed { cause, retry_after: error.retry_after() },
        _ => Verdict::Alive,
    };
    permit.settle(&verdict);
    error
}

impl Exchange for Inner {
    async fn exchange(&self, request: TokenRequest) -> Result<TokenAnswer, Error> {
        let url = match &self.settings.token_url {
            Some(url) => url.as_str().to_owned(),
            None => self.settings.url.join("v1/oauth/token"),
        };
        let body =
            serde_json::to_vec(&request).map_err(|error| Error::new(Cause::Unauthenticated, error.to_string()))?;
        let call = Call { kind: "token", method: Method::POST, url, body: body.into() };
        // A token answer that cannot be read says nothing of what stood there.
        let read = |text: &[u8]| serde_json::from_slice::<TokenAnswer>(text).map_err(WireError::from);
        match self.send_once(&call, Urgency::Write, None, read).await {
            Ok((permit, answer)) => {
                permit.settle(&Verdict::Alive);
                if let Some(life) = answer.life() {
                    self.metrics.token_expiry(Timestamp::now() + life);
                }
                Ok(answer)
            }
            Err((permit, error)) => Err(settled(permit, refused_exchange(error))),
        }
    }
}

/// A token endpoint says no with 400, 401, 403 or 404 (RFC 6749, 5.2): all of them mean the credentials.
fn refused_exchange(error: Error) -> Error {
    match error.cause() {
        Cause::InvalidRequest | Cause::Unauthenticated | Cause::Forbidden | Cause::NotFound => Error::new(
            Cause::Unauthenticated,
            format!("the exchange of the client id and secret for a token failed: {error}"),
        ),
        _ => error,
    }
}

/// Looks for new credentials, so that an account whose old ones are refused is not held back for longer than it need be.
async fn watch_credentials(inner: Weak<Inner>) {
    let mut known = None;
    loop {
        {
            let Some(inner) = inner.upgrade() else { return };
            let version = Some(inner.auth.version());
            if known.is_some() && version != known {
                inner.gate.credentials_changed();
            }
            known = version;
        }
        tokio::time::sleep(CREDENTIALS_PAUSE).await;
    }
}
