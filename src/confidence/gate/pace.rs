//! How fast: the budget as a GCRA (a token bucket without a bucket), slower while the server allows less, and slower for a
//! moment after an outage.
//!
//! A GCRA of our own, because governor's clock cannot follow tokio's paused time, its rate cannot move, and its waiters
//! have no order.
//!
//! What the server allows is measured, not guessed: when it refuses a call, the calls that it took in the second before
//! are its quota, or the calls since the refusal before, for a quota of another period. The pace stays just below that for
//! a long while, since every refusal costs the whole account a wait, and then feels its way up again.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The period in which the calls that were taken are counted.
const SECOND: Duration = Duration::from_secs(1);

/// How close to the measured quota the pace goes.
const CLOSE: f64 = 0.98;

/// So many calls in a second are enough to measure by.
const ENOUGH: f64 = 5.0;

/// A refusal slows down at least to this share of the pace, and without a measurement at most to that.
const SLOWER: (f64, f64) = (0.95, 0.5);

/// The most calls that may come at once.
const AT_ONCE: f64 = 8.0;

/// The slowest pace, in requests a second, where the budget itself is not slower.
const SLOWEST: f64 = 0.2;

/// How long a measured pace is kept, and by how much a second it then rises.
const MEASURED: (Duration, f64) = (Duration::from_mins(1), 0.01);

/// The same for a pace that is a guess, because too few calls were made to measure.
const GUESSED: (Duration, f64) = (Duration::from_secs(5), 0.1);

/// A measured pace is kept for so many times the wait that a refusal costs.
const WAITS: u32 = 20;

/// Refusals further apart than this have nothing to do with each other.
const APART: Duration = Duration::from_mins(2);

/// After an outage the pace rises from this share to the whole in this time.
const WARMING: (f64, Duration) = (0.2, Duration::from_secs(10));

/// How late a timer may be without slowing the pace down.
const LATENESS: Duration = Duration::from_millis(4);

/// The pace of an account.
#[derive(Debug)]
pub(super) struct Pace {
    budget: f64,
    limit: Option<Limit>,
    warming_since: Option<Instant>,
    /// When the next call would be due if calls were evenly spaced (the theoretical arrival time of the GCRA).
    due: Instant,
    /// The calls that the server took within the last second.
    taken: VecDeque<Instant>,
    last_refusal: Option<Instant>,
    taken_since_refusal: u32,
}

/// What the server seems to allow, in requests a second.
#[derive(Debug)]
struct Limit {
    per_second: f64,
    /// When it begins to rise, and by how much a second.
    rises_from: Instant,
    rise: f64,
}

impl Limit {
    fn at(&self, now: Instant) -> f64 {
        let rising = now.saturating_duration_since(self.rises_from).as_secs_f64();
        self.per_second * (1.0 + self.rise).powf(rising)
    }
}

impl Pace {
    pub(super) fn new(requests_per_second: u32, now: Instant) -> Self {
        Self {
            budget: f64::from(requests_per_second.max(1)),
            limit: None,
            warming_since: None,
            due: now,
            taken: VecDeque::new(),
            last_refusal: None,
            taken_since_refusal: 0,
        }
    }

    /// Requests a second, as of now.
    pub(super) fn per_second(&self, now: Instant) -> f64 {
        let pace = self.limit.as_ref().map_or(self.budget, |limit| limit.at(now).min(self.budget));
        let Some(since) = self.warming_since else { return pace };
        let done = now.saturating_duration_since(since).as_secs_f64() / WARMING.1.as_secs_f64();
        pace * (WARMING.0 + (1.0 - WARMING.0) * done).min(1.0)
    }

    /// When the next call may be made. A quarter of the budget may come at once, so that no second holds more than 1.25
    /// times the budget, but no more than a few, because a server that allows less than the budget refuses all that is on
    /// its way by then; below the full pace, calls come one by one.
    pub(super) fn free_at(&self, now: Instant) -> Instant {
        let per_second = self.per_second(now);
        let interval = interval(per_second);
        let at_once = if per_second < self.budget { 1.0 } else { (self.budget / 4.0).floor().clamp(1.0, AT_ONCE) };
        // Below four a second, a quarter is not even one call: there is no slack to give.
        let slack = if self.budget < 4.0 { Duration::ZERO } else { LATENESS.min(interval / 4) };
        let early = interval.mul_f64(at_once - 1.0) + slack;
        self.due.checked_sub(early).unwrap_or(self.due)
    }

    /// Counts a call that is made now.
    pub(super) fn take(&mut self, now: Instant) {
        self.due = self.due.max(now) + interval(self.per_second(now));
    }

    /// The server took a call, whatever it made of it.
    pub(super) fn accepted(&mut self, now: Instant) {
        self.forget(now);
        self.taken.push_back(now);
        self.taken_since_refusal = self.taken_since_refusal.saturating_add(1);
        if self.limit.as_ref().is_some_and(|limit| limit.at(now) >= self.budget) {
            self.limit = None;
        }
    }

    /// The server refused a call for coming too soon, and that costs the account a wait.
    pub(super) fn refused(&mut self, wait: Duration, now: Instant) {
        self.forget(now);
        let before = self.last_refusal.replace(now);
        let since = std::mem::take(&mut self.taken_since_refusal);
        if since == 0 {
            // Not one call was taken since the last refusal: it refuses everything, and no pace would be slow enough.
            return;
        }
        let in_last_second = f64::from(u32::try_from(self.taken.len()).unwrap_or(u32::MAX));
        let since_refusal = before
            .map(|before| now.saturating_duration_since(before))
            .filter(|elapsed| (SECOND..APART).contains(elapsed))
            .map_or(f64::INFINITY, |elapsed| f64::from(since) / elapsed.as_secs_f64());
        let quota = in_last_second.min(since_refusal) * CLOSE;
        let pace = self.per_second(now);
        let is_measured = in_last_second >= ENOUGH || quota >= pace * SLOWER.1;
        let (keep, rise) = if is_measured { (MEASURED.0.max(wait * WAITS), MEASURED.1) } else { GUESSED };
        let least = if is_measured { 0.0 } else { pace * SLOWER.1 };
        let per_second = quota.clamp(least, pace * SLOWER.0).max(SLOWEST.min(self.budget));
        tracing::debug!(pace, quota, per_second, is_measured, wait = wait.as_secs_f64(), "the pace is reduced");
        self.limit = Some(Limit { per_second, rises_from: now + wait + keep, rise });
    }

    /// Goes on after a pause: one by one, and slowly at first, unless it is known what the service can bear.
    pub(super) fn resume(&mut self, after_outage: bool, now: Instant) {
        self.due = self.due.max(now);
        self.warming_since = (after_outage || self.limit.is_none()).then_some(now);
    }

    fn forget(&mut self, now: Instant) {
        while self.taken.front().is_some_and(|at| now.saturating_duration_since(*at) >= SECOND) {
            self.taken.pop_front();
        }
    }
}

/// The time between two calls: never a nanosecond less than the pace asks for.
fn interval(per_second: f64) -> Duration {
    Duration::from_secs_f64(1.0 / per_second) + Duration::from_nanos(1)
}
