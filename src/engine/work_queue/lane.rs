//! The lanes: what is due in each, and how many of its slots are taken.

use std::sync::Arc;

use indexmap::IndexMap;

use super::fair_queue::{FairQueue, Ticket};
use super::{Priority, Settings};
use crate::engine::key::Key;

/// The lanes by name. Each goes with its last key and slot.
#[derive(Debug, Default)]
pub(super) struct Lanes(IndexMap<Arc<str>, Lane>);

#[derive(Debug, Default)]
struct Lane {
    /// How many keys there are in the lane, whether due or not.
    keys: usize,
    interactive: FairQueue,
    background: FairQueue,
    slots: usize,
    background_slots: usize,
}

impl Lanes {
    /// Adds a key to a lane, which comes into being with its first. Returns the name as all share it.
    pub(super) fn join(&mut self, name: &Arc<str>) -> Arc<str> {
        let lane = self.0.entry(Arc::clone(name));
        let name = Arc::clone(lane.key());
        lane.or_default().keys += 1;
        name
    }

    /// Takes a key out of a lane.
    pub(super) fn leave(&mut self, name: &Arc<str>) {
        self.change(name, |lane| lane.keys -= 1);
    }

    pub(super) fn push(&mut self, name: &Arc<str>, priority: Priority, ticket: Ticket, key: &Key) {
        self.change(name, |lane| lane.due(priority).push(ticket, key.clone()));
    }

    pub(super) fn withdraw(&mut self, name: &Arc<str>, priority: Priority, ticket: Ticket, key: &Key) {
        self.change(name, |lane| lane.due(priority).remove(ticket, key));
    }

    /// Takes a slot for the next key that may run, if there is one. Returns its lane too.
    pub(super) fn pop(&mut self, settings: Settings) -> Option<(Arc<str>, Key, Priority)> {
        self.0.iter_mut().find_map(|(name, lane)| {
            let (key, priority) = lane.pop(settings)?;
            Some((Arc::clone(name), key, priority))
        })
    }

    /// A taken slot has another priority by now.
    pub(super) fn change_slot(&mut self, name: &Arc<str>, before: Priority, after: Priority) {
        self.change(name, |lane| {
            lane.free_slot(before);
            lane.take_slot(after);
        });
    }

    pub(super) fn free_slot(&mut self, name: &Arc<str>, priority: Priority) {
        self.change(name, |lane| lane.free_slot(priority));
    }

    /// How many keys there are in all lanes, where each lane has one.
    #[cfg(test)]
    pub(super) fn keys(&self) -> usize {
        assert!(self.0.values().all(|lane| lane.keys > 0 && lane.slots == 0 && lane.background_slots == 0));
        self.0.values().map(|lane| lane.keys).sum()
    }

    fn change(&mut self, name: &Arc<str>, change: impl FnOnce(&mut Lane)) {
        let Some(lane) = self.0.get_mut(name) else { return };
        change(lane);
        if lane.keys == 0 && lane.slots == 0 {
            self.0.shift_remove(name);
        }
    }
}

impl Lane {
    fn due(&mut self, priority: Priority) -> &mut FairQueue {
        match priority {
            Priority::Interactive => &mut self.interactive,
            Priority::Background => &mut self.background,
        }
    }

    fn pop(&mut self, settings: Settings) -> Option<(Key, Priority)> {
        if self.slots >= settings.slots {
            return None;
        }
        let (key, priority) = match self.interactive.pop() {
            Some(key) => (key, Priority::Interactive),
            None if self.background_slots < settings.background_slots => (self.background.pop()?, Priority::Background),
            None => return None,
        };
        self.take_slot(priority);
        Some((key, priority))
    }

    fn take_slot(&mut self, priority: Priority) {
        self.slots += 1;
        self.background_slots += usize::from(priority == Priority::Background);
    }

    fn free_slot(&mut self, priority: Priority) {
        self.slots -= 1;
        self.background_slots -= usize::from(priority == Priority::Background);
    }
}
