//! Which resources use which Secret, and which version of it is known.

use std::collections::HashMap;

use indexmap::IndexSet;

use crate::controller::key::Key;

/// The name of a Secret with its namespace.
pub(in crate::controller) type SecretName = (String, String);

/// The Secrets that resources use.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// The resources that take their secret from a Secret.
    users: HashMap<SecretName, IndexSet<Key>>,
    /// The version of each such Secret that is known, so that a relist triggers nothing.
    versions: HashMap<SecretName, Version>,
}

/// A version of a Secret; none where it is known not to exist.
#[derive(Clone, Debug)]
struct Version {
    version: Option<String>,
    /// Whether a pass has read it, or one that a pass will read instead: else only the watch has named it.
    read: bool,
}

impl Secrets {
    pub(super) fn add_user(&mut self, secret: &SecretName, key: &Key) {
        self.users.entry(secret.clone()).or_default().insert(key.clone());
    }

    pub(super) fn remove_user(&mut self, secret: &SecretName, key: &Key) {
        let Some(users) = self.users.get_mut(secret) else { return };
        users.swap_remove(key);
        if users.is_empty() {
            self.users.remove(secret);
            self.versions.remove(secret);
        }
    }

    pub(super) fn used(&self) -> Vec<SecretName> {
        let mut used: Vec<_> = self.users.keys().cloned().collect();
        used.sort_unstable();
        used
    }

    pub(super) fn are_used(&self) -> bool {
        !self.users.is_empty()
    }

    /// The version that is known, if the Secret is known to exist.
    pub(super) fn version(&self, secret: &SecretName) -> Option<&str> {
        self.versions.get(secret)?.version.as_deref()
    }

    /// Remembers a version that a pass has read; tells whether the watch has named another before anybody read one.
    pub(super) fn read(&mut self, secret: SecretName, version: Option<&str>) -> bool {
        if !self.users.contains_key(&secret) {
            return false;
        }
        let read = Version { version: version.map(str::to_owned), read: true };
        let before = self.versions.insert(secret, read.clone());
        before.is_some_and(|before| !before.read && before.version != read.version)
    }

    /// Takes note that the version that is known is the one that was written to Confidence: another is news, as if a pass
    /// had read it.
    pub(super) fn served(&mut self, secret: &SecretName) {
        if let Some(known) = self.versions.get_mut(secret) {
            known.read = true;
        }
    }

    /// The users that the watch's news of a Secret concerns.
    pub(super) fn changed(&mut self, secret: SecretName, version: Option<&str>) -> Vec<Key> {
        let Some(users) = self.users.get(&secret).map(|users| users.iter().cloned().collect()) else {
            return Vec::new();
        };
        let version = version.map(str::to_owned);
        match self.versions.get_mut(&secret) {
            None => {
                self.versions.insert(secret, Version { version, read: false });
                Vec::new()
            }
            Some(known) if known.version == version => Vec::new(),
            Some(known) => {
                known.version = version;
                if known.read { users } else { Vec::new() }
            }
        }
    }
}
