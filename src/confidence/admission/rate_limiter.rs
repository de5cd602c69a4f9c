//! How fast: the budget as a GCRA (a token bucket without a bucket), slower while the server allows less, and slower for a
//! moment after an outage.
//!
//! A GCRA of our own, because governor's clock cannot follow tokio's paused time, its rate cannot move, and its waiters
//! have no order.
//!
//! The limiter measures the server's quota. When the server refuses a call, its quota is the number of calls that it
//! accepted in the second before, or since the refusal before for a quota of another period. The rate stays just below the
//! quota for a long while, since every refusal costs the whole account a wait, and then rises again.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The period in which the accepted calls are counted.
const SECOND: Duration = Duration::from_secs(1);

/// The share of the measured quota that is used.
const QUOTA_SHARE: f64 = 0.98;

/// So many calls in a second are enough to measure by.
const MIN_CALLS_TO_MEASURE: f64 = 5.0;

/// A refusal slows down at least to this share of the rate.
const MIN_SLOWDOWN: f64 = 0.95;

/// A refusal without a measurement slows down at most to this share of the rate.
const MAX_SLOWDOWN: f64 = 0.5;

/// The most calls that may go out at once.
const MAX_BURST: f64 = 8.0;

/// The lowest rate, in requests a second, where the budget itself is not lower.
const MIN_RATE: f64 = 0.2;

/// How long a measured rate is kept.
const MEASURED_RATE_KEPT: Duration = Duration::from_mins(1);

/// By which share a second a measured rate then rises.
const MEASURED_RATE_RISE: f64 = 0.01;

/// How long a guessed rate is kept: too few calls were made to measure.
const GUESSED_RATE_KEPT: Duration = Duration::from_secs(5);

/// By which share a second a guessed rate then rises.
const GUESSED_RATE_RISE: f64 = 0.1;

/// A measured rate is kept for at least so many times the wait that a refusal costs.
const WAITS_KEPT: u32 = 20;

/// Refusals further apart than this have nothing to do with each other.
const MAX_REFUSAL_GAP: Duration = Duration::from_mins(2);

/// After an outage the rate begins with this share of itself.
const WARM_UP_SHARE: f64 = 0.2;

/// After an outage the rate is whole again after this time.
const WARM_UP: Duration = Duration::from_secs(10);

/// How late a timer may be without lowering the rate.
const MAX_LATENESS: Duration = Duration::from_millis(4);

/// The rate of an account.
#[derive(Debug)]
pub(super) struct RateLimiter {
    budget: f64,
    limit: Option<Limit>,
    warming_since: Option<Instant>,
    /// When the next call would be due if calls were evenly spaced (the theoretical arrival time of the GCRA).
    due: Instant,
    /// When the server accepted calls within the last second.
    accepted: VecDeque<Instant>,
    last_refusal: Option<Instant>,
    accepted_since_refusal: u32,
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

impl RateLimiter {
    pub(super) fn new(requests_per_second: u32, now: Instant) -> Self {
        Self {
            budget: f64::from(requests_per_second.max(1)),
            limit: None,
            warming_since: None,
            due: now,
            accepted: VecDeque::new(),
            last_refusal: None,
            accepted_since_refusal: 0,
        }
    }

    /// Changes the budget, in requests a second.
    pub(super) fn set_budget(&mut self, requests_per_second: u32) {
        self.budget = f64::from(requests_per_second.max(1));
    }

    /// Requests a second, as of now.
    pub(super) fn per_second(&self, now: Instant) -> f64 {
        let rate = self.limit.as_ref().map_or(self.budget, |limit| limit.at(now).min(self.budget));
        let Some(since) = self.warming_since else { return rate };
        let done = now.saturating_duration_since(since).as_secs_f64() / WARM_UP.as_secs_f64();
        rate * (WARM_UP_SHARE + (1.0 - WARM_UP_SHARE) * done).min(1.0)
    }

    /// When the next call may be made. A quarter of the budget may come at once, so that no second holds more than 1.25
    /// times the budget, but no more than a few, because a server that allows less than the budget refuses all that is in
    /// flight by then. Below the full rate, calls go one by one.
    pub(super) fn free_at(&self, now: Instant) -> Instant {
        let per_second = self.per_second(now);
        let interval = interval(per_second);
        let burst = if per_second < self.budget { 1.0 } else { (self.budget / 4.0).floor().clamp(1.0, MAX_BURST) };
        // Below four a second, a quarter is not even one call: there is no slack to give.
        let slack = if self.budget < 4.0 { Duration::ZERO } else { MAX_LATENESS.min(interval / 4) };
        let early = interval.mul_f64(burst - 1.0) + slack;
        self.due.checked_sub(early).unwrap_or(self.due)
    }

    /// Counts a permit that is granted now.
    pub(super) fn grant(&mut self, now: Instant) {
        self.due = self.due.max(now) + interval(self.per_second(now));
    }

    /// The server accepted a call rather than refuse it for coming too soon.
    pub(super) fn accepted(&mut self, now: Instant) {
        self.forget(now);
        self.accepted.push_back(now);
        self.accepted_since_refusal = self.accepted_since_refusal.saturating_add(1);
        if self.limit.as_ref().is_some_and(|limit| limit.at(now) >= self.budget) {
            self.limit = None;
        }
    }

    /// The server refused a call for coming too soon, and that costs the account a wait.
    pub(super) fn refused(&mut self, wait: Duration, now: Instant) {
        self.forget(now);
        let before = self.last_refusal.replace(now);
        let since = std::mem::take(&mut self.accepted_since_refusal);
        if since == 0 {
            // Not one call was accepted since the last refusal: it refuses everything, and no rate would be low enough.
            return;
        }
        let in_last_second = f64::from(u32::try_from(self.accepted.len()).unwrap_or(u32::MAX));
        let since_refusal = before
            .map(|before| now.saturating_duration_since(before))
            .filter(|elapsed| (SECOND..MAX_REFUSAL_GAP).contains(elapsed))
            .map_or(f64::INFINITY, |elapsed| f64::from(since) / elapsed.as_secs_f64());
        let quota = in_last_second.min(since_refusal) * QUOTA_SHARE;
        let rate = self.per_second(now);
        let is_measured = in_last_second >= MIN_CALLS_TO_MEASURE || quota >= rate * MAX_SLOWDOWN;
        let (kept, rise, least) = if is_measured {
            (MEASURED_RATE_KEPT.max(wait * WAITS_KEPT), MEASURED_RATE_RISE, 0.0)
        } else {
            (GUESSED_RATE_KEPT, GUESSED_RATE_RISE, rate * MAX_SLOWDOWN)
        };
        let per_second = quota.clamp(least, rate * MIN_SLOWDOWN).max(MIN_RATE.min(self.budget));
        tracing::debug!(rate, quota, per_second, is_measured, wait = wait.as_secs_f64(), "the rate is reduced");
        self.limit = Some(Limit { per_second, rises_from: now + wait + kept, rise });
    }

    /// Goes on after a pause: one by one, and slowly at first, unless it is known what the service can bear.
    pub(super) fn resume(&mut self, after_outage: bool, now: Instant) {
        self.due = self.due.max(now);
        self.warming_since = (after_outage || self.limit.is_none()).then_some(now);
    }

    fn forget(&mut self, now: Instant) {
        while self.accepted.front().is_some_and(|at| now.saturating_duration_since(*at) >= SECOND) {
            self.accepted.pop_front();
        }
    }
}

/// The time between two calls: never a nanosecond less than the rate asks for.
fn interval(per_second: f64) -> Duration {
    Duration::from_secs_f64(1.0 / per_second) + Duration::from_nanos(1)
}
