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

use super::gate::{AccountState, HoldCause};

/// The metrics of an account.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<Request, Counter>,
    duration: Family<Method, Histogram, fn() -> Histogram>,
    held: Family<Hold, Gauge>,
    budget: Gauge<f64, AtomicU64>,
    queue: Family<Queue, Gauge>,
    token_expiry: Gauge<f64, AtomicU64>,
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
    urgency: &'static str,
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
            token_expiry: Gauge::default(),
        };
        registry.register("api_requests", "Requests to Confidence by what came of them", metrics.requests.clone());
        registry.register(
            "api_request_duration_seconds",
            "Time until the answer of Confidence",
            metrics.duration.clone(),
        );
        registry.register("account_held", "Whether the account is held back, and why (0 or 1)", metrics.held.clone());
        registry.register("account_budget_requests_per_second", "The pace of the account", metrics.budget.clone());
        registry.register("account_queue_depth", "Calls that wait for their turn", metrics.queue.clone());
        registry.register(
            "token_expiry_timestamp_seconds",
            "When the account's token ends; 0 if unknown",
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
            AccountState::Open => None,
            AccountState::Held { cause, .. } => Some(cause),
        };
        for cause in [HoldCause::Throttled, HoldCause::Down, HoldCause::Unauthenticated] {
            self.held.get_or_create(&Hold { cause: cause.label() }).set(i64::from(held == Some(cause)));
        }
        self.budget.set(per_second);
    }

    pub(super) fn queue(&self, writes: usize, checks: usize) {
        for (urgency, depth) in [("write", writes), ("check", checks)] {
            self.queue.get_or_create(&Queue { urgency }).set(i64::try_from(depth).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn token_expiry(&self, at: Timestamp) {
        #[allow(clippy::cast_precision_loss)] // whole seconds, far from 2^53
        self.token_expiry.set(at.as_second() as f64);
    }
}
