//! How fast: the budget as a GCRA (a token bucket without a bucket), slowed down while the server refuses.

use std::time::Duration;

use tokio::time::Instant;

/// By how much a refusal slows down.
const SLOWER: f64 = 0.7;

/// The slowest, as a share of the budget.
const SLOWEST: f64 = 0.02;

/// How much of the budget a second without refusal gives back.
const RECOVERY_PER_SECOND: f64 = 0.02;

/// The pace of an account.
#[derive(Debug)]
pub(super) struct Pace {
    budget: f64,
    /// The share of the budget that the server seems to allow.
    share: f64,
    /// When the next call would be due if calls were evenly spaced (the theoretical arrival time of the GCRA).
    due: Instant,
    changed: Instant,
}

impl Pace {
    pub(super) fn new(requests_per_second: u32, now: Instant) -> Self {
        Self { budget: f64::from(requests_per_second), share: 1.0, due: now, changed: now }
    }

    /// Requests a second, as of now.
    pub(super) fn per_second(&self) -> f64 {
        self.budget * self.share
    }

    /// When the next call may be made. A quarter of the budget may come at once, so that no second holds more than 1.25
    /// times the budget; while the server refuses, none.
    pub(super) fn free_at(&self) -> Instant {
        let at_once = if self.share < 1.0 { 1.0 } else { (self.budget / 4.0).floor().max(1.0) };
        self.due.checked_sub(self.interval().mul_f64(at_once - 1.0)).unwrap_or(self.due)
    }

    /// Counts a call.
    pub(super) fn take(&mut self, now: Instant) {
        self.due = self.due.max(now) + self.interval();
    }

    /// The server refused a call for coming too soon.
    pub(super) fn refused(&mut self, now: Instant) {
        // Calls that were under way together are refused together: one lesson.
        if self.share == 1.0 || now.duration_since(self.changed) > Duration::from_secs(1) {
            self.share = (self.share * SLOWER).max(SLOWEST);
        }
        self.changed = now;
        self.due = self.due.max(now + self.interval());
    }

    /// The server took a call.
    pub(super) fn accepted(&mut self, now: Instant) {
        if self.share < 1.0 {
            let gained = now.duration_since(self.changed).as_secs_f64().min(1.0) * RECOVERY_PER_SECOND;
            self.share = (self.share + gained).min(1.0);
            self.changed = now;
        }
    }

    fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.per_second())
    }
}
