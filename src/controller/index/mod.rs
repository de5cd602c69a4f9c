//! Which resource names which credential and which Secret: kept from the watch, so that nothing has to be searched.

mod secrets;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use tokio::sync::Notify;

use self::secrets::Secrets;

pub(super) use self::secrets::SecretName;
use super::key::Key;
use super::lock;
use crate::api::ConfidenceClientCredential;
use crate::confidence::name::CredentialName;

/// The index over all watched resources.
#[derive(Debug)]
pub(super) struct Index {
    inner: Mutex<Inner>,
    new_groups: Notify,
}

/// The resources that are looked at together: those of one client at Confidence with the same interval.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Group {
    /// The id of the client.
    pub(super) client: Arc<str>,
    /// How often they are looked at.
    pub(super) interval: Duration,
}

#[derive(Debug)]
struct Inner {
    /// The interval of a resource that does not say.
    interval: Duration,
    /// What each resource names, to undo it when the resource changes or goes.
    entries: HashMap<Key, Entry>,
    /// The claims on each credential of each client, the oldest first: that one owns it.
    clients: HashMap<Arc<str>, IndexMap<Box<str>, Vec<Claim>>>,
    /// How many resources there are in each group.
    groups: HashMap<Group, usize>,
    /// Groups that nobody has been told of yet.
    new_groups: Vec<Group>,
    secrets: Secrets,
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    claim: Option<(CredentialName, Claim)>,
    secret: Option<SecretName>,
    /// None: the resource is not looked at, because it is suspended or names no credential.
    group: Option<Group>,
}

/// A claim to a credential. Ordered by age, then by namespace and name: the first is the owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    created: Timestamp,
    key: Key,
}

impl Index {
    /// An empty index, with the interval of a resource that does not say.
    pub(super) fn new(interval: Duration) -> Self {
        Self { inner: Mutex::new(Inner::new(interval)), new_groups: Notify::new() }
    }

    /// Takes up a resource as it is now; names the others whose claim to a credential changed by it.
    pub(super) fn apply(&self, key: &Key, object: &ConfidenceClientCredential) -> Vec<Key> {
        let mut inner = lock(&self.inner);
        let entry = inner.entry_of(key, object);
        let heirs = inner.replace(key, Some(entry));
        if !inner.new_groups.is_empty() {
            self.new_groups.notify_one();
        }
        heirs
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        let mut inner = lock(&self.inner);
        *inner = Inner::new(inner.interval);
    }

    /// Forgets a resource that is gone; names the one that owns its credential now.
    pub(super) fn delete(&self, key: &Key) -> Vec<Key> {
        lock(&self.inner).replace(key, None)
    }

    /// The owner of a credential, if it is another resource.
    pub(super) fn other_owner(&self, credential: &CredentialName, key: &Key) -> Option<Key> {
        lock(&self.inner).owner(credential.client(), credential.credential()).filter(|owner| *owner != key).cloned()
    }

    /// The owner of a credential.
    pub(super) fn owner(&self, client: &str, credential: &str) -> Option<Key> {
        lock(&self.inner).owner(client, credential).cloned()
    }

    /// Those that name a credential which another one owns.
    pub(super) fn rivals(&self) -> Vec<Key> {
        let inner = lock(&self.inner);
        let claims = inner.clients.values().flat_map(IndexMap::values);
        claims.flat_map(|claims| claims.iter().skip(1)).map(|claim| claim.key.clone()).collect()
    }

    /// The owners of all credentials of a client that are managed, with the credentials' ids.
    pub(super) fn owners(&self, client: &str) -> Vec<(Box<str>, Key)> {
        let inner = lock(&self.inner);
        let credentials = inner.clients.get(client).into_iter().flatten();
        credentials.filter_map(|(id, claims)| Some((id.clone(), claims.first()?.key.clone()))).collect()
    }

    /// The members of a group that own their credentials.
    pub(super) fn members(&self, group: &Group) -> Vec<Key> {
        let inner = lock(&self.inner);
        let claims = inner.clients.get(&group.client).into_iter().flatten();
        let owners = claims.filter_map(|(_, claims)| Some(&claims.first()?.key));
        let is_member = |key: &&Key| inner.entries.get(*key).is_some_and(|entry| entry.group.as_ref() == Some(group));
        owners.filter(is_member).cloned().collect()
    }

    /// The groups that are new.
    pub(super) fn take_new_groups(&self) -> Vec<Group> {
        std::mem::take(&mut lock(&self.inner).new_groups)
    }

    /// Waits for groups that are new.
    pub(super) async fn new_groups(&self) -> Vec<Group> {
        loop {
            let groups = self.take_new_groups();
            if !groups.is_empty() {
                return groups;
            }
            self.new_groups.notified().await;
        }
    }

    /// Whether a group has anybody left in it. One that has not is forgotten, and is new when somebody comes.
    pub(super) fn group_goes_on(&self, group: &Group) -> bool {
        let mut inner = lock(&self.inner);
        let goes_on = inner.groups.get(group).is_some_and(|members| *members > 0);
        if !goes_on {
            inner.groups.remove(group);
        }
        goes_on
    }

    /// Whether any resource takes its secret from a Secret.
    pub(super) fn secrets_are_used(&self) -> bool {
        lock(&self.inner).secrets.are_used()
    }

    /// The Secrets that resources take their secrets from.
    pub(super) fn used_secrets(&self) -> Vec<SecretName> {
        lock(&self.inner).secrets.used()
    }

    /// The Secret that a resource takes its secret from.
    pub(super) fn secret_of(&self, key: &Key) -> Option<SecretName> {
        lock(&self.inner).entries.get(key)?.secret.clone()
    }

    /// The version of a Secret, as far as it is known.
    pub(super) fn secret_version(&self, namespace: &str, name: &str) -> Option<String> {
        lock(&self.inner).secrets.version(&(namespace.to_owned(), name.to_owned())).map(str::to_owned)
    }

    /// Remembers the version of a Secret that a pass has read, none where there is no such Secret: the watch's news of it is
    /// none. Tells whether the watch has named another version before anybody read one, which may be a newer one.
    pub(super) fn secret_read(&self, namespace: &str, name: &str, version: Option<&str>) -> bool {
        lock(&self.inner).secrets.read((namespace.to_owned(), name.to_owned()), version)
    }

    /// Takes note that a resource was found in order with the version of its Secret that is known.
    pub(super) fn secret_served(&self, key: &Key) {
        let mut inner = lock(&self.inner);
        if let Some(secret) = inner.entries.get(key).and_then(|entry| entry.secret.clone()) {
            inner.secrets.served(&secret);
        }
    }

    /// The resources that news of a Secret concerns: those that use it, if the version (none: it is gone) is another than
    /// the one that was read. Before anybody has read one there is no news: the first pass is still to come, or under way.
    pub(super) fn secret_changed(&self, namespace: &str, name: &str, version: Option<&str>) -> Vec<Key> {
        lock(&self.inner).secrets.changed((namespace.to_owned(), name.to_owned()), version)
    }
}

impl Inner {
    fn new(interval: Duration) -> Self {
        Self {
            interval,
            entries: HashMap::new(),
            clients: HashMap::new(),
            groups: HashMap::new(),
            new_groups: Vec::new(),
            secrets: Secrets::default(),
        }
    }

    fn entry_of(&self, key: &Key, object: &ConfidenceClientCredential) -> Entry {
        let spec = &object.spec;
        let claim = spec.name.as_ref().and_then(|name| name.parse().ok()).map(|credential: CredentialName| {
            let created = object.metadata.creation_timestamp.as_ref().map_or(Timestamp::MAX, |it| it.0);
            (credential, Claim { created, key: key.clone() })
        });
        let secret = spec.client_secret.as_ref();
        let secret = secret.map(|it| (key.namespace.as_ref().to_owned(), it.secret_key_ref.name.clone()));
        let interval = spec.own_interval().and_then(Result::ok).unwrap_or(self.interval);
        let group =
            claim.as_ref().filter(|_| !spec.suspend).map(|(name, _)| Group { client: self.client(name), interval });
        Entry { claim, secret, group }
    }

    /// The id of a client, shared where it is known already.
    fn client(&self, name: &CredentialName) -> Arc<str> {
        self.clients.get_key_value(name.client()).map_or_else(|| name.client().into(), |(client, _)| Arc::clone(client))
    }

    /// Puts an entry in the place of what the resource named before; names the other resources whose claim that changed.
    fn replace(&mut self, key: &Key, entry: Option<Entry>) -> Vec<Key> {
        if self.entries.get(key) == entry.as_ref() {
            // A status, or a label: what the index is about stays as it is.
            return Vec::new();
        }
        let old = self.entries.remove(key);
        let mut credentials: Vec<CredentialName> =
            [&old, &entry].into_iter().flatten().filter_map(|it| Some(it.claim.as_ref()?.0.clone())).collect();
        credentials.dedup();
        let before: Vec<_> = credentials.iter().map(|it| self.owner(it.client(), it.credential()).cloned()).collect();
        if let Some(old) = old {
            self.remove(old, key);
        }
        if let Some(entry) = entry {
            self.add(entry, key);
        }
        let after = credentials.iter().map(|it| self.owner(it.client(), it.credential()).cloned());
        let changed = before.into_iter().zip(after).filter(|(before, after)| before != after);
        changed.flat_map(|(before, after)| before.into_iter().chain(after)).filter(|it| it != key).collect()
    }

    fn owner(&self, client: &str, credential: &str) -> Option<&Key> {
        Some(&self.clients.get(client)?.get(credential)?.first()?.key)
    }

    fn add(&mut self, entry: Entry, key: &Key) {
        if let Some((name, claim)) = &entry.claim {
            let client = self.client(name);
            let claims = self.clients.entry(client).or_default().entry(name.credential().into());
            // Nearly always there is one: no room for more is kept.
            let claims = claims.or_insert_with(|| Vec::with_capacity(1));
            claims.insert(claims.partition_point(|it| it < claim), claim.clone());
        }
        if let Some(secret) = &entry.secret {
            self.secrets.add_user(secret, key);
        }
        if let Some(group) = &entry.group {
            let members = self.groups.entry(group.clone()).or_insert_with(|| {
                self.new_groups.push(group.clone());
                0
            });
            *members += 1;
        }
        self.entries.insert(key.clone(), entry);
    }

    fn remove(&mut self, entry: Entry, key: &Key) {
        if let Some(secret) = entry.secret {
            self.secrets.remove_user(&secret, key);
        }
        if let Some(members) = entry.group.and_then(|group| self.groups.get_mut(&group)) {
            // Whoever keeps the rounds finds an empty group and lets it go.
            *members -= 1;
        }
        let Some((name, claim)) = entry.claim else { return };
        let Some(credentials) = self.clients.get_mut(name.client()) else { return };
        if let Some(claims) = credentials.get_mut(name.credential()) {
            claims.retain(|it| *it != claim);
            if claims.is_empty() {
                credentials.swap_remove(name.credential());
            }
        }
        if credentials.is_empty() {
            self.clients.remove(name.client());
        }
    }
}

#[cfg(test)]
mod tests;
