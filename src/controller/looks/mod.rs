//! Looking at many credentials at once: one LIST where it is cheaper than a GET each.
//!
//! A pass that needs a look asks here; where more of one client wait than its list has pages, one of them reads the list
//! for all. The rounds (`rounds`) read the same lists at the interval. What a list says of a credential is as good as a GET
//! of it; that it does not mention one says nothing, and is confirmed by a GET.

mod list;
mod order;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio::time::Instant;

use self::list::Listing;
use super::key::Key;
use super::memory::{Remembered, Seen, Wake};
use super::{Context, lock, resolve};
use crate::api::ConfidenceClientCredential;
use crate::confidence::name::CredentialName;
use crate::confidence::wire::ClientCredential;
use crate::confidence::{Cause, Priority};

pub(super) use self::list::{ListError, PAGE_SIZE};

/// How long a pass waits for others that want to look at the same client, so that they can look together.
const GATHER: Duration = Duration::from_millis(2);

/// How long it is remembered that a list is not given, or in how many pages it comes.
const REMEMBERED_FOR: Duration = Duration::from_hours(1);

/// Resources whose credentials vanish from a list together, out of those that were known to exist: above this share, and
/// not below this number, the list is not believed.
const VANISHED: (f64, usize) = (0.5, 5);

/// So many lists in a row that lack the same are believed.
const BELIEVED_AFTER: u32 = 3;

/// What is known of the lists of all clients.
#[derive(Debug, Default)]
pub(super) struct Looks {
    clients: Mutex<HashMap<Arc<str>, Arc<Client>>>,
}

/// What is known of the list of one client.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// How many passes want a look now.
    wanting: AtomicUsize,
    /// Held by whoever reads the list.
    reading: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    pages: Option<(usize, Instant)>,
    /// When the last good list was begun.
    listed: Option<Instant>,
    failed: Option<Instant>,
    refused: Option<Instant>,
    /// How many lists in a row were not believed.
    unbelieved: u32,
}

impl Looks {
    /// What is known of a client's list.
    pub(super) fn of(&self, client: &Arc<str>) -> Arc<Client> {
        Arc::clone(lock(&self.clients).entry(Arc::clone(client)).or_default())
    }

    /// Forgets that lists were refused: the account has other credentials.
    pub(super) fn forget_refusals(&self) {
        lock(&self.clients).values().for_each(|client| lock(&client.known).refused = None);
    }

    /// Forgets a client, of whom nobody manages anything any more.
    pub(super) fn forget(&self, client: &str) {
        lock(&self.clients).remove(client);
    }
}

impl Client {
    /// Whether the list takes fewer calls than so many looks.
    pub(super) fn is_list_cheaper(&self, looks: usize) -> bool {
        let known = lock(&self.known);
        let is_recent = |at: &Instant| at.elapsed() < REMEMBERED_FOR;
        let pages = known.pages.filter(|(_, at)| is_recent(at)).map_or(1, |(pages, _)| pages);
        looks > pages && !known.refused.is_some_and(|at| is_recent(&at))
    }

    /// What came of a list that was begun since that time, if one was.
    fn tried_since(&self, since: Instant) -> Option<Result<(), ListError>> {
        let known = lock(&self.known);
        let is_since = |at: Option<Instant>| at.is_some_and(|at| at >= since);
        if is_since(known.listed) {
            return Some(Ok(()));
        }
        is_since(known.failed).then_some(Err(ListError::Failed))
    }

    /// Takes note of what came of reading the list.
    fn learn(&self, began: Instant, result: Result<&Listing, &ListError>) {
        let mut known = lock(&self.known);
        let now = Instant::now();
        match result {
            Ok(listing) => {
                known.listed = Some(began);
                known.pages = Some((listing.pages, now));
            }
            Err(error) => {
                known.failed = Some(now);
                match error {
                    ListError::TooLong(pages) => known.pages = Some((pages + 1, now)),
                    ListError::Call(error) if is_refusal(error.cause()) => known.refused = Some(now),
                    ListError::Call(_) | ListError::Torn(_) | ListError::Failed => {}
                }
            }
        }
    }

    /// Whether a list is believed that lacks so many of the credentials that were known to exist.
    fn believes(&self, vanished: usize, existed: usize) -> bool {
        let mut known = lock(&self.known);
        #[allow(clippy::cast_precision_loss)] // a share
        let suspicious = vanished >= VANISHED.1 && vanished as f64 > VANISHED.0 * existed as f64;
        known.unbelieved = if suspicious { known.unbelieved + 1 } else { 0 };
        if known.unbelieved >= BELIEVED_AFTER {
            known.unbelieved = 0;
        }
        known.unbelieved == 0
    }
}

/// Whether trying again soon is useless: the account may not list, the server does not offer it, or its pages are too large.
fn is_refusal(cause: Cause) -> bool {
    use Cause::{Forbidden, InvalidRequest, NotFound, ResponseTooLarge, Unsupported};
    matches!(cause, ResponseTooLarge | Forbidden | InvalidRequest | NotFound | Unsupported)
}

/// Looks at a credential together with others that want to, if there are enough of them. None: it has to be read alone.
///
/// # Errors
/// What holds the whole account back. A list that fails otherwise is no matter of any one credential.
pub(super) async fn look_together(
    key: &Key,
    client: &Arc<str>,
    max_age: Duration,
    priority: Priority,
    context: &Context,
) -> Result<Option<Remembered>, crate::confidence::Error> {
    let began = Instant::now();
    let shared = context.looks.of(client);
    let wanting = Wanting::new(&shared);
    tokio::time::sleep(GATHER).await;
    let looks = wanting.count();
    if !shared.is_list_cheaper(looks) {
        return Ok(None);
    }
    let reading = shared.reading.lock().await;
    // Whoever read the list before may have seen this one too.
    if let Some(look) = context.memory.look(key, max_age) {
        return Ok(Some(look));
    }
    match look_at_all(client, looks, began, priority, &reading, context).await {
        Ok(()) => Ok(context.memory.look(key, max_age)),
        Err(ListError::Call(error)) if error.blocked().is_some() => Err(error),
        Err(_) => Ok(None),
    }
}

/// Looks at all credentials of a client, in the place of so many looks.
///
/// # Errors
/// When there is no list, or when it takes more pages than the looks that it would spare.
pub(super) async fn round(
    client: &Arc<str>,
    looks: usize,
    priority: Priority,
    context: &Context,
) -> Result<(), ListError> {
    let began = Instant::now();
    let shared = context.looks.of(client);
    let reading = shared.reading.lock().await;
    look_at_all(client, looks, began, priority, &reading, context).await
}

/// Looks at the credential of a resource that nobody else is about to look at, and hands it to the queue if it is not in
/// order, or cannot be read: what to make of that is for a pass to say.
pub(super) async fn look_alone(key: &Key, context: &Context) {
    if !context.memory.may_look(key) {
        return;
    }
    if context.may_list()
        && context.memory.is_settled(key)
        && let Some(name) = context.object(key).and_then(|object| resolve::credential_name(&object.spec).ok())
    {
        let at = Instant::now();
        if let Ok(credential) = context
            .confidence
            .get(&name, &crate::confidence::Requester::background(&*key.namespace))
            .await
            .map(|response| response.value)
        {
            if !order::is_as_left(key, &credential, at, context) {
                take_up(key, &name, credential, at, context);
            }
            return;
        }
    }
    if context.memory.wake_to_look(key, Wake::Found) {
        context.enqueue(key.clone());
    }
}

/// Reads the list of a client, unless somebody else has since that time, and hands to the queue what has to be done.
async fn look_at_all(
    client: &Arc<str>,
    looks: usize,
    since: Instant,
    priority: Priority,
    _reading: &MutexGuard<'_, ()>,
    context: &Context,
) -> Result<(), ListError> {
    let shared = context.looks.of(client);
    if let Some(tried) = shared.tried_since(since) {
        return tried;
    }
    let began = Instant::now();
    let result = list::read(client, looks, priority, context).await;
    shared.learn(began, result.as_ref());
    context.metrics.listed(label(result.as_ref()));
    let listing = result.inspect_err(|error| {
        tracing::debug!(client = &**client, %error, "the credentials could not be listed");
    })?;
    take_up_all(listing, client, &shared, context).await;
    Ok(())
}

fn label(result: Result<&Listing, &ListError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(ListError::Call(error)) => error.cause().label(),
        Err(ListError::Torn(_)) => "torn",
        Err(ListError::TooLong(_) | ListError::Failed) => "too_long",
    }
}

/// Takes up what was seen of a credential; hands its resource to the queue if it is not in order. It may be another
/// resource by now, one that was made anew under the name and names another credential.
fn take_up(key: &Key, name: &CredentialName, credential: ClientCredential, at: Instant, context: &Context) {
    let names_it =
        |object: &Arc<ConfidenceClientCredential>| resolve::credential_name(&object.spec).is_ok_and(|it| it == *name);
    let Some(object) = context.object(key).filter(names_it) else { return };
    let in_order = order::is_in_order(key, &object, &credential, context);
    if context.memory.saw_elsewhere(key, credential, at) == Seen::New {
        context.memory.settle(key, in_order);
        if in_order {
            context.index.secret_served(key);
        } else {
            context.memory.wake(key, Wake::Found);
            context.enqueue(key.clone());
        }
    }
}

/// Hands to the queue what a list shows to be not in order, or to be missing.
async fn take_up_all(listing: Listing, client: &Arc<str>, shared: &Client, context: &Context) {
    for (number, (key, name, credential, at)) in listing.other.into_iter().enumerate() {
        take_up(&key, &name, credential, at, context);
        if number % 64 == 63 {
            // Others have their turn: this may be thousands.
            tokio::task::yield_now().await;
        }
    }
    let vanished = listing.missed.iter().filter(|key| context.memory.is_settled(key)).count();
    let owners = context.index.owners(client);
    let existed = owners.iter().filter(|(_, key)| context.memory.is_settled(key)).count();
    if !shared.believes(vanished, existed) {
        tracing::warn!(
            client = &**client,
            vanished,
            existed,
            "a list lacks so many credentials that were there that it is not believed; nothing is done about them until it \
             is so for {BELIEVED_AFTER} lists in a row: check that the operator's account is still the right one"
        );
        context.metrics.listed("unbelieved");
        return;
    }
    for key in listing.missed {
        if context.memory.wake_to_look(&key, Wake::Missed) {
            context.enqueue(key);
        }
    }
}

/// Counts one that wants a look, for as long as it wants it.
struct Wanting<'a>(&'a Client);

impl<'a> Wanting<'a> {
    fn new(client: &'a Client) -> Self {
        client.wanting.fetch_add(1, Ordering::Relaxed);
        Self(client)
    }

    fn count(&self) -> usize {
        self.0.wanting.load(Ordering::Relaxed)
    }
}

impl Drop for Wanting<'_> {
    fn drop(&mut self) {
        self.0.wanting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
