//! What happens when an account is blocked, is available again, or gets other credentials.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::ObjectReference;

use super::listing::Listings;
use crate::account::{Account, Accounts};
use crate::confidence::{AccountState, BlockCause};
use crate::engine::{EventDraft, EventRecorder, LeaseGuard, WorkQueue};

/// Watches every account from when it is there until it is closed, for as long as it is polled.
pub(super) async fn watch(
    accounts: &Accounts,
    queue: &WorkQueue,
    listings: &Listings,
    events: &EventRecorder,
    operator: Option<&ObjectReference>,
    guard: &LeaseGuard,
) {
    let tell = async |draft: EventDraft| {
        if let Some(operator) = operator.filter(|_| guard.may_write()) {
            events.record(operator, vec![draft]).await;
        }
    };
    let tell = &tell;
    let mut changes = accounts.changes();
    let (mut known, mut watches) = (HashMap::new(), FuturesUnordered::new());
    loop {
        for account in accounts.all() {
            let is_known = known.get(&account.name).is_some_and(|known| Arc::ptr_eq(known, &account));
            if !is_known {
                known.insert(Arc::clone(&account.name), Arc::clone(&account));
                watches.push(watch_one(account, queue, listings, tell));
            }
        }
        tokio::select! {
            biased;
            Ok(()) = changes.changed() => {}
            Some(closed) = watches.next(), if !watches.is_empty() => {
                known.retain(|_, account| !Arc::ptr_eq(account, &closed));
            }
        }
    }
}

async fn watch_one(
    account: Arc<Account>,
    queue: &WorkQueue,
    listings: &Listings,
    tell: &impl AsyncFn(EventDraft),
) -> Arc<Account> {
    tokio::select! {
        biased;
        () = account.closed() => {}
        () = watch_state(&account, queue, tell) => {}
        () = watch_credentials(&account, queue, listings) => {}
    }
    // Its resources go on with another client, or learn that there is none.
    queue.release(&account.name);
    account
}

/// When an account is available again, those that wait for it go on; that it changed is told once, about the pod.
async fn watch_state(account: &Account, queue: &WorkQueue, tell: &impl AsyncFn(EventDraft)) {
    let mut states = account.confidence.account();
    let mut told = None;
    while states.changed().await.is_ok() {
        let state = *states.borrow_and_update();
        account.note_state(state);
        let cause = match state {
            AccountState::Available => None,
            AccountState::Blocked { cause, .. } => Some(cause),
        };
        if cause.is_none() {
            queue.release(&account.name);
        }
        // A probe that failed only makes the window longer: that is no news.
        if cause != told {
            tell(event(&account.name, cause)).await;
        }
        told = cause;
    }
    std::future::pending::<()>().await;
}

/// What Confidence refused to the old credentials of an account may be granted to its new ones.
async fn watch_credentials(account: &Account, queue: &WorkQueue, listings: &Listings) {
    let mut credentials = account.confidence.credentials();
    while credentials.changed().await.is_ok() {
        account.read_access.forget();
        listings.forget_refusals(account);
        queue.trigger_unfinished(&account.name);
    }
    std::future::pending::<()>().await;
}

fn event(account: &str, cause: Option<BlockCause>) -> EventDraft {
    let (warning, reason, what) = match cause {
        None => (false, "AccountAvailable", "requests to Confidence succeed again"),
        Some(BlockCause::RateLimited) => {
            (true, "RateLimited", "the account is over its rate limit; the operator waits as long as Confidence asks")
        }
        Some(BlockCause::ServiceUnavailable) => (
            true,
            "ServiceUnavailable",
            "Confidence is unavailable for the whole account; the operator probes it periodically and resumes automatically",
        ),
        Some(BlockCause::Unauthenticated) => (
            true,
            "Unauthenticated",
            "Confidence rejects the credentials of the account; renew the token or the client secret that the operator was given",
        ),
    };
    let note = format!("account {account}: {what}");
    EventDraft { warning, reason: reason.to_owned(), action: "Request", note }
}
