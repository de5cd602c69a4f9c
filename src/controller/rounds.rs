//! The rounds: at its interval, every group of resources is looked at, outside the queue.
//!
//! A round reads the list of the client, where that takes fewer calls than reading each credential, and hands to the queue
//! only what is not in order. That is all that "nothing changed" costs.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Semaphore;

use super::index::Group;
use super::looks::{self, ListError};
use super::{Context, Key, secrets};
use crate::confidence::HoldCause;

/// Groups that are looked at at the same time: what waits for an answer costs little, what is read costs memory.
const AT_ONCE: usize = 8;

/// Credentials of a group that are read at the same time, where each is read by itself.
const LOOKS_AT_ONCE: usize = 4;

/// How long the first round waits for the Secrets to be listed, so that it knows which of them changed.
const SECRETS_LISTED_WITHIN: Duration = Duration::from_secs(5);

/// After so many lists in a row that failed, each credential is looked at by itself.
const FAILURES: u32 = 3;

/// Keeps the rounds of all groups, for as long as it is polled.
pub(super) async fn run(context: &Context) {
    context.shown(|it| it.resources).await;
    if context.index.secrets_are_used() {
        let _ = tokio::time::timeout(SECRETS_LISTED_WITHIN, context.shown(|it| it.secrets)).await;
    }
    let at_once = Semaphore::new(AT_ONCE);
    let mut rounds = FuturesUnordered::new();
    for group in context.index.take_new_groups() {
        rounds.push(keep(group, true, &at_once, context));
    }
    loop {
        tokio::select! {
            biased;
            groups = context.index.new_groups() => {
                rounds.extend(groups.into_iter().map(|group| keep(group, false, &at_once, context)));
            }
            Some(()) = rounds.next(), if !rounds.is_empty() => {}
        }
    }
}

/// Keeps the rounds of a group for as long as it has members. One that was there from the beginning begins with a round over
/// those that another run left in order: nobody has looked at them yet.
async fn keep(group: Group, from_the_beginning: bool, at_once: &Semaphore, context: &Context) {
    let mut failures = 0;
    let mut wait = context.memory.jittered(group.interval);
    if from_the_beginning {
        let mut members = context.index.members(&group);
        members.retain(|key| context.memory.awaits_a_look(key));
        let Ok(_turn) = at_once.acquire().await else { return };
        if !members.is_empty()
            && let Err(failed) = round(&group, members, failures, context).await
        {
            wait = failed.wait(&mut failures, context).min(wait);
        }
    }
    loop {
        tokio::time::sleep(wait).await;
        if !context.index.group_goes_on(&group) {
            if context.index.owners(&group.client).is_empty() {
                context.looks.forget(&group.client);
            }
            return;
        }
        let Ok(_turn) = at_once.acquire().await else { return };
        let interval = context.memory.jittered(group.interval);
        let members = context.index.members(&group);
        wait = match round(&group, members, failures, context).await {
            Ok(()) => {
                failures = 0;
                interval
            }
            Err(failed) => failed.wait(&mut failures, context).min(interval),
        };
    }
}

/// Why a round is to be made again soon.
enum Failed {
    /// The account is over its rate limit.
    Throttled,
    /// The list could not be read.
    List,
}

impl Failed {
    /// How long to wait.
    fn wait(self, failures: &mut u32, context: &Context) -> Duration {
        match self {
            Self::Throttled => context.account_wait(),
            Self::List => {
                *failures += 1;
                context.memory.backoff(*failures)
            }
        }
    }
}

/// Looks at members of a group.
async fn round(group: &Group, members: Vec<Key>, failures: u32, context: &Context) -> Result<(), Failed> {
    secrets::look(&members, context).await;
    let looks = members.len();
    let client = context.looks.of(&group.client);
    if failures < FAILURES && context.may_list() && client.is_list_cheaper(looks) {
        match looks::round(&group.client, looks, context).await {
            Ok(()) => return Ok(()),
            // Where the list is not to be had, and where each resource is to tell of what holds the account back, the
            // members are looked at one by one.
            Err(error) => again_soon(&error, client.is_list_cheaper(looks)).map_or(Ok(()), Err)?,
        }
    }
    let looks = members.iter().map(|key| looks::look_alone(key, context));
    futures::stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).collect::<()>().await;
    Ok(())
}

/// Whether a list that could not be read is to be tried again soon.
fn again_soon(error: &ListError, is_list_cheaper: bool) -> Option<Failed> {
    let held = match error {
        ListError::Call(error) => error.held(),
        ListError::Torn(_) | ListError::TooLong(_) | ListError::Failed => None,
    };
    match held {
        Some(HoldCause::Throttled) => Some(Failed::Throttled),
        Some(HoldCause::Down | HoldCause::Unauthenticated) => None,
        None => is_list_cheaper.then_some(Failed::List),
    }
}
