//! The groups that the resync checks together: the resources of one account and client with the same interval.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indexmap::{IndexMap, IndexSet};
use tokio::sync::Notify;

use crate::engine::{Key, lock};

/// The name of an account and the id of a client: whose credentials one listing shows.
pub(super) type AccountClient = (Arc<str>, Arc<str>);

/// One listing serves a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Group {
    /// The name of the account.
    pub(super) account: Arc<str>,
    /// The id of the client.
    pub(super) client: Arc<str>,
    /// How often its members are checked.
    pub(super) interval: Duration,
}

/// Which resource is in which group.
#[derive(Debug, Default)]
pub(super) struct Groups {
    inner: Mutex<Inner>,
    new: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    of: HashMap<Key, Group>,
    members: IndexMap<Group, IndexSet<Key>>,
    /// The groups that somebody keeps checking.
    kept: HashSet<Group>,
}

impl Groups {
    /// Puts a resource into a group; none: it is not checked, because it is suspended or names no credential.
    pub(super) fn set(&self, key: &Key, group: Option<Group>) {
        let mut inner = lock(&self.inner);
        if inner.of.get(key) == group.as_ref() {
            return;
        }
        inner.remove(key);
        if let Some(group) = group {
            inner.members.entry(group.clone()).or_default().insert(key.clone());
            inner.of.insert(key.clone(), group);
            self.new.notify_one();
        }
    }

    /// Takes a resource out.
    pub(super) fn remove(&self, key: &Key) {
        lock(&self.inner).remove(key);
    }

    /// The members of a group, in the order in which they came.
    pub(super) fn members(&self, group: &Group) -> Vec<Key> {
        lock(&self.inner).members.get(group).into_iter().flatten().cloned().collect()
    }

    /// The groups that nobody checks yet: whoever asks checks them from now on.
    pub(super) fn take_new(&self) -> Vec<Group> {
        let mut inner = lock(&self.inner);
        let new: Vec<_> = inner.members.keys().filter(|it| !inner.kept.contains(*it)).cloned().collect();
        inner.kept.extend(new.iter().cloned());
        new
    }

    /// Waits for groups that nobody checks yet.
    pub(super) async fn new_groups(&self) -> Vec<Group> {
        loop {
            let groups = self.take_new();
            if !groups.is_empty() {
                return groups;
            }
            self.new.notified().await;
        }
    }

    /// Whether a group has members left. One that has none is checked no more, until it has one again.
    pub(super) fn goes_on(&self, group: &Group) -> bool {
        let mut inner = lock(&self.inner);
        let goes_on = inner.members.contains_key(group);
        if !goes_on {
            inner.kept.remove(group);
        }
        goes_on
    }
}

impl Inner {
    fn remove(&mut self, key: &Key) {
        let Some(group) = self.of.remove(key) else { return };
        let Some(members) = self.members.get_mut(&group) else { return };
        members.swap_remove(key);
        if members.is_empty() {
            self.members.swap_remove(&group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(client: &str) -> Group {
        Group { account: "default".into(), client: client.into(), interval: Duration::from_mins(10) }
    }

    /// A group begins with its first member and ends with its last.
    #[test]
    fn group_lives_as_long_as_its_members() {
        let groups = Groups::default();
        let key = Key::new("shop", "web");
        groups.set(&key, Some(group("a")));
        assert_eq!(groups.take_new(), [group("a")]);
        assert!(groups.take_new().is_empty(), "somebody checks it already");
        groups.set(&key, Some(group("b")));
        assert_eq!(groups.take_new(), [group("b")]);
        assert!(!groups.goes_on(&group("a")));
        assert_eq!(groups.members(&group("b")), std::slice::from_ref(&key));
        groups.remove(&key);
        assert!(!groups.goes_on(&group("b")));
        groups.set(&key, Some(group("a")));
        assert_eq!(groups.take_new(), [group("a")], "it is new again");
    }
}
