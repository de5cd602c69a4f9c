//! The rounds: at its interval, every group of resources is looked at, outside the queue.
//!
//! A round reads the list of the client, where that takes fewer calls than reading each credential, and hands to the queue
//! only what is not in order. That is all that "nothing changed" costs.

use std::collections::HashSet;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Semaphore;

use super::index::Group;
use super::looks::{self, ListError, PAGE_SIZE};
use super::{Context, Key, secrets};
use crate::confidence::{BlockCause, Priority};

/// Groups that are looked at at the same time: what waits for an answer costs little, what is read costs memory.
const AT_ONCE: usize = 8;

/// Credentials of a group that are read at the same time, where each is read by itself.
const LOOKS_AT_ONCE: usize = 4;

/// How long the first round waits for the Secrets to be listed.
const SECRETS_LISTED_WITHIN: Duration = Duration::from_secs(5);

/// After so many lists in a row that failed, each credential is looked at by itself.
const FAILURES: u32 = 3;

/// Keeps the rounds of all groups, for as long as it is polled.
pub(super) async fn run(context: &Context) {
    context.shown(|it| it.resources).await;
    let rounds = Rounds { context, at_once: Semaphore::new(AT_ONCE) };
    let mut kept = FuturesUnordered::new();
    for (group, first) in first_looks(context) {
        kept.push(rounds.keep(group, Some(first)));
    }
    loop {
        tokio::select! {
            biased;
            groups = context.index.new_groups() => {
                kept.extend(groups.into_iter().map(|group| rounds.keep(group, None)));
            }
            Some(()) = kept.next(), if !kept.is_empty() => {}
        }
    }
}

/// What there is to look at in a group when the program starts.
struct First {
    /// Those that another run left in order: nobody has looked at them yet.
    left: Vec<Key>,
    /// Those that have something left to be done, if they are so many that their passes had better wait for the list.
    new: Vec<Key>,
}

/// The first looks of all groups; queues what need not wait for them.
fn first_looks(context: &Context) -> Vec<(Group, First)> {
    let newcomers = context.memory.newcomers();
    let is_new: HashSet<_> = newcomers.iter().cloned().collect();
    let mut waiting = HashSet::new();
    let mut looks = Vec::new();
    for group in context.index.take_new_groups() {
        let members = context.index.members(&group);
        let pages = members.len().div_ceil(usize::from(PAGE_SIZE));
        let (mut new, mut left): (Vec<_>, Vec<_>) = members.into_iter().partition(|key| is_new.contains(key));
        left.retain(|key| context.memory.awaits_a_look(key));
        if new.len() > pages && context.may_list() {
            waiting.extend(new.iter().cloned());
        } else {
            new.clear();
        }
        looks.push((group, First { left, new }));
    }
    newcomers.into_iter().filter(|key| !waiting.contains(key)).for_each(|key| context.enqueue(key));
    // One that another run left in order may have a rival that the other run did not see: other namespaces are watched now.
    context.wake_all(context.index.rivals());
    looks
}

/// What the rounds of all groups share.
struct Rounds<'a> {
    context: &'a Context,
    at_once: Semaphore,
}

impl Rounds<'_> {
    /// Keeps the rounds of a group for as long as it has members.
    async fn keep(&self, group: Group, first: Option<First>) {
        let context = self.context;
        let mut failures = 0;
        let mut wait = context.memory.jittered(group.interval);
        if let Some(First { left, new }) = first {
            if !left.is_empty() {
                secrets_are_listed(context).await;
            }
            if let Err(failed) = self.round(&group, left, new, failures).await {
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
            let interval = context.memory.jittered(group.interval);
            wait = match self.round(&group, context.index.members(&group), Vec::new(), failures).await {
                Ok(()) => {
                    failures = 0;
                    interval
                }
                Err(failed) => failed.wait(&mut failures, context).min(interval),
            };
        }
    }

    /// Looks at members of a group: in its client's list, or else one by one. Newcomers wait for the list alone; their passes
    /// find in it what they need, or look themselves.
    async fn round(&self, group: &Group, members: Vec<Key>, new: Vec<Key>, failures: u32) -> Result<(), Failed> {
        let turn = self.at_once.acquire().await;
        secrets::look(&members, self.context).await;
        let priority = if new.is_empty() { Priority::Background } else { Priority::Interactive };
        let listed = if failures < FAILURES {
            list(group, members.len() + new.len(), priority, self.context).await
        } else {
            Ok(false)
        };
        // The lists of other groups come first: somebody may wait for them.
        drop(turn);
        for key in new {
            self.context.enqueue(key);
        }
        if !listed? {
            let _turn = self.at_once.acquire().await;
            let looks = members.iter().map(|key| looks::look_alone(key, self.context));
            futures::stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).collect::<()>().await;
        }
        Ok(())
    }
}

/// Reads the list of a group's client, if that is less than so many looks. Tells whether it was read; where it is not to be
/// had, and where each resource is to tell of what holds the account back, it was not.
async fn list(group: &Group, looks: usize, priority: Priority, context: &Context) -> Result<bool, Failed> {
    let client = context.looks.of(&group.client);
    if !context.may_list() || !client.is_list_cheaper(looks) {
        return Ok(false);
    }
    match looks::round(&group.client, looks, priority, context).await {
        Ok(()) => Ok(true),
        Err(error) => again_soon(&error, client.is_list_cheaper(looks)).map_or(Ok(false), Err),
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

/// Waits for the Secrets to be listed, so that a look knows which of them changed since the last run.
async fn secrets_are_listed(context: &Context) {
    if context.index.secrets_are_used() {
        let _ = tokio::time::timeout(SECRETS_LISTED_WITHIN, context.shown(|it| it.secrets)).await;
    }
}

/// Whether a list that could not be read is to be tried again soon.
fn again_soon(error: &ListError, is_list_cheaper: bool) -> Option<Failed> {
    let held = match error {
        ListError::Call(error) => error.blocked(),
        ListError::Torn(_) | ListError::TooLong(_) | ListError::Failed => None,
    };
    match held {
        Some(BlockCause::RateLimited) => Some(Failed::Throttled),
        Some(BlockCause::ServiceUnavailable | BlockCause::Unauthenticated) => None,
        None => is_list_cheaper.then_some(Failed::List),
    }
}
