//! What is known of each credential between reconciles, and where it is kept.
//!
//! One entry a resource, from the watch's first event to its last. Nothing here survives a restart, and nothing needs to: the
//! status and Confidence hold the truth. When a resource is due is the work queue's to say.

mod compact;
mod latest;

use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::time::Duration;

use indexmap::IndexMap;
use tokio::time::Instant;

use self::latest::Latest;
use crate::confidence::wire::ClientCredential;
use crate::engine::{Key, lock};
use crate::plan::Observation;

pub(super) use self::compact::CompactCredential;
pub(super) use self::latest::Age;

/// A keyed digest: comparable within this process alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest(u64);

/// A secret that is known to be at Confidence, and the version of the Secret that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ServedSecret {
    pub(super) value: Digest,
    pub(super) version: Digest,
}

/// The observations of all credentials.
pub(super) struct ObservationCache {
    entries: Mutex<IndexMap<Key, Entry>>,
    /// Random per process, so that a digest says nothing to anybody else.
    digests: RandomState,
}

/// What is known of one credential.
#[derive(Debug, Default)]
pub(super) struct Entry {
    uid: Option<Digest>,
    latest: Latest,
    secret: Option<ServedSecret>,
    /// Whether a listing lacks the credential: only a read of the credential itself tells more.
    is_missing: bool,
    /// Whether this process has reported the failure that lasts.
    has_reported_failure: bool,
    /// Whether the secret was written again because of another writer, and nothing has confirmed that write yet.
    is_rewrite_unconfirmed: bool,
}

impl ObservationCache {
    /// An empty cache.
    pub(super) fn new() -> Self {
        Self { entries: Mutex::default(), digests: RandomState::new() }
    }

    /// A digest to compare by, without keeping what is compared.
    pub(super) fn digest(&self, text: &str) -> Digest {
        Digest(self.digests.hash_one(text))
    }

    /// The watch shows a resource: another one with the name of an earlier one begins anew.
    pub(super) fn apply(&self, key: &Key, uid: &str) {
        let uid = Some(self.digest(uid));
        let mut entries = lock(&self.entries);
        let entry = entries.entry(key.clone()).or_default();
        if entry.uid != uid {
            *entry = Entry { uid, ..Entry::default() };
        }
    }

    /// The resource is gone.
    pub(super) fn remove(&self, key: &Key) {
        lock(&self.entries).swap_remove(key);
    }

    /// The last observation, if it is not older. One that a listing threw into doubt is none.
    pub(super) fn get(&self, key: &Key, max_age: Duration) -> Option<(Observation, bool)> {
        let entries = lock(&self.entries);
        let entry = entries.get(key).filter(|entry| !entry.is_missing)?;
        entry.latest.get(max_age)
    }

    /// Whether there is an observation that counts.
    pub(super) fn has_one(&self, key: &Key) -> bool {
        self.read(key, |entry| entry.latest.is_some()).unwrap_or(false)
    }

    /// Keeps an observation, unless a newer one is known.
    pub(super) fn put(&self, key: &Key, observation: Observation, at: Instant) -> Age {
        let put = |entry: &mut Entry| {
            let age = entry.latest.renew(observation, at);
            entry.is_missing &= age == Age::Older;
            age
        };
        self.change(key, put).unwrap_or(Age::Older)
    }

    /// A write may have been carried out and may not, or somebody asks for a fresh read: what was observed counts no more.
    pub(super) fn invalidate(&self, key: &Key) {
        self.change(key, |entry| entry.latest.invalidate());
    }

    /// A listing lacks the credential.
    pub(super) fn set_missing(&self, key: &Key) {
        self.change(key, |entry| entry.is_missing = true);
    }

    /// Whether a listing lacks the credential, and nobody has read it since.
    pub(super) fn is_missing(&self, key: &Key) -> bool {
        self.read(key, |entry| entry.is_missing).unwrap_or(false)
    }

    /// Whether a credential is as it was last observed, its secret aside.
    pub(super) fn is_unchanged(&self, key: &Key, credential: &ClientCredential) -> bool {
        self.read(key, |entry| entry.latest.is_as(credential)).unwrap_or(false)
    }

    /// The credential was observed again, as it was.
    pub(super) fn confirm(&self, key: &Key, at: Instant) {
        self.change(key, |entry| {
            entry.latest.confirm(at);
            entry.is_missing = false;
        });
    }

    /// The secret that is known to be at Confidence.
    pub(super) fn secret(&self, key: &Key) -> Option<ServedSecret> {
        self.read(key, |entry| entry.secret).flatten()
    }

    /// Keeps which secret is known to be at Confidence.
    pub(super) fn set_secret(&self, key: &Key, secret: ServedSecret) {
        self.change(key, |entry| entry.secret = Some(secret));
    }

    /// Whether the secret was written again because of another writer, and nothing has confirmed that write yet.
    pub(super) fn is_rewrite_unconfirmed(&self, key: &Key) -> bool {
        self.read(key, |entry| entry.is_rewrite_unconfirmed).unwrap_or(false)
    }

    /// Notes whether a secret that was written again is confirmed.
    pub(super) fn set_rewrite_unconfirmed(&self, key: &Key, is_unconfirmed: bool) {
        self.change(key, |entry| entry.is_rewrite_unconfirmed = is_unconfirmed);
    }

    /// Whether this process has reported the failure that lasts.
    pub(super) fn has_reported_failure(&self, key: &Key) -> bool {
        self.read(key, |entry| entry.has_reported_failure).unwrap_or(false)
    }

    /// Notes whether a failure that lasts is reported.
    pub(super) fn set_reported_failure(&self, key: &Key, has_reported: bool) {
        self.change(key, |entry| entry.has_reported_failure = has_reported);
    }

    fn read<T>(&self, key: &Key, read: impl FnOnce(&Entry) -> T) -> Option<T> {
        lock(&self.entries).get(key).map(read)
    }

    fn change<T>(&self, key: &Key, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        lock(&self.entries).get_mut(key).map(change)
    }
}

#[cfg(test)]
mod tests;
