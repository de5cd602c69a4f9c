//! What is remembered of each resource between passes: what it was last served for, when it is due, how often it failed,
//! what was last seen of its credential.
//!
//! kube's queue has no memory of earlier failures, and the earliest of two schedules wins there; so a pass that comes
//! before its time (an unrelated event, an old schedule) is sent back to wait here. Nothing here survives a restart, and
//! nothing needs to: the status and Confidence hold the truth. Statuses that are still to be written are in `drafts`.

mod kept;
mod look;

use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::time::Duration;

use indexmap::IndexMap;
use kube::ResourceExt;
use tokio::time::Instant;

use self::look::Sight;
use super::key::Key;
use super::lock;
use super::schedule::{Next, backoff, jittered};
use crate::api::{ConfidenceClientCredential, RECONCILE_REQUESTED_AT};
use crate::confidence::Priority;
use crate::confidence::wire::ClientCredential;

pub(super) use self::look::{Remembered, Seen};

/// A keyed digest, comparable within this process alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest(u64);

/// A secret that is known to be at Confidence, by its digest, and the version of the Secret that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KnownValue {
    pub(super) value: Digest,
    pub(super) version: Digest,
}

/// The memory of all resources.
pub(super) struct Memory {
    entries: Mutex<IndexMap<Key, Entry>>,
    // Random per process, so that a digest says nothing to anybody else.
    digest_key: RandomState,
    random: Mutex<fastrand::Rng>,
}

/// The memory of one resource.
#[derive(Debug, Default)]
struct Entry {
    served: Option<Served>,
    due: Option<Instant>,
    woken: Option<Wake>,
    in_hand: bool,
    /// Whether a person waits for it: until a pass has come to an end of its own.
    priority: Priority,
    waits_for_account: bool,
    settled: bool,
    failures: u32,
    sight: Sight,
    secret: Option<KnownValue>,
}

/// What a person asked for last: a difference makes the resource due at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Served {
    uid: Digest,
    generation: Option<i64>,
    requested_at: Digest,
}

/// Why a resource is due whatever its schedule says. The later one is the stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wake {
    /// A round of looks found something.
    Found,
    /// A round of looks missed it: to be confirmed by reading the credential itself.
    Missed,
    /// Something that it names changed: its Secret, or who owns its credential.
    Asked,
}

/// Whether a pass may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Not now, but after this long, if there is anything to come at all.
    Rest(Option<Duration>),
    /// Now.
    Go {
        /// Whether a person waits for it: a new spec, a changed Secret, the annotation.
        priority: Priority,
        /// The credential itself is to be read: a list missed it.
        confirm: bool,
    },
}

impl Memory {
    /// An empty memory; the seed makes jitter repeatable.
    pub(super) fn new(seed: Option<u64>) -> Self {
        let random = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self { entries: Mutex::default(), digest_key: RandomState::new(), random: Mutex::new(random) }
    }

    /// A digest to compare by, without keeping what is compared.
    pub(super) fn digest(&self, text: &str) -> Digest {
        Digest(self.digest_key.hash_one(text))
    }

    /// An interval with its jitter.
    pub(super) fn jittered(&self, interval: Duration) -> Duration {
        jittered(interval, &mut lock(&self.random))
    }

    /// The wait before another try of something that is not one resource's.
    pub(super) fn backoff(&self, failures: u32) -> Duration {
        backoff(failures, &mut lock(&self.random))
    }

    /// Whether an event of the watch is news: the spec is new, or somebody asks for a look. A status or a label is none.
    pub(super) fn is_news(&self, key: &Key, object: &ConfidenceClientCredential) -> bool {
        let served = self.served(object);
        lock(&self.entries).get(key).is_none_or(|entry| entry.served != Some(served))
    }

    /// Whether a pass over a resource is in hand.
    pub(super) fn is_in_hand(&self, key: &Key) -> bool {
        lock(&self.entries).get(key).is_some_and(|entry| entry.in_hand)
    }

    /// Takes a resource up that another run of this program left with nothing to be done: it is looked at in the next round.
    pub(super) fn adopt(&self, key: &Key, object: &ConfidenceClientCredential) {
        let served = Some(self.served(object));
        let entry = Entry { served, settled: true, ..Entry::default() };
        lock(&self.entries).entry(key.clone()).or_insert(entry);
    }

    /// Takes a resource up that has something left to be done.
    pub(super) fn expect(&self, key: &Key) {
        lock(&self.entries).entry(key.clone()).or_default();
    }

    /// Those that were taken up and have had no pass yet, in the order in which they came.
    pub(super) fn newcomers(&self) -> Vec<Key> {
        let entries = lock(&self.entries);
        entries.iter().filter(|(_, entry)| entry.served.is_none()).map(|(key, _)| key.clone()).collect()
    }

    /// Whether the resource is due.
    pub(super) fn begin(&self, key: &Key, object: &ConfidenceClientCredential) -> Turn {
        let served = self.served(object);
        let mut entries = lock(&self.entries);
        let entry = entries.entry(key.clone()).or_default();
        let before = entry.served;
        let changed = before != Some(served);
        if changed {
            entry.failures = 0;
            entry.change(served);
        }
        if !changed && entry.woken.is_none() {
            let now = Instant::now();
            match entry.due.map(|due| due.saturating_duration_since(now)) {
                None => return Turn::Rest(None),
                Some(wait) if !wait.is_zero() => return Turn::Rest(Some(wait)),
                Some(_) => {}
            }
        }
        let spoken_of = object.status.as_ref().and_then(|it| it.observed_generation) == served.generation;
        if entry.woken == Some(Wake::Asked) || (changed && (before.is_some() || !spoken_of)) {
            entry.priority = Priority::Interactive;
        }
        let confirm = entry.woken == Some(Wake::Missed);
        entry.served = Some(served);
        entry.woken = None;
        entry.due = None;
        entry.waits_for_account = false;
        entry.in_hand = true;
        Turn::Go { priority: entry.priority, confirm }
    }

    /// How many passes over a resource have failed in a row.
    pub(super) fn failures(&self, key: &Key) -> u32 {
        lock(&self.entries).get(key).map_or(0, |entry| entry.failures)
    }

    /// Ends a pass: remembers what it came to and says when the next one is due, if it has a time of its own.
    pub(super) fn end(&self, key: &Key, next: Next) -> Option<Duration> {
        let mut entries = lock(&self.entries);
        let entry = entries.get_mut(key)?;
        entry.in_hand = false;
        entry.failures = if next == Next::Backoff { entry.failures.saturating_add(1) } else { 0 };
        entry.waits_for_account = matches!(next, Next::AccountOpens(_));
        entry.settled = next == Next::Rest { settled: true };
        if matches!(next, Next::Rest { .. }) {
            entry.priority = Priority::Background;
        }
        let wait = match next {
            Next::Rest { .. } => None,
            Next::Backoff => Some(backoff(entry.failures, &mut lock(&self.random))),
            // Not all at the same moment: one of them finds out whether the account is open.
            Next::AccountOpens(wait) => Some(wait + SPREAD.mul_f64(lock(&self.random).f64())),
        };
        // Woken in the middle of the pass: by what the pass may not have seen.
        let wait = if entry.woken.is_some() { Some(Duration::ZERO) } else { wait };
        entry.due = wait.map(|wait| Instant::now() + wait);
        wait
    }

    /// Makes a resource due whatever its schedule says.
    pub(super) fn wake(&self, key: &Key, wake: Wake) {
        let mut entries = lock(&self.entries);
        let entry = entries.entry(key.clone()).or_default();
        entry.woken = entry.woken.max(Some(wake));
    }

    /// Makes a resource due that is to be looked at anew, unless it has a time of its own or is in hand. Tells whether it is.
    pub(super) fn wake_to_look(&self, key: &Key, wake: Wake) -> bool {
        let mut entries = lock(&self.entries);
        let Some(entry) = entries.get_mut(key).filter(|it| it.rests()) else { return false };
        entry.sight.forget();
        entry.woken = entry.woken.max(Some(wake));
        true
    }

    /// Makes those due that a pass left with something to be done and no time of their own, and names them.
    pub(super) fn wake_stalled(&self) -> Vec<Key> {
        let mut entries = lock(&self.entries);
        let stalled = entries.iter_mut().filter(|(_, entry)| entry.served.is_some() && entry.rests() && !entry.settled);
        let wake = |(key, entry): (&Key, &mut Entry)| {
            entry.sight.forget();
            entry.woken = Some(Wake::Asked);
            key.clone()
        };
        stalled.map(wake).collect()
    }

    /// Makes those due that wait for the account, and names them: those first that a person waits for.
    pub(super) fn wake_held(&self) -> Vec<Key> {
        let mut entries = lock(&self.entries);
        let held = entries.iter_mut().filter(|(_, entry)| entry.waits_for_account);
        let (mut first, rest): (Vec<_>, Vec<_>) = held.partition(|(_, entry)| entry.priority == Priority::Interactive);
        first.extend(rest);
        let wake = |(key, entry): (&Key, &mut Entry)| {
            entry.waits_for_account = false;
            entry.due = Some(Instant::now());
            key.clone()
        };
        first.into_iter().map(wake).collect()
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        lock(&self.entries).clear();
    }

    /// Forgets a resource that is gone.
    pub(super) fn forget(&self, key: &Key) {
        lock(&self.entries).swap_remove(key);
    }

    /// What was last seen of the credential, if that was not longer ago.
    pub(super) fn look(&self, key: &Key, max_age: Duration) -> Option<Remembered> {
        lock(&self.entries).get(key)?.sight.last(max_age)
    }

    /// Remembers what a pass saw.
    pub(super) fn saw(&self, key: &Key, look: Remembered) {
        if let Some(entry) = of_the_pass(&mut lock(&self.entries), key) {
            entry.sight.renew(look);
        }
    }

    /// Remembers what was seen of a credential outside of its passes; tells what came of it.
    pub(super) fn saw_elsewhere(&self, key: &Key, credential: ClientCredential, at: Instant) -> Seen {
        let mut entries = lock(&self.entries);
        // It may be one whose first pass is still to come: that one need not look again.
        let entry = entries.entry(key.clone()).or_default();
        if !entry.rests() && entry.sight.has_one() {
            // Its pass has a look of its own, and what it leaves behind is compared in the next round.
            return Seen::Older;
        }
        let seen = entry.sight.renew(Remembered::read(credential, at));
        // What is not in order is tried again with each look, even if nothing moved.
        if seen != Seen::Older && !entry.rests() {
            Seen::Older
        } else if seen == Seen::Same && !entry.settled {
            Seen::New
        } else {
            seen
        }
    }

    /// Whether a resource was left in order and its credential is as it was then, its secret aside.
    pub(super) fn is_as_left(&self, key: &Key, credential: &ClientCredential) -> bool {
        lock(&self.entries).get(key).is_some_and(|entry| entry.settled && entry.sight.is_as(credential))
    }

    /// The credential was seen again, as it was.
    pub(super) fn seen_again(&self, key: &Key, at: Instant) {
        if let Some(entry) = lock(&self.entries).get_mut(key) {
            entry.sight.seen_again(at);
        }
    }

    /// Whether nothing is left to be done for a resource.
    pub(super) fn is_settled(&self, key: &Key) -> bool {
        lock(&self.entries).get(key).is_some_and(|entry| entry.settled)
    }

    /// Whether a resource may be looked at: it has no time of its own and is not in hand.
    pub(super) fn may_look(&self, key: &Key) -> bool {
        lock(&self.entries).get(key).is_some_and(Entry::rests)
    }

    /// Whether a resource was left in order by another run and not looked at since.
    pub(super) fn awaits_a_look(&self, key: &Key) -> bool {
        lock(&self.entries).get(key).is_some_and(|entry| entry.settled && !entry.sight.has_one())
    }

    /// A write may have been carried out and may not: nothing that was seen before is worth anything.
    pub(super) fn forget_look(&self, key: &Key) {
        if let Some(entry) = lock(&self.entries).get_mut(key) {
            entry.sight.forget();
        }
    }

    /// Whether a round finds the resource in order, or has to hand it to a pass.
    pub(super) fn settle(&self, key: &Key, settled: bool) {
        if let Some(entry) = lock(&self.entries).get_mut(key) {
            entry.settled = settled;
        }
    }

    /// The secret that is known to be at Confidence.
    pub(super) fn secret(&self, key: &Key) -> Option<KnownValue> {
        lock(&self.entries).get(key)?.secret
    }

    /// Remembers the secret that a pass knows to be at Confidence.
    pub(super) fn set_secret(&self, key: &Key, secret: KnownValue) {
        if let Some(entry) = of_the_pass(&mut lock(&self.entries), key) {
            entry.secret = Some(secret);
        }
    }

    fn served(&self, object: &ConfidenceClientCredential) -> Served {
        let requested_at = object.annotations().get(RECONCILE_REQUESTED_AT);
        Served {
            uid: Digest(self.digest_key.hash_one(&object.metadata.uid)),
            generation: object.metadata.generation,
            requested_at: Digest(self.digest_key.hash_one(requested_at)),
        }
    }
}

/// In how long those come back that wait for the account, after the time at which it may open.
const SPREAD: Duration = Duration::from_secs(1);

/// What is remembered of the resource that a pass is about; none if it is gone, even if another has its name by now: what
/// the pass finds out may be of another credential than that one names.
fn of_the_pass<'a>(entries: &'a mut IndexMap<Key, Entry>, key: &Key) -> Option<&'a mut Entry> {
    entries.get_mut(key).filter(|entry| entry.in_hand)
}

impl Entry {
    /// Whether it is nobody's turn: no pass in hand, none to come at a time of its own.
    fn rests(&self) -> bool {
        !self.in_hand && self.due.is_none() && self.woken.is_none()
    }

    /// Takes note of what is new, and forgets what it makes worthless.
    fn change(&mut self, served: Served) {
        let Some(before) = self.served else { return };
        if before.uid != served.uid {
            // Another resource with the same name: nothing that was known is known of this one.
            *self = Self::default();
        } else if before.requested_at != served.requested_at {
            self.sight.forget();
        }
    }
}

#[cfg(test)]
mod tests;
