//! The metrics of the controller, with Prometheus' naming and base units. Labels are bounded: no series a resource.

use std::sync::Arc;

use jiff::Timestamp;
use kube::runtime::reflector::Store;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::api::ConfidenceClientCredential;
use crate::api::conditions::{Type, find};
use crate::confidence::wire::Field;
use crate::plan::FieldChange;

/// The prefix of every metric.
pub const PREFIX: &str = "confidence_operator";

/// What the controller counts.
#[derive(Clone, Debug)]
pub struct ControllerMetrics {
    reconciles: Family<OutcomeLabel, Counter>,
    duration: Histogram,
    detected: Family<FieldLabel, Counter>,
    corrected: Family<FieldLabel, Counter>,
    status_writes: Counter,
    kubernetes_errors: Family<OperationLabel, Counter>,
    in_progress: Gauge,
    resources: Family<ReasonLabel, Gauge>,
    unseen: Family<AgeLabel, Gauge>,
    leader: Gauge,
    lists: Family<OutcomeLabel, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabel {
    operation: &'static str,
}

/// What the API server was asked for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// To list or watch the resources.
    WatchResources,
    /// To list or watch Secrets.
    WatchSecrets,
    /// To take a status.
    WriteStatus,
    /// To take an event.
    WriteEvent,
    /// To show a resource that can be decoded.
    DecodeResource,
}

impl Operation {
    const ALL: [Self; 5] =
        [Self::WatchResources, Self::WatchSecrets, Self::WriteStatus, Self::WriteEvent, Self::DecodeResource];

    fn label(self) -> OperationLabel {
        let operation = match self {
            Self::WatchResources => "watch_resources",
            Self::WatchSecrets => "watch_secrets",
            Self::WriteStatus => "write_status",
            Self::WriteEvent => "write_event",
            Self::DecodeResource => "decode_resource",
        };
        OperationLabel { operation }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FieldLabel {
    field: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AgeLabel {
    longer_than: &'static str,
}

/// For how long a credential may not have been seen, in hours. Cumulative, as the buckets of a histogram are: a series for
/// each credential would be unbounded.
const AGES: [(&str, i64); 4] = [("1d", 24), ("7d", 7 * 24), ("30d", 30 * 24), ("90d", 90 * 24)];

/// In the place of an age: credentials that have never been seen.
const EVER: &str = "ever";

impl ControllerMetrics {
    /// Registers the controller's metrics.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            reconciles: Family::default(),
            duration: Histogram::new(exponential_buckets(0.001, 2.0, 18)),
            detected: Family::default(),
            corrected: Family::default(),
            status_writes: Counter::default(),
            kubernetes_errors: Family::default(),
            in_progress: Gauge::default(),
            resources: Family::default(),
            unseen: Family::default(),
            leader: Gauge::default(),
            lists: Family::default(),
        };
        // From zero on, so that the first failure is an increase.
        for operation in Operation::ALL {
            drop(metrics.kubernetes_errors.get_or_create(&operation.label()));
        }
        for field in Field::ALL {
            let label = FieldLabel { field: field.json_name() };
            drop(metrics.detected.get_or_create(&label));
            drop(metrics.corrected.get_or_create(&label));
        }
        drop(metrics.lists.get_or_create(&OutcomeLabel { outcome: "ok" }));
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", build);
        registry.register("reconcile", "Reconciles by their outcome", metrics.reconciles.clone());
        registry.register("reconcile_duration_seconds", "Duration of a reconcile", metrics.duration.clone());
        registry.register(
            "drift_detected",
            "Managed fields that somebody else changed at Confidence",
            metrics.detected.clone(),
        );
        registry.register("drift_corrected", "Managed fields that were written and applied", metrics.corrected.clone());
        registry.register("lists", "Listings of a client's credentials by their outcome", metrics.lists.clone());
        registry.register("status_writes", "Statuses written to the API server", metrics.status_writes.clone());
        registry.register(
            "kubernetes_errors",
            "Requests that the API server refused, or did not answer, by what was asked for",
            metrics.kubernetes_errors.clone(),
        );
        registry.register(
            "reconciles_in_progress",
            "Reconciles in flight, those included that wait for a permit",
            metrics.in_progress.clone(),
        );
        registry.register("resources", "Resources by the reason of their Ready condition", metrics.resources.clone());
        registry.register(
            "credentials_unseen",
            "Managed credentials whose lastSeenTime is longer ago than this, or that were never seen",
            metrics.unseen.clone(),
        );
        registry.register("leader", "Whether this replica is the one that writes (0 or 1)", metrics.leader.clone());
        metrics
    }

    /// Counts and times a reconcile.
    pub(crate) async fn measured<T: HasOutcome>(&self, reconcile: impl Future<Output = T>) -> T {
        let began = Instant::now();
        self.in_progress.inc();
        let outcome = reconcile.await;
        self.in_progress.dec();
        self.duration.observe(began.elapsed().as_secs_f64());
        self.reconciles.get_or_create(&OutcomeLabel { outcome: outcome.label() }).inc();
        outcome
    }

    /// Counts the fields that somebody else changed, and those that were written and applied.
    pub(crate) fn drift(&self, drifted: &[FieldChange], is_foreign: bool, remaining: &[Field], has_written: bool) {
        for change in drifted {
            let label = FieldLabel { field: change.field.json_name() };
            if is_foreign && change.is_certain {
                self.detected.get_or_create(&label).inc();
            }
            if has_written && !remaining.contains(&change.field) {
                self.corrected.get_or_create(&label).inc();
            }
        }
    }

    /// Counts a list that was, or could not be, read.
    pub(crate) fn listed(&self, outcome: &'static str) {
        self.lists.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts the statuses that were written.
    pub(crate) fn status_writes(&self) -> Counter {
        self.status_writes.clone()
    }

    /// Counts what the API server refused, or did not answer.
    pub(crate) fn failures(&self, operation: Operation) -> Counter {
        self.kubernetes_errors.get_or_create(&operation.label()).clone()
    }

    /// Counts what the API server did not do.
    pub(crate) fn kubernetes_error(&self, operation: Operation) {
        self.kubernetes_errors.get_or_create(&operation.label()).inc();
    }

    /// Tells whether this replica writes.
    pub fn set_leader(&self, leader: bool) {
        self.leader.set(i64::from(leader));
    }

    /// Counts the resources by readiness and their credentials by age anew. Called when somebody asks, which is rarer than changes are.
    pub fn count_resources(&self, store: &Store<ConfidenceClientCredential>) {
        let mut counts = std::collections::BTreeMap::<String, i64>::new();
        let objects = store.state();
        for object in &objects {
            *counts.entry(reason_of(object)).or_default() += 1;
        }
        self.resources.clear();
        for (reason, count) in counts {
            self.resources.get_or_create(&ReasonLabel { reason }).set(count);
        }
        for (longer_than, count) in unseen(&objects, Timestamp::now()) {
            self.unseen.get_or_create(&AgeLabel { longer_than }).set(count);
        }
    }
}

fn reason_of(object: &Arc<ConfidenceClientCredential>) -> String {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    find(conditions, Type::Ready).map_or_else(|| "Pending".to_owned(), |it| it.reason.clone())
}

/// How many credentials have not been seen for longer than each age, of those that were looked at.
fn unseen(objects: &[Arc<ConfidenceClientCredential>], now: Timestamp) -> Vec<(&'static str, i64)> {
    let mut counts: Vec<_> = AGES.iter().map(|(label, _)| (*label, 0)).chain([(EVER, 0)]).collect();
    for status in objects.iter().filter_map(|it| it.status.as_ref().filter(|it| it.name.is_some())) {
        match &status.last_seen_time {
            None => counts[AGES.len()].1 += 1,
            Some(time) => {
                let age = now.duration_since(time.0).as_hours();
                let older = AGES.iter().take_while(|(_, hours)| age >= *hours).count();
                counts[..older].iter_mut().for_each(|(_, count)| *count += 1);
            }
        }
    }
    counts
}

/// What a reconcile came to, as a label.
pub(crate) trait HasOutcome {
    /// One of a few fixed words.
    fn label(&self) -> &'static str;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::status::Time;
    use crate::api::{ConfidenceClientCredentialSpec, ConfidenceClientCredentialStatus};

    #[test]
    fn credentials_are_counted_by_how_long_nobody_used_them_in_a_bounded_number_of_series() {
        let now = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * 365);
        let seen = |hours_ago: Option<i64>| {
            let mut object = ConfidenceClientCredential::new("a", ConfidenceClientCredentialSpec::default());
            let last_seen_time = hours_ago.map(|hours| Time(now - jiff::SignedDuration::from_hours(hours)));
            let name = Some("clients/c/credentials/k".to_owned());
            object.status = Some(ConfidenceClientCredentialStatus { name, last_seen_time, ..Default::default() });
            Arc::new(object)
        };
        let not_looked_at = Arc::new(ConfidenceClientCredential::new("b", ConfidenceClientCredentialSpec::default()));
        let objects = [Some(1), Some(24), Some(200), Some(24 * 100), None].map(seen);
        let counts = unseen(&[objects.as_slice(), &[not_looked_at]].concat(), now);
        assert_eq!(counts, [("1d", 3), ("7d", 2), ("30d", 1), ("90d", 1), ("ever", 1)]);
    }
}
