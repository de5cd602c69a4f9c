//! What the watch of the resources says of itself: counts, log lines, readiness. What it shows is taken in by `watched`.

use crate::api::ConfidenceClientCredential;
use crate::engine::WatchEvent;
use crate::engine::health::Readiness;
use crate::metrics::{ControllerMetrics, Operation};

/// Counts and logs what the watch of the resources shows of itself.
pub(super) fn note(event: &WatchEvent<ConfidenceClientCredential>, metrics: &ControllerMetrics, readiness: &Readiness) {
    match event {
        WatchEvent::Applied { object, previous, .. } => metrics.resource_changed(previous.as_deref(), Some(object)),
        WatchEvent::Deleted { previous, .. } => metrics.resource_changed(previous.as_deref(), None),
        WatchEvent::Undecodable { key, error, previous } => {
            metrics.resource_changed(previous.as_deref(), None);
            metrics.kubernetes_error(Operation::DecodeResource);
            tracing::warn!(resource = %key, %error, "the resource cannot be decoded; it is left alone until it changes");
        }
        WatchEvent::Failed { scope, error } => {
            metrics.kubernetes_error(Operation::WatchResources);
            readiness.require(scope.to_string(), error.to_string());
            tracing::warn!(%scope, %error, "the resources cannot be watched; the operator tries again");
        }
        WatchEvent::Recovered { scope } => {
            readiness.requirement(scope.to_string()).set_met();
            tracing::info!(%scope, "the resources are watched again");
        }
        WatchEvent::Ready { missing } => {
            readiness.requirement(crate::replica::RESOURCES.0).set_met();
            for missing in missing {
                readiness.require(missing.scope.to_string(), missing.why.clone());
            }
        }
    }
}
