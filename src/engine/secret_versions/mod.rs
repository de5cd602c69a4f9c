//! Which version of its Secret each user was served with: one record per Secret and user.
//!
//! A watch that is ahead of a reader or behind it, a relist and a resync without a watch all end here. Invariant: a user
//! is told, once for each version, until it has read the newest (`every_user_reads_newest_version_in_any_order`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;

use super::key::Key;

/// The namespace and name of a Secret.
pub type SecretName = Key;

/// The versions of the Secrets that objects use. A Secret is forgotten with its last user.
#[derive(Debug, Default)]
pub struct SecretVersions {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Which Secret each user uses.
    references: HashMap<Key, SecretName>,
    secrets: IndexMap<SecretName, SecretRecord>,
}

#[derive(Debug, Default)]
struct SecretRecord {
    /// What the watch showed last.
    seen: Option<Version>,
    /// What each user was served with; none before its first attempt has read the Secret.
    users: IndexMap<Key, Option<Version>>,
}

/// A version of a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Version {
    /// There is no such Secret.
    Absent,
    Present(Arc<str>),
}

impl SecretVersions {
    /// Takes note of the Secret that a user uses now. What it was served with of another one is forgotten.
    pub fn set_reference(&self, user: &Key, secret: Option<SecretName>) {
        let mut inner = self.lock();
        if inner.references.get(user) == secret.as_ref() {
            return;
        }
        inner.remove(user);
        if let Some(secret) = secret {
            inner.secrets.entry(secret.clone()).or_default().users.insert(user.clone(), None);
            inner.references.insert(user.clone(), secret);
        }
    }

    /// A user's attempt has read this version of its Secret; none where there is no such Secret. For what an earlier run
    /// served, the version in the status is told in the same way.
    ///
    /// Tells whether the user has to read again: the watch has shown another version, which may be a newer one, and this
    /// read is not the same as the last.
    pub fn served(&self, user: &Key, secret: &SecretName, version: Option<&str>) -> bool {
        let mut inner = self.lock();
        let Some(record) = inner.secrets.get_mut(secret) else { return false };
        let version = record.version(version);
        let Some(served) = record.users.get_mut(user) else { return false };
        let before = served.replace(version.clone());
        let Some(seen) = record.seen.as_ref().filter(|seen| **seen != version) else { return false };
        // A version that this user has read earlier is an older one: the watch is behind. Only an absence comes twice.
        let is_behind = before.as_ref() == Some(seen) && *seen != Version::Absent;
        before.as_ref() != Some(&version) && !is_behind
    }

    /// The watch, or whoever asks in its place, shows this version of a Secret; none where it is gone. Returns the users
    /// that were served with another one, each time: an absence may have been shown before.
    pub fn seen(&self, secret: &SecretName, version: Option<&str>) -> Vec<Key> {
        let mut inner = self.lock();
        let Some(record) = inner.secrets.get_mut(secret) else { return Vec::new() };
        let version = record.version(version);
        let outdated = record.users.iter().filter(|(_, served)| served.as_ref().is_some_and(|it| *it != version));
        let outdated = outdated.map(|(user, _)| user.clone()).collect();
        record.seen = Some(version);
        outdated
    }

    /// The version that the watch showed last; none where it showed none, or that the Secret is gone.
    pub fn seen_version(&self, secret: &SecretName) -> Option<Arc<str>> {
        match self.lock().secrets.get(secret)?.seen.as_ref()? {
            Version::Absent => None,
            Version::Present(version) => Some(Arc::clone(version)),
        }
    }

    /// The Secrets that are used, in order.
    pub fn names(&self) -> Vec<SecretName> {
        let mut names: Vec<_> = self.lock().secrets.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// The Secret that a user uses.
    pub fn of(&self, user: &Key) -> Option<SecretName> {
        self.lock().references.get(user).cloned()
    }

    /// Forgets a user that is gone.
    pub fn remove(&self, user: &Key) {
        self.lock().remove(user);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.lock() = Inner::default();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn remove(&mut self, user: &Key) {
        let Some(secret) = self.references.remove(user) else { return };
        let Some(record) = self.secrets.get_mut(&secret) else { return };
        record.users.swap_remove(user);
        if record.users.is_empty() {
            self.secrets.swap_remove(&secret);
        }
    }
}

impl SecretRecord {
    /// A version; it shares its text with the one that was seen where both are the same.
    fn version(&self, version: Option<&str>) -> Version {
        match (version, &self.seen) {
            (None, _) => Version::Absent,
            (Some(version), Some(Version::Present(seen))) if **seen == *version => Version::Present(Arc::clone(seen)),
            (Some(version), _) => Version::Present(version.into()),
        }
    }
}

#[cfg(test)]
mod tests;
