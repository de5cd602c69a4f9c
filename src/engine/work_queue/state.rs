//! The work queue without its lock: each key's entry, the lanes, and the waits.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use tokio::time::Instant;

use super::fair_queue::Ticket;
use super::lane::Lane;
use super::{Attempt, Next, Priority, Revision, Settings, Trigger, backoff};
use crate::engine::key::Key;

/// Within how long those come back that wait for a group, after the latest time that was given for it. Not all at the same
/// moment: the first of them finds out whether the group may go on.
const BLOCKED_SPREAD: Duration = Duration::from_secs(1);

/// The longest wait: what is beyond it may not be representable as a time.
const MAX_WAIT: Duration = Duration::from_hours(365 * 24);

#[derive(Debug)]
pub(super) struct State {
    settings: Settings,
    random: fastrand::Rng,
    entries: IndexMap<Key, Entry>,
    lanes: IndexMap<Arc<str>, Lane>,
    /// The slots that are taken. Invariant: one a key, also when its object is gone or another has its name by now
    /// (`recreated_key_waits_for_old_attempt`).
    slots: HashMap<Key, Slot>,
    /// The keys that wait, by their time.
    timers: BTreeMap<(Instant, Ticket), Key>,
    /// Of these, the keys that wait for a group.
    blocked: HashMap<Arc<str>, BTreeMap<Ticket, Key>>,
    tickets: Ticket,
    pub(super) is_paused: bool,
    pub(super) is_stopped: bool,
}

/// What is known of one key.
#[derive(Debug)]
struct Entry {
    lane: Arc<str>,
    revision: Revision,
    phase: Phase,
    /// The strongest trigger since the last attempt began.
    trigger: Option<Trigger>,
    priority: Priority,
    failures: u32,
    is_converged: bool,
}

/// Where a key is.
#[derive(Debug, Default)]
enum Phase {
    #[default]
    Idle,
    Due(Ticket),
    // Boxed: few wait, and each key has an entry.
    Waiting(Box<Wait>),
    /// It has a slot.
    Running,
}

#[derive(Debug)]
struct Wait {
    until: Instant,
    ticket: Ticket,
    group: Option<Arc<str>>,
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
            lanes: IndexMap::new(),
            slots: HashMap::new(),
            timers: BTreeMap::new(),
            blocked: HashMap::new(),
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
        if let Some(lane) = self.lanes.get_mut(&entry.lane) {
            lane.keys -= 1;
        }
        self.forget_unused_lane(&entry.lane);
        if self.slots.get(key).is_some_and(|slot| slot.attempt.is_none()) {
            self.free_slot(key);
        }
    }

    pub(super) fn clear(&mut self) {
        let keys: Vec<Key> = self.entries.keys().cloned().collect();
        keys.iter().for_each(|key| self.remove(key));
    }

    pub(super) fn trigger(&mut self, key: &Key, trigger: Trigger) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if trigger == Trigger::Changed {
            entry.failures = 0;
        }
        let is_due = match entry.phase {
            // Its next attempt will do.
            Phase::Waiting(_) if trigger == Trigger::Resync => return,
            Phase::Running => false,
            Phase::Due(_) => trigger.priority() > entry.priority,
            Phase::Idle | Phase::Waiting(_) => true,
        };
        entry.trigger = entry.trigger.max(Some(trigger));
        if is_due {
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
        due.iter().for_each(|key| self.make_due(key));
    }

    pub(super) fn release(&mut self, group: &str) {
        for key in self.blocked.remove(group).unwrap_or_default().into_values() {
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
        while let Some(timer) = self.timers.first_entry().filter(|timer| timer.key().0 <= now) {
            let key = timer.get().clone();
            self.make_due(&key);
        }
        let settings = self.settings;
        for (name, lane) in &mut self.lanes {
            let Some((key, priority)) = lane.pop(settings) else { continue };
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.phase = Phase::Running;
            }
            self.slots.insert(key.clone(), Slot { lane: Arc::clone(name), priority, attempt: None });
            return Step::HandOut(key);
        }
        Step::WaitUntil(self.timers.first_key_value().map(|((until, _), _)| *until))
    }

    pub(super) fn begin(&mut self, key: &Key) -> Option<Attempt> {
        if self.is_stopped {
            return None;
        }
        let id = self.ticket();
        let slot = self.slots.get_mut(key).filter(|slot| slot.attempt.is_none())?;
        let entry = self.entries.get_mut(key)?;
        let trigger = entry.trigger.take();
        entry.priority = entry.priority.max(trigger.map_or(Priority::Background, Trigger::priority));
        slot.attempt = Some(id);
        if let Some(lane) = self.lanes.get_mut(&slot.lane) {
            lane.change_slot(slot.priority, entry.priority);
        }
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
                entry.revision.is_same_object(&attempt.revision)
                    && entry.trigger.is_none_or(|trigger| trigger.priority() == Priority::Background)
            })
    }

    pub(super) fn finish(&mut self, attempt: &Attempt, next: Next) {
        let key = &attempt.key;
        if self.slots.get(key).is_none_or(|slot| slot.attempt != Some(attempt.id)) {
            return;
        }
        self.free_slot(key);
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.phase = Phase::Idle;
        let mut wait = None;
        if entry.revision.is_same_object(&attempt.revision) {
            entry.end(&next);
            wait = next.wait(entry.failures, &mut self.random);
        }
        match (entry.trigger, wait) {
            (None, None) => {}
            // A resync is served by the attempt that comes anyway.
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
        let (lane, _) = self.lane(lane, |lane| lane.keys += 1);
        let priority = Priority::Background;
        let entry = Entry { lane, revision, phase, trigger: None, priority, failures: 0, is_converged };
        self.entries.insert(key.clone(), entry);
    }

    /// Changes a lane, which comes into being with that; returns its name as all share it.
    fn lane<T>(&mut self, name: &Arc<str>, change: impl FnOnce(&mut Lane) -> T) -> (Arc<str>, T) {
        let slot = self.lanes.entry(Arc::clone(name));
        let name = Arc::clone(slot.key());
        (name, change(slot.or_default()))
    }

    fn move_to_lane(&mut self, key: &Key, lane: &Arc<str>) {
        let Some(entry) = self.entries.get(key).filter(|entry| entry.lane != *lane) else { return };
        let is_due = matches!(entry.phase, Phase::Due(_));
        if is_due {
            self.withdraw(key);
        }
        let (lane, ()) = self.lane(lane, |lane| lane.keys += 1);
        let Some(entry) = self.entries.get_mut(key) else { return };
        let before = std::mem::replace(&mut entry.lane, lane);
        if let Some(lane) = self.lanes.get_mut(&before) {
            lane.keys -= 1;
        }
        self.forget_unused_lane(&before);
        if is_due {
            self.make_due(key);
        }
    }

    /// Makes a key due that is not running, at the priority of its triggers and of what it did not finish before.
    fn make_due(&mut self, key: &Key) {
        self.withdraw(key);
        let ticket = self.ticket();
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.priority = entry.priority.max(entry.trigger.map_or(Priority::Background, Trigger::priority));
        entry.phase = Phase::Due(ticket);
        if let Some(lane) = self.lanes.get_mut(&entry.lane) {
            lane.due(entry.priority).push(ticket, key.clone());
        }
    }

    fn wait(&mut self, key: &Key, wait: Duration, group: Option<Arc<str>>) {
        let ticket = self.ticket();
        let Some(entry) = self.entries.get_mut(key) else { return };
        let until = Instant::now() + wait.min(MAX_WAIT);
        self.timers.insert((until, ticket), key.clone());
        if let Some(group) = &group {
            self.blocked.entry(Arc::clone(group)).or_default().insert(ticket, key.clone());
        }
        entry.phase = Phase::Waiting(Box::new(Wait { until, ticket, group }));
    }

    /// Takes a key out of where it is due or waits.
    fn withdraw(&mut self, key: &Key) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        match &entry.phase {
            Phase::Idle | Phase::Running => return,
            Phase::Due(ticket) => {
                if let Some(lane) = self.lanes.get_mut(&entry.lane) {
                    lane.due(entry.priority).remove(*ticket, key);
                }
            }
            Phase::Waiting(wait) => {
                self.timers.remove(&(wait.until, wait.ticket));
                if let Some(group) = &wait.group
                    && let Some(keys) = self.blocked.get_mut(group)
                {
                    keys.remove(&wait.ticket);
                    if keys.is_empty() {
                        self.blocked.remove(group);
                    }
                }
            }
        }
        entry.phase = Phase::Idle;
    }

    fn free_slot(&mut self, key: &Key) {
        let Some(slot) = self.slots.remove(key) else { return };
        if let Some(lane) = self.lanes.get_mut(&slot.lane) {
            lane.free_slot(slot.priority);
        }
        self.forget_unused_lane(&slot.lane);
    }

    fn forget_unused_lane(&mut self, name: &Arc<str>) {
        if self.lanes.get(name).is_some_and(Lane::is_unused) {
            self.lanes.shift_remove(name);
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }
}

impl Entry {
    /// Takes note of how an attempt ended.
    fn end(&mut self, next: &Next) {
        self.is_converged = *next == Next::Done;
        match next {
            Next::Done | Next::Stalled => {
                self.failures = 0;
                self.priority = Priority::Background;
            }
            Next::Retry => self.failures = self.failures.saturating_add(1),
            // Neither says anything about this key.
            Next::RetryAfter(_) | Next::Blocked { .. } => {}
        }
    }
}

impl Next {
    /// How long to wait, and for which group, if the key has a time of its own.
    fn wait(self, failures: u32, random: &mut fastrand::Rng) -> Option<(Duration, Option<Arc<str>>)> {
        match self {
            Self::Done | Self::Stalled => None,
            Self::Retry => Some((backoff(failures, random), None)),
            Self::RetryAfter(wait) => Some((wait, None)),
            Self::Blocked { group, at_latest } => {
                Some((at_latest.saturating_add(BLOCKED_SPREAD.mul_f64(random.f64())), Some(group)))
            }
        }
    }
}
