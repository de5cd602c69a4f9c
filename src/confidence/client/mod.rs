//! The client of an account: its calls, and what all of them share.
//!
//! ```text
//! Confidence::update ──▶ labels (which shape) ──▶ call ──▶ executor ──▶ admission, auth, transport, error
//! ```

mod call;
mod executor;
mod labels;
mod proven;
mod record;
mod token_endpoint;
mod watch_credentials;
mod write_guard;

use std::sync::Arc;

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use self::call::Call;
use self::executor::Executor;
use self::labels::Labels;
use super::admission::{AccountState, Admission, Requester};
use super::error::{Cause, Effect, Error};
use super::metrics::AccountMetrics;
use super::name::{CredentialName, is_id};
use super::settings::{BaseUrl, Settings, SettingsError};
use super::transport::Transport;
use super::wire::{ClientCredential, ClientsPage, CredentialUpdate, LabelsShape, ListPage, NewCredential, WireError};

pub(super) use self::call::{CallKind, sealed};
pub use self::write_guard::{AlwaysWrite, StillWanted, WriteGuard};

/// What a call answered, and when.
#[derive(Clone, Debug)]
pub struct Response<T> {
    /// The value.
    pub value: T,
    /// The server time: the `Date` header of the response, where it has one.
    pub date: Option<Timestamp>,
}

/// The client of an account at Confidence. Cheap to clone; its tasks end with the last clone.
#[derive(Clone)]
pub struct Confidence {
    inner: Arc<Inner>,
}

struct Inner {
    url: BaseUrl,
    executor: Arc<Executor>,
    labels: Labels,
    credentials_watch: Option<AbortHandle>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(task) = &self.credentials_watch {
            task.abort();
        }
    }
}

impl Confidence {
    /// A client with an admission of its own. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the account's credentials cannot be read.
    pub fn new(
        settings: Settings,
        transport: Arc<dyn Transport>,
        guard: Arc<dyn WriteGuard>,
        metrics: AccountMetrics,
    ) -> Result<Self, SettingsError> {
        let admission = Arc::new(Admission::new(settings.requests_per_second, settings.seed));
        Self::with_admission(settings, admission, transport, guard, metrics)
    }

    /// A client that shares an admission with others: accounts for one API client at one URL have one budget. Who shares it
    /// sets its budget; `settings.requests_per_second` counts for nothing here.
    ///
    /// # Errors
    /// When the account's credentials cannot be read.
    pub fn with_admission(
        settings: Settings,
        admission: Arc<Admission>,
        transport: Arc<dyn Transport>,
        guard: Arc<dyn WriteGuard>,
        metrics: AccountMetrics,
    ) -> Result<Self, SettingsError> {
        let executor = Arc::new(Executor::new(&settings, admission, transport, guard, metrics)?);
        let credentials_watch = watch_credentials::start(&executor);
        let labels = Labels::new(settings.labels);
        Ok(Self { inner: Arc::new(Inner { url: settings.url, executor, labels, credentials_watch }) })
    }

    /// Whether calls go through, and news of it.
    pub fn account(&self) -> watch::Receiver<AccountState> {
        self.inner.executor.account()
    }

    /// The version of the account's own credentials, and news of it: what was refused to the old ones may be granted to the
    /// new ones. None where the credentials cannot change.
    pub fn credentials(&self) -> watch::Receiver<Option<u64>> {
        self.inner.executor.credentials()
    }

    /// Ends all calls but the writes that were sent, with [`Cause::Stopping`], now and from now on.
    pub fn close(&self) {
        self.inner.executor.close();
    }

    /// Reads a credential.
    ///
    /// # Errors
    /// [`Error`], with what mends it.
    pub async fn get(&self, name: &CredentialName, by: &Requester) -> Result<Response<ClientCredential>, Error> {
        let call = Call::read(CallKind::Get, name.to_string(), self.inner.url.join(&format!("v1/{name}")));
        let response = self.inner.executor.call(&call, by, ClientCredential::from_json).await?;
        self.inner.labels.learn(&response.value);
        Ok(response)
    }

    /// Reads a page of the credentials of a client, by its id.
    ///
    /// # Errors
    /// [`Error`], with what mends it.
    pub async fn list(
        &self,
        client: &str,
        page_size: u16,
        page_token: Option<&str>,
        by: &Requester,
    ) -> Result<Response<ListPage>, Error> {
        let about = credentials_of(client)?;
        let url = self.inner.url.join(&format!("v1/{about}?{}", page_query(page_size, page_token)));
        let call = Call::read(CallKind::List, about, url);
        let response = self.inner.executor.call(&call, by, ListPage::from_json).await?;
        self.inner.executor.record_unreadable(&call, response.value.unreadable);
        response.value.credentials.iter().for_each(|credential| self.inner.labels.learn(credential));
        Ok(response)
    }

    /// Reads a page of the clients of the account.
    ///
    /// # Errors
    /// [`Error`], with what mends it.
    pub async fn list_clients(
        &self,
        page_size: u16,
        page_token: Option<&str>,
        by: &Requester,
    ) -> Result<Response<ClientsPage>, Error> {
        let url = self.inner.url.join(&format!("v1/clients?{}", page_query(page_size, page_token)));
        let call = Call::read(CallKind::ListClients, "clients".to_owned(), url);
        let response = self.inner.executor.call(&call, by, ClientsPage::from_json).await?;
        self.inner.executor.record_unreadable(&call, response.value.unreadable);
        Ok(response)
    }

    /// Writes the fields that an update names, and answers the whole credential.
    ///
    /// # Errors
    /// [`Error`], with what mends it; [`Error::outcome_unknown`] tells that it may have been carried out.
    pub async fn update(
        &self,
        name: &CredentialName,
        update: &CredentialUpdate,
        by: &Requester,
        still_wanted: StillWanted<'_>,
    ) -> Result<Response<ClientCredential>, Error> {
        let mask = update.update_mask();
        let call = |shape| {
            let body = update.body(shape).map_err(|error| Error::new(Cause::InvalidRequest, error.to_string()))?;
            Ok(Call {
                kind: CallKind::Update,
                about: name.to_string(),
                method: Method::PATCH,
                effect: Effect::Write,
                url: self.inner.url.join(&format!("v1/{name}?updateMask={mask}")),
                body: sealed(body),
                has_secret: update.client_secret.is_some(),
                update_mask: Some(mask.clone()),
                still_wanted,
            })
        };
        self.inner.write_with_labels(call, update.names_labels(), by).await
    }

    /// Creates a credential under a client, by the client's id. The answer is the only one that surely tells the secret.
    ///
    /// # Errors
    /// [`Error`], with what mends it; [`Error::outcome_unknown`] tells that a credential may have been created.
    pub async fn create(
        &self,
        client: &str,
        new: &NewCredential,
        by: &Requester,
        still_wanted: StillWanted<'_>,
    ) -> Result<Response<ClientCredential>, Error> {
        let about = credentials_of(client)?;
        let call = |shape| {
            let body = new.body(shape).map_err(|error| Error::new(Cause::InvalidRequest, error.to_string()))?;
            Ok(Call {
                kind: CallKind::Create,
                about: about.clone(),
                method: Method::POST,
                effect: Effect::Write,
                url: self.inner.url.join(&format!("v1/{about}")),
                body: body.into(),
                has_secret: false,
                update_mask: None,
                still_wanted,
            })
        };
        self.inner.write_with_labels(call, !new.labels.is_empty(), by).await
    }

    /// Deletes a credential. There is no undelete.
    ///
    /// # Errors
    /// [`Error`], with what mends it. [`Cause::NotFound`] is Confidence's own word that there is no such credential.
    pub async fn delete(
        &self,
        name: &CredentialName,
        by: &Requester,
        still_wanted: StillWanted<'_>,
    ) -> Result<Response<()>, Error> {
        let url = self.inner.url.join(&format!("v1/{name}"));
        let call = Call {
            method: Method::DELETE,
            effect: Effect::Write,
            still_wanted,
            ..Call::read(CallKind::Delete, name.to_string(), url)
        };
        self.inner.executor.call(&call, by, read_nothing).await
    }
}

impl Inner {
    /// Makes a write in the shape of labels that the server is known to accept, or else finds it out.
    async fn write_with_labels<'a>(
        &self,
        call: impl Fn(LabelsShape) -> Result<Call<'a>, Error>,
        has_labels: bool,
        by: &Requester,
    ) -> Result<Response<ClientCredential>, Error> {
        let tried = self.labels.shape();
        let response = match self.executor.call(&call(tried)?, by, ClientCredential::from_json).await {
            Ok(response) => response,
            Err(first) => {
                let Some(other) = self.labels.other(tried, has_labels, &first) else { return Err(first) };
                let second = self.executor.call(&call(other)?, by, ClientCredential::from_json).await;
                let response = second.map_err(|second| labels::of_both_shapes(first, second))?;
                self.labels.works(other);
                response
            }
        };
        self.labels.learn(&response.value);
        Ok(response)
    }
}

/// The path of a client's credentials. An id that is none must not lead to another path.
fn credentials_of(client: &str) -> Result<String, Error> {
    if !is_id(client) {
        return Err(Error::new(Cause::InvalidRequest, "not the id of a client"));
    }
    Ok(format!("clients/{client}/credentials"))
}

fn page_query(page_size: u16, page_token: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("pageSize", &page_size.to_string());
    if let Some(token) = page_token {
        query.append_pair("pageToken", token);
    }
    query.finish()
}

/// An empty answer is `{}`; an HTML page with status 200 is no answer.
fn read_nothing(text: &[u8]) -> Result<(), WireError> {
    /// Any JSON object.
    #[derive(Deserialize)]
    struct Nothing {}
    let Nothing {} = serde_json::from_slice(text)?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
