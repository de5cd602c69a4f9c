//! Listings: one LIST of a client's credentials, shared by those who want to observe one of them at the same time.
//!
//! A listing returns its result to whoever asked. That it lacks a credential says nothing: LIST is filtered by permission and
//! is no snapshot, so a read of the credential itself has to confirm it.

mod pages;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::Failure;
use super::groups::AccountClient;
use crate::account::Account;
use crate::confidence::wire::ClientCredential;
use crate::confidence::{Cause, Error, Requester};
use crate::engine::health::Progress;
use crate::engine::lock;
use crate::metrics::ControllerMetrics;

pub(super) use self::pages::{Listing, PAGE_SIZE};

/// How long a reconcile waits for others that want to observe a credential of the same client.
const GATHER: Duration = Duration::from_millis(2);

/// How long a complete listing is recent enough to decide from.
const LISTING_LASTS: Duration = Duration::from_secs(10);

/// How long a refused LIST, or its number of pages, is remembered.
const KNOWLEDGE_LASTS: Duration = Duration::from_hours(1);

/// Says which credentials of a listing anybody needs: what nobody manages is dropped with its page.
pub(super) type Wanted = dyn Fn(&Account, &ClientCredential) -> bool + Send + Sync;

/// The listings of all accounts.
pub(super) struct Listings {
    clients: Mutex<HashMap<AccountClient, Arc<ClientListing>>>,
    wanted: Box<Wanted>,
    progress: Progress,
    metrics: ControllerMetrics,
}

/// A listing that several reconciles share.
pub(super) struct Shared {
    pub(super) listing: Arc<Listing>,
    /// Whether the one who asked has read it.
    pub(super) is_reader: bool,
}

/// The listing of one client.
#[derive(Debug, Default)]
struct ClientListing {
    /// How many reconciles want an observation now.
    waiting: AtomicUsize,
    /// Held by whoever reads the listing; holds the last one while somebody may share it.
    latest: tokio::sync::Mutex<Latest>,
    /// Whether created credentials look at the listing by themselves: then the last one is kept for them.
    is_kept: AtomicBool,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Latest {
    /// When it was begun, and what came of it.
    listing: Option<(Instant, Option<Arc<Listing>>)>,
}

#[derive(Debug, Default)]
struct Known {
    pages: Option<(usize, Instant)>,
    refused_at: Option<Instant>,
}

/// Why there is no listing.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListError {
    /// A page could not be read.
    #[error(transparent)]
    Call(#[from] Error),
    /// Pages are no snapshot: what comes or goes between two of them shifts the rest.
    #[error("{0} came twice in one listing: it changed while it was read")]
    Torn(&'static str),
    /// It takes more calls than reading each credential by itself.
    #[error("the listing has more than {0} pages")]
    TooLong(usize),
}

impl Listings {
    pub(super) fn new(wanted: Box<Wanted>, progress: Progress, metrics: ControllerMetrics) -> Self {
        Self { clients: Mutex::default(), wanted, progress, metrics }
    }

    /// The listing of a client for one that wants to observe one credential, where enough others want the same. Tells whether
    /// this caller has read it, so that one of those who share it takes in the rest.
    ///
    /// # Errors
    /// What blocks the whole account. A listing that fails otherwise is no matter of any one credential.
    pub(super) async fn share(
        &self,
        account: &Account,
        client: &str,
        requester: &Requester,
    ) -> Result<Option<Shared>, Failure> {
        let shared = self.of(account, client);
        let began = Instant::now();
        let waiting = Waiting::new(&shared);
        tokio::time::sleep(GATHER).await;
        let observations = waiting.count();
        if !shared.is_cheaper(observations) {
            return Ok(None);
        }
        let mut latest = shared.latest.lock().await;
        if let Some((at, listing)) = &latest.listing
            && *at >= began
        {
            return Ok(listing.clone().map(|listing| Shared { listing, is_reader: false }));
        }
        let read_at = Instant::now();
        let result = self.read(account, client, &shared, observations, requester).await;
        // The last one who waits takes it along.
        let keeps = waiting.count() > 1;
        let (listing, failure) = match result {
            Ok(listing) => (Some(Arc::new(listing)), None),
            Err(ListError::Call(error)) if error.blocked().is_some() => (None, Some(error)),
            Err(_) => (None, None),
        };
        latest.listing = keeps.then(|| (read_at, listing.clone()));
        failure
            .map_or_else(|| Ok(listing.map(|listing| Shared { listing, is_reader: true })), |error| Err(error.into()))
    }

    /// The listing of a client, instead of reading so many credentials by themselves.
    pub(super) async fn list(
        &self,
        account: &Account,
        client: &str,
        observations: usize,
        requester: &Requester,
    ) -> Result<Arc<Listing>, ListError> {
        let shared = self.of(account, client);
        let mut latest = shared.latest.lock().await;
        let began = Instant::now();
        let listing = Arc::new(self.read(account, client, &shared, observations, requester).await?);
        if shared.waiting.load(Ordering::Relaxed) > 0 || shared.is_kept.load(Ordering::Relaxed) {
            latest.listing = Some((began, Some(Arc::clone(&listing))));
        }
        Ok(listing)
    }

    /// A complete listing that was begun after that time; whoever has one shares it. With no time, the last one will do.
    ///
    /// # Errors
    /// Why a page could not be read. A listing that changed while it was read is a failure that passes.
    pub(super) async fn newer(
        &self,
        account: &Account,
        client: &str,
        after: Option<Instant>,
        requester: &Requester,
    ) -> Result<Arc<Listing>, Error> {
        let shared = self.of(account, client);
        shared.is_kept.store(true, Ordering::Relaxed);
        let mut latest = shared.latest.lock().await;
        if let Some((_, Some(listing))) = &latest.listing
            && after.is_none_or(|after| listing.began() > after)
            && listing.began().elapsed() < LISTING_LASTS
        {
            return Ok(Arc::clone(listing));
        }
        let began = Instant::now();
        let read = self.read(account, client, &shared, usize::MAX, requester).await;
        let listing = Arc::new(read.map_err(|error| match error {
            ListError::Call(error) => error,
            error => Error::new(Cause::InvalidResponse, error.to_string()),
        })?);
        latest.listing = Some((began, Some(Arc::clone(&listing))));
        Ok(listing)
    }

    /// Whether a listing takes fewer calls than reading so many credentials by themselves.
    pub(super) fn is_cheaper(&self, account: &Account, client: &str, observations: usize) -> bool {
        self.of(account, client).is_cheaper(observations)
    }

    /// Forgets what an account was refused: it has other credentials.
    pub(super) fn forget_refusals(&self, account: &Account) {
        let clients = lock(&self.clients);
        let of_account = clients.iter().filter(|((name, _), _)| *name == account.name);
        of_account.for_each(|(_, client)| lock(&client.known).refused_at = None);
    }

    async fn read(
        &self,
        account: &Account,
        client: &str,
        shared: &ClientListing,
        most_pages: usize,
        requester: &Requester,
    ) -> Result<Listing, ListError> {
        let is_wanted = |credential: &ClientCredential| (self.wanted)(account, credential);
        let result = pages::read(&account.confidence, client, most_pages, requester, &is_wanted, &self.progress).await;
        shared.learn(result.as_ref());
        self.metrics.listed(label(result.as_ref()));
        if result.is_ok() {
            account.read_access.note_success();
        }
        result.inspect_err(|error| tracing::debug!(client, %error, "the credentials could not be listed"))
    }

    fn of(&self, account: &Account, client: &str) -> Arc<ClientListing> {
        let key = (Arc::clone(&account.name), client.into());
        Arc::clone(lock(&self.clients).entry(key).or_default())
    }
}

impl ClientListing {
    fn is_cheaper(&self, observations: usize) -> bool {
        let known = lock(&self.known);
        let is_recent = |at: &Instant| at.elapsed() < KNOWLEDGE_LASTS;
        let pages = known.pages.filter(|(_, at)| is_recent(at)).map_or(1, |(pages, _)| pages);
        observations > pages && !known.refused_at.is_some_and(|at| is_recent(&at))
    }

    fn learn(&self, result: Result<&Listing, &ListError>) {
        let mut known = lock(&self.known);
        let now = Instant::now();
        match result {
            Ok(listing) => known.pages = Some((listing.pages(), now)),
            Err(ListError::TooLong(pages)) => known.pages = Some((pages + 1, now)),
            Err(ListError::Call(error)) if is_refusal(error.cause()) => known.refused_at = Some(now),
            Err(ListError::Call(_) | ListError::Torn(_)) => {}
        }
    }
}

/// Whether another attempt soon is useless: the account may not list, the server does not offer it, or its pages are too
/// large. A 400 is none of these: a page token may have expired.
fn is_refusal(cause: Cause) -> bool {
    matches!(cause, Cause::ResponseTooLarge | Cause::Forbidden | Cause::NotFound | Cause::Unsupported)
}

fn label(result: Result<&Listing, &ListError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(ListError::Call(error)) => error.cause().label(),
        Err(ListError::Torn(_)) => "torn",
        Err(ListError::TooLong(_)) => "too_long",
    }
}

/// Counts one that wants an observation, for as long as it wants it.
struct Waiting<'a>(&'a ClientListing);

impl<'a> Waiting<'a> {
    fn new(client: &'a ClientListing) -> Self {
        client.waiting.fetch_add(1, Ordering::Relaxed);
        Self(client)
    }

    fn count(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
