//! What is remembered of each resource between passes: when it is due, how often it failed, what was last reported.
//!
//! kube's queue has no memory of earlier failures, and the earliest of two schedules wins there; so a pass that comes
//! before its time (an unrelated event, an old schedule) is sent back to wait here. Nothing here survives a restart, and
//! nothing needs to: the status and Confidence hold the truth.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use tokio::time::Instant;

use super::lock;
use super::outcome::Outcome;
use super::schedule::{Next, backoff};
use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus, RECONCILE_REQUESTED_AT};

type Key = ObjectRef<ConfidenceClientCredential>;

/// A keyed digest of a secret, comparable within this process alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SecretDigest(u64);

/// The memory of all resources.
pub(super) struct Memory {
    entries: Mutex<HashMap<Key, Entry>>,
    // Random per process, so that a digest says nothing to anybody else.
    digest_key: RandomState,
    random: Mutex<fastrand::Rng>,
}

/// The memory of one resource.
#[derive(Debug, Default)]
struct Entry {
    asked: Option<Asked>,
    due: Option<Instant>,
    woken: bool,
    waits_for_account: bool,
    failures: u32,
    reported: Option<Reported>,
    unreported: Option<Unreported>,
    secret: Option<SecretDigest>,
}

/// What a person asked for last: a difference makes the resource due at once.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    uid: Option<String>,
    generation: Option<i64>,
    requested_at: Option<String>,
}

/// The status that was last written, and the object that came of it: what the watch shows may still be older.
#[derive(Clone, Debug)]
pub(super) struct Reported {
    /// The version of the object that was written over.
    pub(super) over: Option<String>,
    /// The version that came of it.
    pub(super) version: Option<String>,
    /// The status that was written.
    pub(super) status: ConfidenceClientCredentialStatus,
}

/// An outcome that could not be reported yet. It speaks of the spec that was last asked for: a newer one forgets it.
#[derive(Clone, Debug)]
pub(super) struct Unreported {
    pub(super) outcome: Outcome,
}

/// Whether a pass may go on.
#[derive(Debug)]
pub(super) enum Turn {
    /// Not before this long.
    Wait(Duration),
    /// Now; `asked` tells that a person waits for it (a new spec, a changed Secret, the annotation).
    Go { asked: bool, unreported: Option<Box<Unreported>> },
}

impl Memory {
    /// An empty memory; the seed makes jitter repeatable.
    pub(super) fn new(seed: Option<u64>) -> Self {
        let random = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self { entries: Mutex::default(), digest_key: RandomState::new(), random: Mutex::new(random) }
    }

    /// A digest to compare secrets by without keeping them.
    pub(super) fn digest(&self, secret: &str) -> SecretDigest {
        SecretDigest(self.digest_key.hash_one(secret))
    }

    /// Whether the resource is due.
    pub(super) fn begin(&self, object: &ConfidenceClientCredential) -> Turn {
        let asked = Asked::of(object);
        let mut entries = lock(&self.entries);
        let entry = entries.entry(Key::from_obj(object)).or_default();
        let first = entry.asked.is_none();
        let changed = entry.asked.as_ref() != Some(&asked);
        if changed {
            entry.failures = 0;
            entry.unreported = None;
        }
        let now = Instant::now();
        if !changed
            && !entry.woken
            && let Some(wait) = entry.due.map(|due| due.saturating_duration_since(now))
            && !wait.is_zero()
        {
            return Turn::Wait(wait);
        }
        let spoken_of = object.status.as_ref().and_then(|it| it.observed_generation) == asked.generation;
        let person_waits = entry.woken || (changed && !(first && spoken_of));
        entry.asked = Some(asked);
        entry.woken = false;
        entry.waits_for_account = false;
        Turn::Go { asked: person_waits, unreported: entry.unreported.take().map(Box::new) }
    }

    /// Ends a pass: remembers what it came to and says when the next one is due.
    pub(super) fn end(&self, key: &Key, next: Next) -> Option<Duration> {
        let mut entries = lock(&self.entries);
        let entry = entries.get_mut(key)?;
        entry.failures = if matches!(next, Next::Backoff) { entry.failures.saturating_add(1) } else { 0 };
        entry.waits_for_account = matches!(next, Next::AccountOpens(_));
        let mut random = lock(&self.random);
        let wait = match next {
            Next::Never => None,
            Next::Look(interval) => Some(super::schedule::jittered(interval, &mut random)),
            Next::Backoff => Some(backoff(entry.failures, &mut random)),
            Next::AccountOpens(wait) => Some(wait),
        };
        // Woken in the middle of the pass: by what the pass may not have seen.
        let wait = if entry.woken { Some(Duration::ZERO) } else { wait };
        entry.due = wait.map(|wait| Instant::now() + wait);
        wait
    }

    /// Makes a resource due whatever its schedule says: its Secret changed, or its claim to the credential did.
    pub(super) fn wake(&self, key: &Key) {
        lock(&self.entries).entry(key.clone()).or_default().woken = true;
    }

    /// Makes those due that wait for the account, and names them.
    pub(super) fn wake_held(&self) -> Vec<Key> {
        let mut entries = lock(&self.entries);
        let held = entries.iter_mut().filter(|(_, entry)| entry.waits_for_account);
        held.map(|(key, entry)| {
            entry.due = None;
            key.clone()
        })
        .collect()
    }

    /// Forgets a resource that is gone.
    pub(super) fn forget(&self, key: &Key) {
        lock(&self.entries).remove(key);
    }

    /// The status to compare with, and the version to write over: what was last written, if the watch has not caught up.
    pub(super) fn current(
        &self,
        object: &ConfidenceClientCredential,
    ) -> (ConfidenceClientCredentialStatus, Option<String>) {
        let entries = lock(&self.entries);
        let reported = entries.get(&Key::from_obj(object)).and_then(|it| it.reported.as_ref());
        match reported.filter(|it| it.over == object.resource_version()) {
            Some(it) => (it.status.clone(), it.version.clone()),
            None => (object.status.clone().unwrap_or_default(), object.resource_version()),
        }
    }

    /// Remembers a status that was written.
    pub(super) fn reported(&self, key: &Key, reported: Reported) {
        if let Some(entry) = lock(&self.entries).get_mut(key) {
            entry.reported = Some(reported);
        }
    }

    /// Keeps an outcome whose report failed for the next pass, so that what was seen and done is not lost.
    pub(super) fn keep(&self, key: &Key, unreported: Unreported) {
        if let Some(entry) = lock(&self.entries).get_mut(key) {
            entry.unreported = Some(unreported);
        }
    }

    /// The digest of the secret that is known to be at Confidence.
    pub(super) fn secret(&self, key: &Key) -> Option<SecretDigest> {
        lock(&self.entries).get(key)?.secret
    }

    /// Remembers the secret that is known to be at Confidence.
    pub(super) fn set_secret(&self, key: &Key, secret: SecretDigest) {
        if let Some(entry) = lock(&self.entries).get_mut(key) {
            entry.secret = Some(secret);
        }
    }
}

impl Asked {
    fn of(object: &ConfidenceClientCredential) -> Self {
        Self {
            uid: object.uid(),
            generation: object.metadata.generation,
            requested_at: object.annotations().get(RECONCILE_REQUESTED_AT).cloned(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::api::ConfidenceClientCredentialSpec;

    fn object(generation: i64) -> ConfidenceClientCredential {
        let mut object = ConfidenceClientCredential::new("a", ConfidenceClientCredentialSpec::default());
        object.metadata.namespace = Some("ns".to_owned());
        object.metadata.generation = Some(generation);
        object
    }

    fn goes(turn: &Turn) -> bool {
        matches!(turn, Turn::Go { .. })
    }

    #[tokio::test(start_paused = true)]
    async fn an_unrelated_event_does_not_shorten_a_backoff() {
        let memory = Memory::new(Some(1));
        let key = Key::from_obj(&object(1));
        assert!(goes(&memory.begin(&object(1))));
        for _ in 0..8 {
            memory.end(&key, Next::Backoff);
        }
        let wait = memory.end(&key, Next::Backoff).unwrap();
        let mut relabelled = object(1);
        relabelled.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
        assert!(matches!(memory.begin(&relabelled), Turn::Wait(left) if left == wait));
        tokio::time::advance(wait).await;
        assert!(goes(&memory.begin(&relabelled)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_spec_is_served_at_once_and_starts_the_backoff_anew() {
        let memory = Memory::new(Some(1));
        let key = Key::from_obj(&object(1));
        memory.begin(&object(1));
        for _ in 0..20 {
            memory.end(&key, Next::Backoff);
        }
        assert!(matches!(memory.begin(&object(2)), Turn::Go { asked: true, .. }));
        assert!(memory.end(&key, Next::Backoff).unwrap() <= Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_woken_resource_is_served_at_once_and_only_once() {
        let memory = Memory::new(Some(1));
        let key = Key::from_obj(&object(1));
        memory.begin(&object(1));
        memory.end(&key, Next::Look(Duration::from_mins(10)));
        memory.wake(&key);
        assert!(goes(&memory.begin(&object(1))));
        memory.end(&key, Next::Look(Duration::from_mins(10)));
        assert!(!goes(&memory.begin(&object(1))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_resource_that_is_woken_during_a_pass_gets_another_at_once() {
        let memory = Memory::new(Some(1));
        let key = Key::from_obj(&object(1));
        memory.begin(&object(1));
        memory.wake(&key);
        assert_eq!(memory.end(&key, Next::Look(Duration::from_mins(10))), Some(Duration::ZERO));
        assert!(matches!(memory.begin(&object(1)), Turn::Go { asked: true, .. }));
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_wait_for_the_account_are_woken_together() {
        let memory = Memory::new(Some(1));
        let key = Key::from_obj(&object(1));
        memory.begin(&object(1));
        memory.end(&key, Next::AccountOpens(Duration::from_mins(5)));
        assert_eq!(memory.wake_held(), [key]);
        assert!(goes(&memory.begin(&object(1))));
        assert!(memory.wake_held().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_restart_a_resource_that_was_reported_is_no_hurry() {
        let mut known = object(3);
        known.status = Some(ConfidenceClientCredentialStatus {
            observed_generation: Some(3),
            ..ConfidenceClientCredentialStatus::default()
        });
        assert!(matches!(Memory::new(None).begin(&known), Turn::Go { asked: false, .. }));
        assert!(matches!(Memory::new(None).begin(&object(3)), Turn::Go { asked: true, .. }));
    }
}
