//! What a person requests by annotation.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Resource, ResourceExt};

use crate::api::{ConfidenceClientCredential, MAX_REQUEST_LENGTH, RECONCILE_REQUESTED_AT, RETIRE, ROTATE_REQUESTED_AT};
use crate::engine::{EventDraft, WatchEvent};

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

/// What to tell about a request that is new and too long, and about which resource.
pub(super) fn ignored(event: &WatchEvent<ConfidenceClientCredential>) -> Option<(ObjectReference, EventDraft)> {
    // One that a list names was told of when it was made.
    let WatchEvent::Applied { object, previous, is_listed: false } = event else { return None };
    let value = |object: &ConfidenceClientCredential, name: &str| object.annotations().get(name).cloned();
    let is_ignored = |name: &&str| {
        let now = value(object, name).filter(|it| !is_usable(it));
        now.is_some() && now != previous.as_ref().and_then(|it| value(it, name))
    };
    let name = [RECONCILE_REQUESTED_AT, ROTATE_REQUESTED_AT].into_iter().find(is_ignored)?;
    let note = format!(
        "The annotation {name} is longer than {MAX_REQUEST_LENGTH} characters and counts as absent; give it a shorter \
         value, such as the time"
    );
    let draft = EventDraft { warning: true, reason: "RequestIgnored".to_owned(), action: "Reconcile", note };
    Some((object.object_ref(&()), draft))
}

/// Whether a value is short enough to be kept and echoed.
pub(super) fn is_usable(value: &str) -> bool {
    value.chars().count() <= MAX_REQUEST_LENGTH
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::ConfidenceClientCredentialSpec;

    fn resource(request: &str) -> Arc<ConfidenceClientCredential> {
        let mut object = ConfidenceClientCredential::new("a", ConfidenceClientCredentialSpec::default());
        object.metadata.annotations = Some([(ROTATE_REQUESTED_AT.to_owned(), request.to_owned())].into());
        Arc::new(object)
    }

    /// Once, when it is made, and not whenever the resource changes otherwise.
    #[test]
    fn request_that_is_too_long_is_told_once() {
        let told = |request: &str, previous: Option<&str>, is_listed| {
            let (object, previous) = (resource(request), previous.map(resource));
            ignored(&WatchEvent::Applied { object, previous, is_listed }).map(|(_, draft)| draft.note)
        };
        let (longest, too_long) = ("ü".repeat(MAX_REQUEST_LENGTH), "ü".repeat(MAX_REQUEST_LENGTH + 1));
        assert_eq!(told(&longest, None, false), None);
        assert!(told(&too_long, None, false).is_some_and(|note| note.contains(ROTATE_REQUESTED_AT)));
        assert!(told(&too_long, Some(&longest), false).is_some());
        assert_eq!(told(&too_long, Some(&too_long), false), None);
        assert_eq!(told(&too_long, None, true), None);
    }
}
