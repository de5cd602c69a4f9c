//! The account's client: the calls, and the one thing of theirs that is tried again here because it is no matter of any
//! one credential, the shape of labels. How a call is made is in `caller`.

use std::sync::{Arc, Weak};
use std::time::Duration;

use http::Method;
use tokio::sync::watch;

use super::caller::Caller;
use super::error::{Cause, Error};
use super::files;
use super::gate::{AccountState, BlockCause};
use super::labels::{self, Labels};
use super::metrics::Metrics;
use super::name::CredentialName;
use super::request::{Call, sealed};
use super::settings::{BaseUrl, Settings};
use super::transport::Transport;
use super::wire::{ClientCredential, CredentialUpdate, LabelsShape, ListPage};

pub use super::gate::Priority;

/// How often new credentials of the account are looked for while nobody misses any.
const CREDENTIALS_PAUSE: Duration = Duration::from_secs(15);

/// Asked immediately before each write, after all waiting: whether this replica may still write.
pub trait WriteGuard: Send + Sync {
    /// Whether it may.
    fn may_write(&self) -> bool;
}

/// Asked when the turn of an update has come: whether what it says is still wanted. The wait may have been long.
pub type StillWanted<'a> = &'a (dyn Fn() -> bool + Send + Sync);

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
    url: BaseUrl,
    caller: Arc<Caller>,
    labels: Labels,
}

impl Confidence {
    /// A client for an account. Runs tasks of its own for as long as it is held, so it needs a tokio runtime.
    ///
    /// # Errors
    /// A sentence for a person, when the account's credentials cannot be read.
    pub fn new(
        settings: Settings,
        transport: Arc<dyn Transport>,
        guard: Arc<dyn WriteGuard>,
        metrics: Metrics,
    ) -> Result<Self, String> {
        let caller = Arc::new(Caller::new(&settings, transport, guard, metrics)?);
        if caller.credentials().borrow().is_some() {
            tokio::spawn(watch_credentials(Arc::downgrade(&caller), caller.gate().account()));
        }
        let labels = Labels::new(settings.labels);
        Ok(Self { inner: Arc::new(Inner { url: settings.url, caller, labels }) })
    }

    /// Whether calls go through, and news of it.
    pub fn account(&self) -> watch::Receiver<AccountState> {
        self.inner.caller.gate().account()
    }

    /// The version of the account's own credentials, and news of it: what was refused to the old ones may be granted to the
    /// new ones.
    pub fn credentials(&self) -> watch::Receiver<Option<u64>> {
        self.inner.caller.credentials()
    }

    /// Reads a credential.
    ///
    /// # Errors
    /// [`Error`], with what to do about it.
    pub async fn get(&self, name: &CredentialName, priority: Priority) -> Result<ClientCredential, Error> {
        let call = Call::get("get", name.to_string(), self.inner.url.join(&format!("v1/{name}")));
        let credential = self.inner.caller.call(&call, priority, ClientCredential::from_json).await?;
        self.inner.labels.learn(&credential);
        Ok(credential)
    }

    /// Reads a page of the credentials of a client, by its id.
    ///
    /// # Errors
    /// [`Error`], with what to do about it.
    pub async fn list(
        &self,
        client: &str,
        page_size: u16,
        page_token: Option<&str>,
        priority: Priority,
    ) -> Result<ListPage, Error> {
        // An id is only ever part of a name, so the name's rules keep it from leading to another path.
        let name: Result<CredentialName, _> = format!("clients/{client}/credentials/-").parse();
        let name = name.map_err(|_| Error::new(Cause::InvalidRequest, "not the id of a client"))?;
        let about = format!("clients/{}/credentials", name.client());
        let url = self.inner.url.join(&format!("v1/{about}?{}", page_query(page_size, page_token)));
        let page = self.inner.caller.call(&Call::get("list", about, url), priority, ListPage::from_json).await?;
        page.credentials.iter().for_each(|credential| self.inner.labels.learn(credential));
        Ok(page)
    }

    /// Writes the fields that an update names, and answers the whole credential.
    ///
    /// # Errors
    /// [`Error`], with what to do about it; [`Error::outcome_unknown`] tells that it may have been carried out.
    pub async fn update(
        &self,
        name: &CredentialName,
        update: &CredentialUpdate,
        priority: Priority,
        still_wanted: StillWanted<'_>,
    ) -> Result<ClientCredential, Error> {
        let labels = &self.inner.labels;
        let tried = labels.shape();
        let credential = match self.inner.patch(name, update, tried, priority, still_wanted).await {
            Ok(credential) => credential,
            Err(first) => {
                let Some(other) = labels.other(tried, update, &first) else { return Err(first) };
                let second = self.inner.patch(name, update, other, priority, still_wanted).await;
                let credential = second.map_err(|second| labels::verdict(first, second))?;
                labels.works(other);
                credential
            }
        };
        labels.learn(&credential);
        Ok(credential)
    }
}

fn page_query(page_size: u16, page_token: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("pageSize", &page_size.to_string());
    if let Some(token) = page_token {
        query.append_pair("pageToken", token);
    }
    query.finish()
}

impl Inner {
    async fn patch(
        &self,
        name: &CredentialName,
        update: &CredentialUpdate,
        labels: LabelsShape,
        priority: Priority,
        still_wanted: StillWanted<'_>,
    ) -> Result<ClientCredential, Error> {
        let mask = update.update_mask();
        let body = update.body(labels).map_err(|error| Error::new(Cause::InvalidRequest, error.to_string()))?;
        let call = Call {
            kind: "update",
            about: name.to_string(),
            method: Method::PATCH,
            url: self.url.join(&format!("v1/{name}?updateMask={mask}")),
            body: sealed(body),
            secrets: update.client_secret.iter().cloned().collect(),
            update_mask: Some(mask),
            still_wanted,
        };
        self.caller.call(&call, priority, ClientCredential::from_json).await
    }
}

/// Looks for new credentials of the account: often while it is held back for want of them.
async fn watch_credentials(caller: Weak<Caller>, mut account: watch::Receiver<AccountState>) {
    let mut wanted = false;
    loop {
        let pause = if wanted { files::PAUSE } else { CREDENTIALS_PAUSE };
        let refused = async {
            let unauthenticated = |state: &AccountState| {
                matches!(state, AccountState::Blocked { cause: BlockCause::Unauthenticated, .. })
            };
            drop(account.wait_for(unauthenticated).await);
        };
        tokio::select! {
            biased;
            () = refused, if !wanted => wanted = true,
            () = tokio::time::sleep(pause) => {
                let Some(caller) = caller.upgrade() else { return };
                caller.look_for_credentials();
                wanted = false;
            }
        }
    }
}
