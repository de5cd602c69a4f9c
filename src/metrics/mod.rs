//! The metrics of the controller, with Prometheus' naming and base units. Labels are bounded: no series a resource.

mod resources;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use self::resources::ResourceCounts;
use crate::api::ConfidenceClientCredential;
use crate::confidence::wire::Field;
use crate::plan::FieldChange;
use crate::plan::lifecycle::CreateReason;

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
    created: Family<CreationLabel, Counter>,
    deleted: Counter,
    resources: ResourceCounts,
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
struct CreationLabel {
    reason: &'static str,
}

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
            created: Family::default(),
            deleted: Counter::default(),
            resources: ResourceCounts::default(),
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
        for reason in CreateReason::ALL {
            drop(metrics.created.get_or_create(&CreationLabel { reason: reason.label() }));
        }
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
        registry.register(
            "credentials_created",
            "Credentials that the operator created at Confidence, by why",
            metrics.created.clone(),
        );
        registry.register(
            "credentials_deleted",
            "Credentials that the operator deleted at Confidence",
            metrics.deleted.clone(),
        );
        registry.register_collector(Box::new(metrics.resources.clone()));
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
    pub(crate) fn drift(
        &self,
        drifted: &[FieldChange],
        is_foreign: impl Fn(&FieldChange) -> bool,
        remaining: &[Field],
        has_written: bool,
    ) {
        for change in drifted {
            let label = FieldLabel { field: change.field.json_name() };
            if is_foreign(change) {
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

    /// Counts a credential that was created, by the reason why.
    pub(crate) fn created(&self, reason: CreateReason) {
        self.created.get_or_create(&CreationLabel { reason: reason.label() }).inc();
    }

    /// Counts a credential that was deleted.
    pub(crate) fn deleted(&self) {
        self.deleted.inc();
    }

    /// A resource that was as before, or not there, is as now, or gone.
    pub(crate) fn resource_changed(
        &self,
        before: Option<&ConfidenceClientCredential>,
        now: Option<&ConfidenceClientCredential>,
    ) {
        self.resources.change(before, now);
    }
}

/// What a reconcile came to, as a label.
pub(crate) trait HasOutcome {
    /// One of a few fixed words.
    fn label(&self) -> &'static str;
}
