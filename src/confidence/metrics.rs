//! What the account's client counts. Labels are bounded.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::gate::{AccountState, BlockCause, Priority};

/// The metrics of an account.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<Request, Counter>,
    duration: Family<Method, Histogram, fn() -> Histogram>,
    held: Family<Hold, Gauge>,
    budget: Gauge<f64, AtomicU64>,
    queue: Family<Queue, Gauge>,
    queue_duration: Family<Queue, Histogram, fn() -> Histogram>,
    token_expiry: Family<Token, Gauge<f64, AtomicU64>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Method {
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Hold {
    cause: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Queue {
    priority: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Token {
    source: &'static str,
}

/// Who renews a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenSource {
    /// Somebody else, who gives it to the operator.
    Given,
    /// The operator, by exchange.
    Exchanged,
}

impl Metrics {
    /// Registers the metrics.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 2.0, 15))),
            held: Family::default(),
            budget: Gauge::default(),
            queue: Family::default(),
            queue_duration: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.01, 3.0, 12))),
            token_expiry: Family::default(),
        };
        registry.register("api_requests", "Requests to Confidence by what came of them", metrics.requests.clone());
        registry.register(
            "api_request_duration_seconds",
            "Time until the answer of Confidence",
            metrics.duration.clone(),
        );
        registry.register("account_blocked", "Whether the account is blocked, and why (0 or 1)", metrics.held.clone());
        registry.register("account_rate_limit_requests_per_second", "The pace of the account", metrics.budget.clone());
        registry.register("account_queue_depth", "Calls that wait for their turn", metrics.queue.clone());
        registry.register(
            "account_queue_duration_seconds",
            "How long calls waited for their turn",
            metrics.queue_duration.clone(),
        );
        registry.register(
            "token_expiry_timestamp_seconds",
            "When the account's token ends, as far as that is known, and whether it was given or exchanged",
            metrics.token_expiry.clone(),
        );
        metrics
    }

    pub(super) fn request(&self, method: &'static str, outcome: &'static str, duration: Duration) {
        self.requests.get_or_create(&Request { method, outcome }).inc();
        self.duration.get_or_create(&Method { method }).observe(duration.as_secs_f64());
    }

    pub(super) fn account(&self, state: AccountState, per_second: f64) {
        let held = match state {
            AccountState::Available => None,
            AccountState::Blocked { cause, .. } => Some(cause),
        };
        for cause in [BlockCause::RateLimited, BlockCause::ServiceUnavailable, BlockCause::Unauthenticated] {
            self.held.get_or_create(&Hold { cause: cause.label() }).set(i64::from(held == Some(cause)));
        }
        self.budget.set(per_second);
    }

    pub(super) fn queue(&self, writes: usize, checks: usize) {
        for (priority, depth) in [(Priority::Interactive, writes), (Priority::Background, checks)] {
            self.queue
                .get_or_create(&Queue { priority: priority.label() })
                .set(i64::try_from(depth).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn turn(&self, priority: Priority, waited: Duration) {
        self.queue_duration.get_or_create(&Queue { priority: priority.label() }).observe(waited.as_secs_f64());
    }

    /// When a token ends; none where it does not say.
    pub(super) fn token_expiry(&self, source: TokenSource, at: Option<Timestamp>) {
        let source = match source {
            TokenSource::Given => "given",
            TokenSource::Exchanged => "exchanged",
        };
        match at {
            #[allow(clippy::cast_precision_loss)] // whole seconds, far from 2^53
            Some(at) => drop(self.token_expiry.get_or_create(&Token { source }).set(at.as_second() as f64)),
            None => drop(self.token_expiry.remove(&Token { source })),
        }
    }
}
