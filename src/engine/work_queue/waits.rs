//! The keys that wait, by their time and by the group that they wait for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::time::Instant;

use super::fair_queue::Ticket;
use crate::engine::key::Key;

#[derive(Debug)]
pub(super) struct Wait {
    pub(super) until: Instant,
    pub(super) ticket: Ticket,
    pub(super) group: Option<Arc<str>>,
}

#[derive(Debug, Default)]
pub(super) struct Waits {
    timers: BTreeMap<(Instant, Ticket), Key>,
    /// Those of a group, in the order in which they came.
    blocked: HashMap<Arc<str>, BTreeMap<Ticket, Key>>,
}

impl Waits {
    pub(super) fn insert(&mut self, wait: &Wait, key: &Key) {
        self.timers.insert((wait.until, wait.ticket), key.clone());
        if let Some(group) = &wait.group {
            self.blocked.entry(Arc::clone(group)).or_default().insert(wait.ticket, key.clone());
        }
    }

    pub(super) fn remove(&mut self, wait: &Wait) {
        self.timers.remove(&(wait.until, wait.ticket));
        let Some(group) = &wait.group else { return };
        let Some(keys) = self.blocked.get_mut(group) else { return };
        keys.remove(&wait.ticket);
        if keys.is_empty() {
            self.blocked.remove(group);
        }
    }

    pub(super) fn blocked_on(&self, group: &str) -> Vec<Key> {
        self.blocked.get(group).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    /// The first key whose wait is over.
    pub(super) fn first_over(&self, now: Instant) -> Option<Key> {
        self.timers.first_key_value().filter(|((until, _), _)| *until <= now).map(|(_, key)| key.clone())
    }

    /// When the first wait is over.
    pub(super) fn first_end(&self) -> Option<Instant> {
        self.timers.first_key_value().map(|((until, _), _)| *until)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.timers.is_empty() && self.blocked.is_empty()
    }
}
