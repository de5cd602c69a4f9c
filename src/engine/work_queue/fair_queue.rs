//! The keys of one priority in one lane that are due: namespaces in turn, within a namespace first come first served.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::engine::key::Key;

/// The place of a key: a lower number came earlier.
pub(super) type Ticket = u64;

#[derive(Debug, Default)]
pub(super) struct FairQueue {
    /// The due keys of each namespace that has a turn.
    namespaces: HashMap<Arc<str>, BTreeMap<Ticket, Key>>,
    /// The namespaces in the order of their turns, each once. One that has no key left is dropped when its turn comes.
    turns: VecDeque<Arc<str>>,
}

impl FairQueue {
    pub(super) fn push(&mut self, ticket: Ticket, key: Key) {
        let keys = self.namespaces.entry(Arc::clone(&key.namespace)).or_insert_with(|| {
            self.turns.push_back(Arc::clone(&key.namespace));
            BTreeMap::new()
        });
        keys.insert(ticket, key);
    }

    pub(super) fn remove(&mut self, ticket: Ticket, key: &Key) {
        if let Some(keys) = self.namespaces.get_mut(&key.namespace) {
            keys.remove(&ticket);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Key> {
        while let Some(namespace) = self.turns.pop_front() {
            let key = self.namespaces.get_mut(&namespace).and_then(BTreeMap::pop_first);
            if key.is_none() {
                self.namespaces.remove(&namespace);
                continue;
            }
            // Even if that was its last key: so it keeps to its turn, whenever its next key comes.
            self.turns.push_back(namespace);
            return key.map(|(_, key)| key);
        }
        None
    }
}
