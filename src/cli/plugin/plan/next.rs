//! What comes next in the life of a resource, in words, as far as its spec and status tell. Pure.

use jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use crate::api::spec::{DeletionPolicy, DriftPolicy};
use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus as Status, ROTATE_REQUESTED_AT};

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

/// What comes next for a resource whose fields differ or not, and whose created credential is gone or not.
pub(super) fn next_steps(
    resource: &ConfidenceClientCredential,
    differs: bool,
    is_gone: bool,
    now: Timestamp,
) -> Vec<NextStep> {
    let mut steps = if resource.metadata.deletion_timestamp.is_some() {
        vec![deletion(resource)]
    } else if resource.spec.client.is_some() {
        creation(resource, is_gone, now)
    } else {
        Vec::new()
    };
    let has_changes = differs || steps.iter().any(|step| step.is_change);
    if resource.spec.suspend {
        steps.push(remark("suspended: the operator does nothing until spec.suspend is false"));
    } else if has_changes && resource.spec.drift_policy == DriftPolicy::Report {
        steps.push(remark("driftPolicy Report: the operator reports this and writes nothing"));
    }
    steps
}

fn deletion(resource: &ConfidenceClientCredential) -> NextStep {
    match resource.spec.effective_deletion_policy() {
        DeletionPolicy::Delete => change("being deleted: delete the credential and the published Secret"),
        _ => remark("being deleted: credential and Secret stay"),
    }
}

fn creation(resource: &ConfidenceClientCredential, is_gone: bool, now: Timestamp) -> Vec<NextStep> {
    let spec = &resource.spec;
    let client = spec.client.as_deref().unwrap_or_default();
    let secret = spec.published_secret.as_ref().map(|it| it.name.as_str()).unwrap_or_default();
    let status = resource.status.clone().unwrap_or_default();
    let Some(name) = status.name.as_deref() else {
        return vec![change(format!("create a credential under {client} and publish its secret in Secret {secret}"))];
    };
    if is_gone {
        return vec![change(format!("{name} is gone: create another one and publish its secret in Secret {secret}"))];
    }
    let mut steps = Vec::new();
    match status.published_secret.as_ref() {
        None => steps.push(change(format!("publish the secret in Secret {secret}"))),
        Some(published) if published.name != secret => {
            steps.push(change(format!("publish the secret in Secret {secret}, then remove Secret {}", published.name)));
        }
        Some(_) => {}
    }
    steps.extend(rotation(resource, &status, now));
    steps
}

fn rotation(resource: &ConfidenceClientCredential, status: &Status, now: Timestamp) -> Vec<NextStep> {
    let rotation = status.rotation.clone().unwrap_or_default();
    let old = |it: &crate::api::status::Superseded| {
        remark(format!("delete the superseded {} (since {}) once nobody uses it", it.name, it.since.0))
    };
    let mut steps: Vec<NextStep> = rotation.superseded.iter().map(old).collect();
    let is_overlapping = !steps.is_empty();
    let requested = resource.annotations().get(ROTATE_REQUESTED_AT);
    let is_requested = requested.is_some() && requested != rotation.last_handled_rotate_at.as_ref();
    let due =
        rotation.next_rotation_time.filter(|_| resource.spec.rotation.as_ref().is_some_and(|it| it.every.is_some()));
    let is_due = is_requested || due.is_some_and(|it| it.0 <= now);
    match due {
        _ if is_due && is_overlapping => steps.push(remark("rotate after that")),
        _ if is_due => steps.push(change("rotate: create another credential and publish its secret")),
        Some(due) => steps.push(remark(format!("the next rotation is at {}", due.0))),
        None => {}
    }
    steps
}
