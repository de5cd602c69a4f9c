//! What the work queue knows of one key.

use std::sync::Arc;
use std::time::Duration;

use super::fair_queue::Ticket;
use super::waits::Wait;
use super::{Next, Priority, Revision, Trigger, backoff};

/// Within how long those come back that wait for a group, after the latest time that was given for it. Not all at the same
/// moment: the first of them finds out whether the group may go on.
const BLOCKED_SPREAD: Duration = Duration::from_secs(1);

/// The longest wait: what is far beyond it is no time any more.
const MAX_WAIT: Duration = Duration::from_hours(365 * 24);

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) lane: Arc<str>,
    pub(super) revision: Revision,
    pub(super) phase: Phase,
    /// The strongest trigger since the last attempt began.
    pub(super) trigger: Option<Trigger>,
    pub(super) priority: Priority,
    pub(super) failures: u32,
    pub(super) is_converged: bool,
}

/// Where a key is.
#[derive(Debug, Default)]
pub(super) enum Phase {
    #[default]
    Idle,
    Due(Ticket),
    // Boxed: few wait, and each key has an entry.
    Waiting(Box<Wait>),
    /// It has a slot.
    Running,
}

impl Entry {
    /// Takes note of a trigger. Tells whether it makes the key due, or due at a higher priority.
    pub(super) fn trigger(&mut self, trigger: Trigger) -> bool {
        if trigger == Trigger::Changed {
            self.failures = 0;
        }
        let makes_due = match self.phase {
            // The attempt that comes anyway serves the resync.
            Phase::Waiting(_) if trigger == Trigger::Resync => return false,
            Phase::Running => false,
            Phase::Due(_) => trigger.priority() > self.priority,
            Phase::Idle | Phase::Waiting(_) => true,
        };
        self.trigger = self.trigger.max(Some(trigger));
        makes_due
    }

    /// Raises the priority to that of the triggers.
    pub(super) fn raise_priority(&mut self) {
        self.priority = self.priority.max(self.trigger.map_or(Priority::Background, Trigger::priority));
    }

    /// Whether a user asked for something since the last attempt began.
    pub(super) fn has_interactive_trigger(&self) -> bool {
        self.trigger.is_some_and(|trigger| trigger.priority() == Priority::Interactive)
    }

    /// Takes note of how an attempt ended. Returns how long to wait, and for which group, if the key has a time of its own.
    pub(super) fn end(&mut self, next: Next, random: &mut fastrand::Rng) -> Option<(Duration, Option<Arc<str>>)> {
        self.phase = Phase::Idle;
        self.is_converged = next == Next::Done;
        let (wait, group) = match next {
            Next::Done | Next::Stalled => {
                self.failures = 0;
                self.priority = Priority::Background;
                return None;
            }
            Next::Retry => {
                self.failures = self.failures.saturating_add(1);
                (backoff(self.failures, random), None)
            }
            // Neither of the two says anything about this key.
            Next::RetryAfter(wait) => (wait, None),
            Next::Blocked { group, at_latest } => {
                (at_latest.saturating_add(BLOCKED_SPREAD.mul_f64(random.f64())), Some(group))
            }
        };
        Some((wait.min(MAX_WAIT), group))
    }
}
