//! Which resource names which credential and which Secret: kept from the watch, so that nothing has to be searched.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Mutex;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::lock;
use crate::api::ConfidenceClientCredential;
use crate::confidence::name::CredentialName;

type Key = ObjectRef<ConfidenceClientCredential>;

/// The name of a Secret with its namespace.
type SecretName = (String, String);

/// The index over all watched resources.
#[derive(Debug, Default)]
pub(super) struct Index {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// What each resource names, to undo it when the resource changes or goes.
    entries: HashMap<Key, Entry>,
    /// The claims on each credential, the oldest first: that one owns it.
    claims: HashMap<CredentialName, BTreeSet<Claim>>,
    /// The resources that take their secret from a Secret.
    users: HashMap<SecretName, HashSet<Key>>,
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

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    claim: Option<(CredentialName, Claim)>,
    secret: Option<SecretName>,
}

/// A claim to a credential. Ordered by age, then by namespace and name: the first of a set is the owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    created: Timestamp,
    namespace: String,
    name: String,
}

impl Claim {
    fn key(&self) -> Key {
        Key::new(&self.name).within(&self.namespace)
    }
}

impl Index {
    /// Takes up a resource as it is now; names the others whose claim to a credential changed by it.
    pub(super) fn apply(&self, object: &ConfidenceClientCredential) -> Vec<Key> {
        let key = Key::from_obj(object);
        let entry = Entry::of(object);
        lock(&self.inner).replace(&key, Some(entry))
    }

    /// Forgets a resource that is gone; names the one that owns its credential now.
    pub(super) fn delete(&self, key: &Key) -> Vec<Key> {
        lock(&self.inner).replace(key, None)
    }

    /// The owner of a credential, if it is another resource.
    pub(super) fn other_owner(&self, credential: &CredentialName, key: &Key) -> Option<Key> {
        lock(&self.inner).owner(credential).filter(|owner| owner != key)
    }

    /// Remembers the version of a Secret that a pass has read, none where there is no such Secret: the watch's news of it is
    /// none. Tells whether the watch has named another version before anybody read one, which may be a newer one.
    pub(super) fn secret_read(&self, namespace: &str, name: &str, version: Option<&str>) -> bool {
        let secret = (namespace.to_owned(), name.to_owned());
        let mut inner = lock(&self.inner);
        if !inner.users.contains_key(&secret) {
            return false;
        }
        let read = Version { version: version.map(str::to_owned), read: true };
        let before = inner.versions.insert(secret, read.clone());
        before.is_some_and(|before| !before.read && before.version != read.version)
    }

    /// The resources that news of a Secret concerns: those that use it, if the version (none: it is gone) is another than
    /// the one that was read. Before anybody has read one there is no news: the first pass is still to come, or under way.
    pub(super) fn secret_changed(&self, namespace: &str, name: &str, version: Option<&str>) -> Vec<Key> {
        let secret = (namespace.to_owned(), name.to_owned());
        let mut inner = lock(&self.inner);
        let Some(users) = inner.users.get(&secret).map(|users| users.iter().cloned().collect()) else {
            return Vec::new();
        };
        let version = version.map(str::to_owned);
        match inner.versions.get_mut(&secret) {
            None => {
                inner.versions.insert(secret, Version { version, read: false });
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

impl Entry {
    fn of(object: &ConfidenceClientCredential) -> Self {
        let namespace = object.namespace().unwrap_or_default();
        let claim = object.spec.name.parse().ok().map(|credential: CredentialName| {
            let created = object.creation_timestamp().map_or(Timestamp::MAX, |it| it.0);
            (credential, Claim { created, namespace: namespace.clone(), name: object.name_any() })
        });
        let secret = object.spec.client_secret.as_ref().map(|it| (namespace, it.secret_key_ref.name.clone()));
        Self { claim, secret }
    }
}

impl Inner {
    /// Puts an entry in the place of what the resource named before; names the other resources whose claim that changed.
    fn replace(&mut self, key: &Key, entry: Option<Entry>) -> Vec<Key> {
        let old = self.entries.remove(key);
        if old == entry {
            // A status, or a label: what the index is about stays as it is.
            self.entries.extend(entry.map(|entry| (key.clone(), entry)));
            return Vec::new();
        }
        let credentials: HashSet<CredentialName> =
            [&old, &entry].into_iter().flatten().filter_map(|it| Some(it.claim.as_ref()?.0.clone())).collect();
        let before: Vec<_> = credentials.iter().map(|credential| self.owner(credential)).collect();
        if let Some(old) = old {
            self.remove(old, key);
        }
        if let Some(entry) = entry {
            self.add(entry, key);
        }
        let after = credentials.iter().map(|credential| self.owner(credential));
        let changed = before.into_iter().zip(after).filter(|(before, after)| before != after);
        changed.flat_map(|(before, after)| before.into_iter().chain(after)).filter(|it| it != key).collect()
    }

    fn owner(&self, credential: &CredentialName) -> Option<Key> {
        Some(self.claims.get(credential)?.first()?.key())
    }

    fn add(&mut self, entry: Entry, key: &Key) {
        if let Some((credential, claim)) = &entry.claim {
            self.claims.entry(credential.clone()).or_default().insert(claim.clone());
        }
        if let Some(secret) = &entry.secret {
            self.users.entry(secret.clone()).or_default().insert(key.clone());
        }
        self.entries.insert(key.clone(), entry);
    }

    fn remove(&mut self, entry: Entry, key: &Key) {
        if let Some(secret) = entry.secret {
            self.remove_user(&secret, key);
        }
        let Some((credential, claim)) = entry.claim else { return };
        let Some(claims) = self.claims.get_mut(&credential) else { return };
        claims.remove(&claim);
        if claims.is_empty() {
            self.claims.remove(&credential);
        }
    }

    fn remove_user(&mut self, secret: &SecretName, key: &Key) {
        let Some(users) = self.users.get_mut(secret) else { return };
        users.remove(key);
        if users.is_empty() {
            self.users.remove(secret);
            self.versions.remove(secret);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::api::ConfidenceClientCredentialSpec;
    use crate::api::spec::{ClientSecret, SecretKeyRef};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    const CREDENTIAL: &str = "clients/c/credentials/k";

    fn object(name: &str, created: i64, credential: &str) -> ConfidenceClientCredential {
        let spec =
            ConfidenceClientCredentialSpec { name: credential.to_owned(), ..ConfidenceClientCredentialSpec::default() };
        let mut object = ConfidenceClientCredential::new(name, spec);
        object.metadata.namespace = Some("ns".to_owned());
        object.metadata.creation_timestamp = Some(Time(Timestamp::from_second(created).unwrap()));
        object
    }

    fn key(name: &str) -> Key {
        Key::new(name).within("ns")
    }

    fn owner(index: &Index, asking: &str) -> Option<Key> {
        index.other_owner(&CREDENTIAL.parse().unwrap(), &key(asking))
    }

    #[test]
    fn the_older_resource_owns_the_credential_in_whichever_order_they_appear() {
        for order in [["old", "young"], ["young", "old"]] {
            let index = Index::default();
            for name in order {
                index.apply(&object(name, if name == "old" { 1 } else { 2 }, "clients/c/clientCredentials/k"));
            }
            assert_eq!(owner(&index, "old"), None);
            assert_eq!(owner(&index, "young"), Some(key("old")));
        }
    }

    #[test]
    fn of_the_same_age_the_first_by_name_owns_it() {
        let index = Index::default();
        index.apply(&object("b", 1, CREDENTIAL));
        index.apply(&object("a", 1, CREDENTIAL));
        assert_eq!(owner(&index, "b"), Some(key("a")));
    }

    #[test]
    fn the_next_is_named_when_the_owner_goes_and_nobody_when_another_goes() {
        let index = Index::default();
        for (name, created) in [("a", 1), ("b", 2), ("c", 3)] {
            index.apply(&object(name, created, CREDENTIAL));
        }
        assert!(index.delete(&key("c")).is_empty());
        assert_eq!(index.delete(&key("a")), [key("b")]);
        assert_eq!(owner(&index, "b"), None);
    }

    #[test]
    fn an_owner_that_an_older_one_displaces_is_told() {
        let index = Index::default();
        assert!(index.apply(&object("young", 2, CREDENTIAL)).is_empty());
        assert_eq!(index.apply(&object("old", 1, CREDENTIAL)), [key("young")]);
    }

    #[test]
    fn a_change_that_leaves_the_claims_as_they_are_names_nobody() {
        let index = Index::default();
        index.apply(&object("a", 1, CREDENTIAL));
        index.apply(&object("b", 2, CREDENTIAL));
        assert!(index.apply(&object("a", 1, CREDENTIAL)).is_empty());
        assert!(index.apply(&object("b", 2, CREDENTIAL)).is_empty());
    }

    fn user_of_s() -> ConfidenceClientCredential {
        let mut user = object("a", 1, CREDENTIAL);
        user.spec.client_secret =
            Some(ClientSecret { secret_key_ref: SecretKeyRef { name: "s".to_owned(), key: "k".to_owned() } });
        user
    }

    fn index_with_user() -> Index {
        let index = Index::default();
        index.apply(&user_of_s());
        index
    }

    #[test]
    fn a_version_that_was_read_is_no_news_and_another_is_once() {
        let index = index_with_user();
        assert!(!index.secret_read("ns", "s", Some("1")));
        assert!(index.secret_changed("ns", "s", Some("1")).is_empty());
        assert_eq!(index.secret_changed("ns", "s", Some("2")), [key("a")]);
        assert!(index.secret_changed("ns", "s", Some("2")).is_empty());
        assert_eq!(index.secret_changed("ns", "s", None), [key("a")]);
        assert!(index.secret_changed("ns", "other", Some("1")).is_empty());
        assert!(index.secret_changed("other", "s", Some("1")).is_empty());
        index.delete(&key("a"));
        assert!(index.secret_changed("ns", "s", Some("3")).is_empty());
    }

    #[test]
    fn before_the_first_pass_has_read_a_secret_the_watch_has_no_news_of_it() {
        let index = index_with_user();
        assert!(index.secret_changed("ns", "s", Some("1")).is_empty());
        assert!(!index.secret_read("ns", "s", Some("1")));
        assert_eq!(index.secret_changed("ns", "s", Some("2")), [key("a")]);
    }

    #[test]
    fn a_version_that_the_watch_named_while_another_was_read_is_looked_for_again() {
        let index = index_with_user();
        assert!(index.secret_changed("ns", "s", Some("2")).is_empty());
        assert!(index.secret_read("ns", "s", Some("1")), "2 may be newer than what was read");
        assert!(!index.secret_read("ns", "s", Some("2")));
    }

    #[test]
    fn a_secret_that_comes_after_it_was_missed_is_news() {
        let index = index_with_user();
        assert!(!index.secret_read("ns", "s", None));
        assert_eq!(index.secret_changed("ns", "s", Some("1")), [key("a")]);
    }

    #[test]
    fn a_status_of_the_user_changes_nothing_of_what_is_known() {
        let index = index_with_user();
        index.secret_read("ns", "s", Some("1"));
        index.apply(&user_of_s());
        assert_eq!(index.secret_changed("ns", "s", Some("2")), [key("a")]);
    }
}
