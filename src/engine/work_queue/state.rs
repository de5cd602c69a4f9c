//! The work queue without its lock: each key's entry, the lanes, and the waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use tokio::time::Instant;

use super::entry::{Entry, Phase};
use super::fair_queue::Ticket;
use super::lane::Lanes;
use super::waits::{Wait, Waits};
use super::{Attempt, Next, Priority, Revision, Settings, Trigger};
use crate::engine::key::Key;

#[derive(Debug)]
pub(super) struct State {
    settings: Settings,
    random: fastrand::Rng,
    entries: IndexMap<Key, Entry>,
    lanes: Lanes,
    /// The slots that are taken. Invariant: one a key, also when its object is gone or another has its name by now
    /// (`recreated_key_waits_for_old_attempt`).
    slots: HashMap<Key, Slot>,
    waits: Waits,
    tickets: Ticket,
    pub(super) is_paused: bool,
    pub(super) is_stopped: bool,
}

#[derive(Debug)]
struct Slot {
    lane: Arc<str>,
    priority: Priority,
    /// None between the stream, which hands a key out, and the beginning of its attempt.
    attempt: Option<u64>,
}

/// What the stream does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    HandOut(Key),
    WaitUntil(Option<Instant>),
    End,
}

impl State {
    pub(super) fn new(settings: Settings, seed: Option<u64>) -> Self {
        Self {
            settings,
            random: seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
            entries: IndexMap::new(),
            lanes: Lanes::default(),
            slots: HashMap::new(),
            waits: Waits::default(),
            tickets: 0,
            is_paused: false,
            is_stopped: false,
        }
    }

    pub(super) fn apply(&mut self, key: &Key, lane: &Arc<str>, revision: Revision) {
        let is_news = match self.entries.get_mut(key) {
            Some(entry) if entry.revision.is_same_object(&revision) => {
                let before = std::mem::replace(&mut entry.revision, revision);
                let is_news = entry.revision.is_news_after(&before);
                self.move_to_lane(key, lane);
                is_news
            }
            // Another object with the same name: nothing that was known is known of this one.
            _ => {
                self.remove(key);
                self.insert(key, lane, revision, false);
                true
            }
        };
        if is_news {
            self.trigger(key, Trigger::Changed);
        }
    }

    pub(super) fn adopt(&mut self, key: &Key, lane: &Arc<str>, revision: Revision) {
        if self.entries.contains_key(key) {
            self.apply(key, lane, revision);
        } else {
            self.insert(key, lane, revision, true);
        }
    }

    pub(super) fn remove(&mut self, key: &Key) {
        self.withdraw(key);
        let Some(entry) = self.entries.swap_remove(key) else { return };
        self.lanes.leave(&entry.lane);
        if self.slots.get(key).is_some_and(|slot| slot.attempt.is_none()) {
            self.free_slot(key);
        }
    }

    pub(super) fn clear(&mut self) {
        let keys: Vec<Key> = self.entries.keys().cloned().collect();
        for key in &keys {
            self.remove(key);
        }
    }

    pub(super) fn trigger(&mut self, key: &Key, trigger: Trigger) {
        if self.entries.get_mut(key).is_some_and(|entry| entry.trigger(trigger)) {
            self.make_due(key);
        }
    }

    pub(super) fn trigger_unfinished(&mut self, lane: &str) {
        let unfinished = self.entries.iter_mut().filter(|(_, entry)| *entry.lane == *lane && !entry.is_converged);
        let mut due = Vec::new();
        for (key, entry) in unfinished {
            // Whoever is in flight goes on: it may succeed, and is seen to again in any case.
            entry.trigger = entry.trigger.max(Some(Trigger::Resync));
            if matches!(entry.phase, Phase::Idle | Phase::Waiting(_)) {
                due.push(key.clone());
            }
        }
        for key in &due {
            self.make_due(key);
        }
    }

    pub(super) fn release(&mut self, group: &str) {
        for key in self.waits.blocked_on(group) {
            self.make_due(&key);
        }
    }

    /// The next key that may run at this time.
    pub(super) fn next_step(&mut self, now: Instant) -> Step {
        if self.is_stopped {
            return Step::End;
        }
        if self.is_paused {
            return Step::WaitUntil(None);
        }
        while let Some(key) = self.waits.first_over(now) {
            self.make_due(&key);
        }
        if let Some((lane, key, priority)) = self.lanes.pop(self.settings) {
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.phase = Phase::Running;
            }
            self.slots.insert(key.clone(), Slot { lane, priority, attempt: None });
            return Step::HandOut(key);
        }
        Step::WaitUntil(self.waits.first_end())
    }

    pub(super) fn begin(&mut self, key: &Key) -> Option<Attempt> {
        if self.is_stopped {
            return None;
        }
        let id = self.ticket();
        let slot = self.slots.get_mut(key).filter(|slot| slot.attempt.is_none())?;
        let entry = self.entries.get_mut(key)?;
        entry.raise_priority();
        let trigger = entry.trigger.take();
        slot.attempt = Some(id);
        self.lanes.change_slot(&slot.lane, slot.priority, entry.priority);
        slot.priority = entry.priority;
        Some(Attempt {
            key: key.clone(),
            id,
            revision: entry.revision.clone(),
            priority: entry.priority,
            trigger,
            failures_before: entry.failures,
        })
    }

    pub(super) fn is_current(&self, attempt: &Attempt) -> bool {
        let has_slot = self.slots.get(&attempt.key).is_some_and(|slot| slot.attempt == Some(attempt.id));
        has_slot
            && self.entries.get(&attempt.key).is_some_and(|entry| {
                entry.revision.is_same_object(&attempt.revision) && !entry.has_interactive_trigger()
            })
    }

    pub(super) fn finish(&mut self, attempt: &Attempt, next: Next) {
        let key = &attempt.key;
        if self.slots.get(key).is_none_or(|slot| slot.attempt != Some(attempt.id)) {
            return;
        }
        self.free_slot(key);
        let Some(entry) = self.entries.get_mut(key) else { return };
        // How an attempt over an object ended that is gone says nothing about another one with its name.
        let wait = if entry.revision.is_same_object(&attempt.revision) {
            entry.end(next, &mut self.random)
        } else {
            entry.phase = Phase::Idle;
            None
        };
        match (entry.trigger, wait) {
            (None, None) => {}
            // The attempt that comes anyway serves the resync.
            (None | Some(Trigger::Resync), Some((wait, group))) => self.wait(key, wait, group),
            (Some(_), _) => self.make_due(key),
        }
    }

    pub(super) fn is_idle(&self, key: &Key) -> bool {
        self.entries.get(key).is_some_and(|entry| matches!(entry.phase, Phase::Idle))
    }

    pub(super) fn is_converged(&self, key: &Key) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.is_converged)
    }

    pub(super) fn set_converged(&mut self, key: &Key, is_converged: bool) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.is_converged = is_converged;
        }
    }

    fn insert(&mut self, key: &Key, lane: &Arc<str>, revision: Revision, is_converged: bool) {
        let phase = if self.slots.contains_key(key) { Phase::Running } else { Phase::Idle };
        let lane = self.lanes.join(lane);
        let priority = Priority::Background;
        let entry = Entry { lane, revision, phase, trigger: None, priority, failures: 0, is_converged };
        self.entries.insert(key.clone(), entry);
    }

    fn move_to_lane(&mut self, key: &Key, lane: &Arc<str>) {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.lane != *lane) else { return };
        let before = std::mem::replace(&mut entry.lane, self.lanes.join(lane));
        if let Phase::Due(ticket) = entry.phase {
            self.lanes.withdraw(&before, entry.priority, ticket, key);
            self.lanes.push(&entry.lane, entry.priority, ticket, key);
        }
        self.lanes.leave(&before);
    }

    /// Makes a key due that is not running, at the priority of its triggers and of what it did not finish before.
    fn make_due(&mut self, key: &Key) {
        self.withdraw(key);
        let ticket = self.ticket();
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.raise_priority();
        entry.phase = Phase::Due(ticket);
        self.lanes.push(&entry.lane, entry.priority, ticket, key);
    }

    fn wait(&mut self, key: &Key, wait: Duration, group: Option<Arc<str>>) {
        let ticket = self.ticket();
        let Some(entry) = self.entries.get_mut(key) else { return };
        let wait = Wait { until: Instant::now() + wait, ticket, group };
        self.waits.insert(&wait, key);
        entry.phase = Phase::Waiting(Box::new(wait));
    }

    /// Takes a key out of where it is due or waits.
    fn withdraw(&mut self, key: &Key) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        match &entry.phase {
            Phase::Idle | Phase::Running => return,
            Phase::Due(ticket) => self.lanes.withdraw(&entry.lane, entry.priority, *ticket, key),
            Phase::Waiting(wait) => self.waits.remove(wait),
        }
        entry.phase = Phase::Idle;
    }

    fn free_slot(&mut self, key: &Key) {
        if let Some(slot) = self.slots.remove(key) {
            self.lanes.free_slot(&slot.lane, slot.priority);
        }
    }

    /// Whether all keys are idle and nothing is kept of others.
    #[cfg(test)]
    pub(super) fn is_at_rest(&self) -> bool {
        let are_idle = self.entries.values().all(|entry| matches!(entry.phase, Phase::Idle));
        are_idle && self.slots.is_empty() && self.waits.is_empty() && self.lanes.keys() == self.entries.len()
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }
}
