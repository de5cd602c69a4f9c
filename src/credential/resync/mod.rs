//! The resync: at its interval, each group of resources is checked for drift, outside the work queue.
//!
//! A check reads the listing of the client, where that takes fewer calls than reading each credential, and hands to the work
//! queue only what is not in sync. That is all that "nothing changed" costs. It checks the members of its own group alone.

mod check;
mod distrust;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Semaphore;

use super::groups::{Group, Groups};
use super::listing::{ListError, PAGE_SIZE};
use super::secret_watch::SecretWatch;
use super::startup::Startup;
use crate::account::Account;
use crate::confidence::{BlockCause, Requester};
use crate::engine::{Key, backoff, lock};

pub(super) use self::check::Checker;
pub(super) use self::distrust::Distrust;

/// Groups that are checked at the same time: waiting for an answer costs little, reading one costs memory.
const GROUPS_AT_ONCE: usize = 8;

/// Credentials of a group that are read at the same time, where each is read by itself.
const READS_AT_ONCE: usize = 4;

/// After so many listings in a row that failed, each credential is read by itself.
const FAILURES_UNTIL_READ_ALONE: u32 = 3;

/// Checks all groups.
pub(super) struct Resync {
    pub(super) groups: Arc<Groups>,
    pub(super) checker: Checker,
    pub(super) startup: Arc<Startup>,
    pub(super) secrets: SecretWatch,
    pub(super) random: Mutex<fastrand::Rng>,
    pub(super) at_once: Semaphore,
}

impl Resync {
    /// A resync that begins when the resources are listed.
    pub(super) fn new(
        groups: Arc<Groups>,
        checker: Checker,
        startup: Arc<Startup>,
        secrets: SecretWatch,
        random: fastrand::Rng,
    ) -> Self {
        let at_once = Semaphore::new(GROUPS_AT_ONCE);
        Self { groups, checker, startup, secrets, random: Mutex::new(random), at_once }
    }

    /// Checks every group at its interval, for as long as it is polled.
    pub(super) async fn run(&self) {
        self.startup.listed().await;
        let groups = self.groups.take_new();
        self.release_small(&groups);
        let mut kept: FuturesUnordered<_> = groups.into_iter().map(|group| self.keep(group, true)).collect();
        loop {
            tokio::select! {
                biased;
                groups = self.groups.new_groups() => kept.extend(groups.into_iter().map(|it| self.keep(it, false))),
                Some(()) = kept.next(), if !kept.is_empty() => {}
            }
        }
    }

    /// Hands to the work queue those that wait and gain nothing by the listing of their client: it takes as many calls as they
    /// do.
    fn release_small(&self, groups: &[Group]) {
        let mut held = HashSet::new();
        for group in groups {
            let members = self.groups.members(group);
            let waiting: Vec<_> = members.iter().filter(|key| self.startup.waits(key)).cloned().collect();
            let pages = members.len().div_ceil(usize::from(PAGE_SIZE));
            let account = self.checker.account(group);
            if waiting.len() > pages
                && account.is_some_and(|account| self.checker.may_list(&account, group, waiting.len()))
            {
                held.extend(waiting);
            }
        }
        let free: Vec<_> = self.startup.all().into_iter().filter(|key| !held.contains(key)).collect();
        self.startup.release(&free);
    }

    /// Checks a group for as long as it has members.
    async fn keep(&self, group: Group, is_first: bool) {
        let mut failures = 0;
        let mut wait = self.jittered(group.interval);
        if is_first {
            wait = self.check_first(&group, &mut failures).await.unwrap_or(wait).min(wait);
        }
        loop {
            tokio::time::sleep(wait).await;
            if !self.groups.goes_on(&group) {
                return;
            }
            let interval = self.jittered(group.interval);
            let result = self.check(&group, self.groups.members(&group), failures).await;
            wait = self.next_wait(&result, &mut failures).unwrap_or(interval).min(interval);
        }
    }

    /// The first check after the start: what an earlier run left in sync and nobody has observed yet, and those that wait for
    /// the listing instead of reading their credential each. Returns how long to wait if it failed.
    async fn check_first(&self, group: &Group, failures: &mut u32) -> Option<Duration> {
        // Meanwhile a reconcile may observe one that is new.
        self.startup.secrets_listed().await;
        let members = self.groups.members(group);
        let unobserved = members.into_iter().filter(|key| self.checker.is_unobserved(key));
        let (waiting, mut unobserved): (Vec<_>, Vec<_>) = unobserved.partition(|key| self.startup.waits(key));
        // One that is new and was refused had its observation.
        unobserved.retain(|key| self.checker.is_converged(key));
        let result = if unobserved.is_empty() && waiting.is_empty() {
            Ok(())
        } else {
            self.check(group, [unobserved, waiting.clone()].concat(), *failures).await
        };
        self.startup.release(&waiting);
        self.next_wait(&result, failures)
    }

    /// Checks members of a group: in its client's listing, or else one by one.
    async fn check(&self, group: &Group, members: Vec<Key>, failures: u32) -> Result<(), Failed> {
        let Some(account) = self.checker.account(group) else { return Ok(()) };
        let permit = self.at_once.acquire().await;
        self.secrets.ask(&members).await;
        let requester = Requester::background(Arc::clone(&group.client));
        let is_cheaper = || self.checker.may_list(&account, group, members.len());
        if failures < FAILURES_UNTIL_READ_ALONE && is_cheaper() {
            match self.checker.list(&account, group, &members, &requester).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    if let Some(failed) = Failed::of(&error, &account, is_cheaper()) {
                        return Err(failed);
                    }
                }
            }
        }
        // The listings of other groups come first: somebody may wait for them.
        drop(permit);
        let _permit = self.at_once.acquire().await;
        let reads = members.iter().map(|key| self.checker.read_alone(&account, key));
        futures::stream::iter(reads).buffer_unordered(READS_AT_ONCE).collect::<()>().await;
        Ok(())
    }

    fn next_wait(&self, result: &Result<(), Failed>, failures: &mut u32) -> Option<Duration> {
        match result {
            Ok(()) => {
                *failures = 0;
                None
            }
            Err(Failed::RateLimited(wait)) => Some(*wait),
            Err(Failed::Listing) => {
                *failures += 1;
                Some(backoff(*failures, &mut lock(&self.random)))
            }
        }
    }

    fn jittered(&self, interval: Duration) -> Duration {
        jittered(interval, &mut lock(&self.random))
    }
}

/// An interval with its jitter of ±10 %, so that groups that were created together part ways.
fn jittered(interval: Duration, random: &mut fastrand::Rng) -> Duration {
    interval.mul_f64(0.9 + 0.2 * random.f64())
}

/// Why a check is to be repeated soon.
enum Failed {
    /// The account is over its rate limit.
    RateLimited(Duration),
    /// The listing could not be read.
    Listing,
}

impl Failed {
    /// None: each credential is to be read by itself, so that each resource reports what blocks its account.
    fn of(error: &ListError, account: &Account, is_cheaper: bool) -> Option<Self> {
        let blocked = match error {
            ListError::Call(error) => error.blocked(),
            ListError::Torn(_) | ListError::TooLong(_) => None,
        };
        match blocked {
            Some(BlockCause::RateLimited) => Some(Self::RateLimited(account.wait())),
            Some(BlockCause::ServiceUnavailable | BlockCause::Unauthenticated) => None,
            None => is_cheaper.then_some(Self::Listing),
        }
    }
}
