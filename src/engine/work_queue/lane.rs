//! One lane: what is due in it, and how many of its slots are taken.

use super::fair_queue::FairQueue;
use super::{Priority, Settings};
use crate::engine::key::Key;

#[derive(Debug, Default)]
pub(super) struct Lane {
    /// How many keys there are in the lane, whether due or not.
    pub(super) keys: usize,
    interactive: FairQueue,
    background: FairQueue,
    slots: usize,
    background_slots: usize,
}

impl Lane {
    pub(super) fn due(&mut self, priority: Priority) -> &mut FairQueue {
        match priority {
            Priority::Interactive => &mut self.interactive,
            Priority::Background => &mut self.background,
        }
    }

    /// Takes a slot for the next key that may run, if there is one.
    pub(super) fn pop(&mut self, settings: Settings) -> Option<(Key, Priority)> {
        if self.slots >= settings.slots {
            return None;
        }
        if let Some(key) = self.interactive.pop() {
            self.slots += 1;
            return Some((key, Priority::Interactive));
        }
        if self.background_slots >= settings.background_slots {
            return None;
        }
        let key = self.background.pop()?;
        self.slots += 1;
        self.background_slots += 1;
        Some((key, Priority::Background))
    }

    /// A taken slot has another priority by now.
    pub(super) fn change_slot(&mut self, before: Priority, after: Priority) {
        self.free_slot(before);
        self.slots += 1;
        if after == Priority::Background {
            self.background_slots += 1;
        }
    }

    pub(super) fn free_slot(&mut self, priority: Priority) {
        self.slots -= 1;
        if priority == Priority::Background {
            self.background_slots -= 1;
        }
    }

    /// Whether nobody would miss it.
    pub(super) fn is_unused(&self) -> bool {
        self.keys == 0 && self.slots == 0
    }
}
