//! What comes next in the life of a resource, in words. Pure.

use kube::ResourceExt;
use serde::Serialize;

use crate::api::spec::DriftPolicy;
use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus as Status, ROTATE_REQUESTED_AT};
use crate::credential::Upcoming;
use crate::plan::lifecycle::{CreateReason, RotationState, Step};

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NextStep {
    pub(super) text: String,
    /// Whether it changes something as soon as the operator may.
    pub(super) is_change: bool,
}

fn change(text: impl Into<String>) -> NextStep {
    NextStep { text: text.into(), is_change: true }
}

fn remark(text: impl Into<String>) -> NextStep {
    NextStep { text: text.into(), is_change: false }
}

/// What comes next for a resource whose fields differ or not. `next` is what the operator's decision came to; none for an
/// adopted credential, which has no lifecycle.
pub(super) fn next_steps(
    resource: &ConfidenceClientCredential,
    differs: bool,
    next: Option<&Upcoming>,
) -> Vec<NextStep> {
    let is_being_deleted = resource.metadata.deletion_timestamp.is_some();
    let mut steps = match next {
        Some(next) => lifecycle(resource, next),
        None if is_being_deleted => vec![remark("being deleted: credential and Secret stay")],
        None => Vec::new(),
    };
    let has_changes = differs || steps.iter().any(|step| step.is_change);
    if resource.spec.suspend {
        steps.push(remark("suspended: the operator does nothing until spec.suspend is false"));
    } else if has_changes && resource.spec.drift_policy == DriftPolicy::Report {
        steps.push(remark("driftPolicy Report: the operator reports this and writes nothing"));
    }
    steps
}

fn lifecycle(resource: &ConfidenceClientCredential, next: &Upcoming) -> Vec<NextStep> {
    match next {
        Upcoming::Write(step) => vec![change(words(resource, step))],
        Upcoming::Blocked(failure) => vec![remark(format!("{}: {}", failure.reason, failure.message))],
        Upcoming::Released => vec![remark("being deleted: credential and Secret stay")],
        Upcoming::Suspended => Vec::new(),
        Upcoming::Rest(rotation, due) => {
            let status = resource.status.clone().unwrap_or_default();
            let mut steps = overlap(*rotation, &status);
            if !steps.is_empty() && is_rotation_requested(resource, &status) {
                steps.push(remark("rotate after that, as requested"));
            } else if let Some(due) = due {
                steps.push(remark(format!("the next rotation is at {due}")));
            }
            steps
        }
    }
}

fn words(resource: &ConfidenceClientCredential, step: &Step) -> String {
    let spec = &resource.spec;
    let client = spec.client.as_deref().unwrap_or_default();
    let secret = spec.published_secret.as_ref().map(|it| it.name.as_str()).unwrap_or_default();
    let published = resource.status.as_ref().and_then(|it| it.published_secret.as_ref());
    let then = published.filter(|it| it.name != secret).map(|it| format!(", then remove Secret {}", it.name));
    let then = then.unwrap_or_default();
    let create = format!("create another one and publish its secret in Secret {secret}");
    match step {
        Step::Create { reason, replaces, .. } => {
            let replaces = replaces.as_ref().map(ToString::to_string).unwrap_or_default();
            match reason {
                CreateReason::First => {
                    format!("create a credential under {client} and publish its secret in Secret {secret}")
                }
                CreateReason::CredentialGone => format!("{replaces} is gone: {create}"),
                CreateReason::SecretLost => format!("the secret of {replaces} is lost: {create}"),
                CreateReason::Rotated => format!("rotate {replaces}: {create}"),
            }
        }
        Step::Publish(it) => format!("publish the secret of {} in Secret {secret}{then}", it.credential),
        Step::Relabel(name) => format!("put the operator's labels back on {name}"),
        Step::Delete(evidence) if resource.metadata.deletion_timestamp.is_some() => {
            format!("being deleted: delete {}, and in the end the published Secret", evidence.name())
        }
        Step::Delete(evidence) => format!("delete the superseded {}", evidence.name()),
        Step::DeleteSecret { name, .. } => format!("remove Secret {name}"),
        _ => "go on with what was begun".to_owned(),
    }
}

/// The superseded credentials, each with what its end waits for.
fn overlap(rotation: RotationState, status: &Status) -> Vec<NextStep> {
    let waits = match rotation {
        RotationState::OldStillInUse { last_seen } => format!("nobody uses it (last use {last_seen})"),
        RotationState::NewNotSeen => "the new one is used".to_owned(),
        RotationState::None | RotationState::Rotated => "nobody uses it".to_owned(),
    };
    let superseded = status.rotation.as_ref().map(|it| it.superseded.as_slice()).unwrap_or_default();
    let old = |name: &str, since| remark(format!("delete the superseded {name} (since {since}) once {waits}"));
    superseded.iter().map(|it| old(&it.name, it.since.0)).collect()
}

fn is_rotation_requested(resource: &ConfidenceClientCredential, status: &Status) -> bool {
    let requested = resource.annotations().get(ROTATE_REQUESTED_AT);
    let handled = status.rotation.as_ref().and_then(|it| it.last_handled_rotate_at.as_ref());
    requested.is_some() && requested != handled
}
