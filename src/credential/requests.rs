//! What a person requests by annotation.

use kube::ResourceExt;

use crate::api::{ConfidenceClientCredential, MAX_REQUEST_LENGTH, RECONCILE_REQUESTED_AT, RETIRE, ROTATE_REQUESTED_AT};

/// The annotations that request something. A reconcile echoes a value in the status when it has acted on it.
pub(super) const ANNOTATIONS: [&str; 3] = [RECONCILE_REQUESTED_AT, ROTATE_REQUESTED_AT, RETIRE];

/// The values of a resource's requests. One that is too long counts as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Requests {
    /// `iam.confidence.dev/reconcile-requested-at`.
    pub(super) reconcile: Option<String>,
    /// `iam.confidence.dev/rotate-requested-at`.
    pub(super) rotate: Option<String>,
}

impl Requests {
    pub(super) fn of(object: &ConfidenceClientCredential) -> Self {
        let value = |name: &str| object.annotations().get(name).filter(|it| is_usable(it)).cloned();
        Self { reconcile: value(RECONCILE_REQUESTED_AT), rotate: value(ROTATE_REQUESTED_AT) }
    }
}

/// Whether a value is short enough to be kept and echoed.
pub(super) fn is_usable(value: &str) -> bool {
    value.chars().count() <= MAX_REQUEST_LENGTH
}
