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
    /// The namespaces in the order of their turns, each once. One whose keys were all removed is dropped when its turn comes.
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
            let Some(keys) = self.namespaces.get_mut(&namespace) else { continue };
            let first = keys.pop_first();
            if keys.is_empty() {
                self.namespaces.remove(&namespace);
            } else {
                self.turns.push_back(namespace);
            }
            if let Some((_, key)) = first {
                return Some(key);
            }
        }
        None
    }
}
