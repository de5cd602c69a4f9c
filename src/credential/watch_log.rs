//! What the watch of the resources says of itself: counts, log lines, readiness, events. What it shows is taken in by
//! `watched`.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;

use super::requests;
use crate::api::ConfidenceClientCredential;
use crate::engine::health::Readiness;
use crate::engine::{EventDraft, WatchEvent};
use crate::metrics::{ControllerMetrics, Operation};

/// Events of the watch that are still to be told.
pub(super) const TOLD_AT_ONCE: usize = 16;

/// Counts and logs what the watch of the resources shows of itself.
pub(super) fn note(event: &WatchEvent<ConfidenceClientCredential>, metrics: &ControllerMetrics, readiness: &Readiness) {
    match event {
        WatchEvent::Applied { object, previous, .. } => metrics.resource_changed(previous.as_deref(), Some(object)),
        WatchEvent::Deleted { previous, .. } => metrics.resource_changed(previous.as_deref(), None),
        WatchEvent::Undecodable { key, error, previous, .. } => {
            metrics.resource_changed(previous.as_deref(), None);
            metrics.kubernetes_error(Operation::DecodeResource);
            tracing::warn!(resource = %key, %error, "the resource cannot be decoded; it is left alone until it changes");
        }
        WatchEvent::Failed { scope, error } => {
            metrics.kubernetes_error(Operation::WatchResources);
            if readiness.requirement(scope.to_string()).set_missing(error.to_string()) {
                tracing::warn!(%scope, %error, "the resources cannot be watched; the operator tries again");
            }
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

/// What a watch event is worth telling a person, and about which resource.
pub(super) fn to_tell(event: &WatchEvent<ConfidenceClientCredential>) -> Option<(ObjectReference, EventDraft)> {
    let WatchEvent::Undecodable { key, uid, error, .. } = event else { return requests::ignored(event) };
    let regarding = ObjectReference {
        api_version: Some(ConfidenceClientCredential::api_version(&()).into_owned()),
        kind: Some(ConfidenceClientCredential::kind(&()).into_owned()),
        namespace: Some(key.namespace.to_string()),
        name: Some(key.name.to_string()),
        uid: Some(uid.clone()),
        ..ObjectReference::default()
    };
    let note = format!("The operator leaves this resource alone, because it cannot be decoded; correct {error}");
    Some((regarding, EventDraft { warning: true, reason: "Undecodable".to_owned(), action: "Decode", note }))
}
