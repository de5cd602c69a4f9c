//! `reconcile`, `rotate`, `suspend` and `resume`: ask the operator for something, and wait until it has answered.

// The docs of the flags are their --help: text for a terminal, without the marks of Markdown.
#![allow(clippy::doc_markdown)]

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};

use super::error::one_line;
use super::progress::Progress;
use super::{ClusterFlags, CommandError, PROGRAM, output};
use crate::api::conditions::{self, Reason, Type};
use crate::api::{ConfidenceClientCredential, RECONCILE_REQUESTED_AT, ROTATE_REQUESTED_AT, durations};

/// The flags of `reconcile`, `rotate`, `suspend` and `resume`.
#[derive(Clone, Debug, Args)]
pub struct RequestFlags {
    /// The name of the resource
    pub name: String,
    /// Wait until the operator has acted on it
    #[arg(long)]
    pub wait: bool,
    /// How long to wait
    #[arg(long, default_value = "5m", value_parser = durations::parse, value_name = "DURATION")]
    pub timeout: Duration,
    /// Which cluster.
    #[command(flatten, next_help_heading = "Cluster")]
    pub cluster: ClusterFlags,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// A reconcile at once.
    Reconcile,
    /// One rotation.
    Rotate,
    /// No more calls for this resource.
    Suspend,
    /// Calls again.
    Resume,
}

/// Runs a command to its exit code.
pub(super) async fn run(request: Request, flags: &RequestFlags) -> Result<u8, CommandError> {
    let api = flags.cluster.connect().await?.resources();
    let tried = format!("resource {}", flags.name);
    let failed = |error| CommandError::kube(&tried, &error);
    let resource = api.get(&flags.name).await.map_err(failed)?;
    if let Some(refusal) = refusal(request, &resource) {
        return Err(CommandError::new(format!("{tried} {refusal}")));
    }
    let value = Timestamp::now().to_string();
    let parameters = PatchParams { field_manager: Some(PROGRAM.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(patch(request, &value));
    let patched = api.patch(&flags.name, &parameters, &patch).await.map_err(failed)?;
    if !flags.wait {
        output::print(&format!("{}: {}\n", flags.name, request.words()))?;
        return Ok(0);
    }
    let generation = patched.metadata.generation;
    let progress = Progress::of("waiting for the operator");
    let is_over = |it: Option<&ConfidenceClientCredential>| {
        it.is_none_or(|it| {
            progress.say(format!(" ({})", one_line(&standing(it))));
            is_done(request, &value, generation, it)
        })
    };
    let waited = tokio::time::timeout(flags.timeout, await_condition(api.clone(), &flags.name, is_over)).await;
    drop(progress);
    let Ok(waited) = waited else {
        let now = api.get(&flags.name).await.map_err(failed)?;
        return Err(CommandError::new(timed_out(&flags.name, flags.timeout, &now)));
    };
    let done = waited.map_err(|error| CommandError::new(format!("{tried} cannot be watched: {error}")))?;
    let done = done.ok_or_else(|| CommandError::new(format!("{tried} was deleted meanwhile")))?;
    let (text, code) = result(request, &flags.name, &done);
    output::print(&text)?;
    Ok(code)
}

impl Request {
    fn words(self) -> &'static str {
        match self {
            Self::Reconcile => "reconcile requested",
            Self::Rotate => "rotation requested",
            Self::Suspend => "suspended",
            Self::Resume => "resumed",
        }
    }
}

/// Why it cannot be asked for, with what to do.
fn refusal(request: Request, resource: &ConfidenceClientCredential) -> Option<String> {
    let needs_operator = matches!(request, Request::Reconcile | Request::Rotate);
    if resource.spec.suspend && needs_operator {
        return Some("is suspended, so the operator does nothing for it; resume it first".to_owned());
    }
    if request != Request::Rotate {
        return None;
    }
    if resource.spec.client.is_none() {
        return Some("keeps an existing credential (spec.name); only one with spec.client can rotate".to_owned());
    }
    let has_credential = resource.status.as_ref().is_some_and(|it| it.name.is_some());
    (!has_credential).then(|| "has no credential yet; rotate once it is Ready".to_owned())
}

fn patch(request: Request, value: &str) -> Value {
    match request {
        Request::Reconcile => json!({"metadata": {"annotations": {RECONCILE_REQUESTED_AT: value}}}),
        Request::Rotate => json!({"metadata": {"annotations": {ROTATE_REQUESTED_AT: value}}}),
        Request::Suspend => json!({"spec": {"suspend": true}}),
        Request::Resume => json!({"spec": {"suspend": false}}),
    }
}

/// Whether the status answers the request: by its echo, or by a condition that was judged for the new spec.
fn is_done(request: Request, value: &str, generation: Option<i64>, resource: &ConfidenceClientCredential) -> bool {
    let Some(status) = &resource.status else { return false };
    let judged = ready(resource).filter(|it| it.observed_generation >= generation);
    let is_suspended = |it: &Condition| it.reason == Reason::Suspended.to_string();
    match request {
        Request::Reconcile => status.last_handled_reconcile_at.as_deref() == Some(value),
        Request::Rotate => {
            status.rotation.as_ref().is_some_and(|it| it.last_handled_rotate_at.as_deref() == Some(value))
        }
        Request::Suspend => judged.is_some_and(is_suspended),
        Request::Resume => judged.is_some_and(|it| !is_suspended(it)),
    }
}

fn ready(resource: &ConfidenceClientCredential) -> Option<&Condition> {
    conditions::find(&resource.status.as_ref()?.conditions, Type::Ready)
}

/// What came of it, and the exit code: 1 where the operator acted and the resource is not ready.
fn result(request: Request, name: &str, resource: &ConfidenceClientCredential) -> (String, u8) {
    let is_failed = request != Request::Suspend && ready(resource).is_some_and(|it| it.status == "False");
    (format!("{name}: {}\n", standing(resource)), u8::from(is_failed))
}

fn standing(resource: &ConfidenceClientCredential) -> String {
    ready(resource)
        .map_or_else(|| "no status yet".to_owned(), |it| format!("Ready={}, {}: {}", it.status, it.reason, it.message))
}

fn timed_out(name: &str, timeout: Duration, resource: &ConfidenceClientCredential) -> String {
    let conditions = resource.status.as_ref().map(|it| it.conditions.as_slice()).unwrap_or_default();
    let rotating = conditions::find(conditions, Type::Rotating);
    let rotating = rotating.map(|it| format!("; Rotating: {}", it.message)).unwrap_or_default();
    format!(
        "resource {name}: the operator did not answer within {} s ({}{rotating}); check that it runs and watches this namespace",
        timeout.as_secs(),
        standing(resource)
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn resource(spec: &Value, status: &Value) -> ConfidenceClientCredential {
        let object = json!({"apiVersion": "iam.confidence.dev/v1alpha1", "kind": "ConfidenceClientCredential",
                            "metadata": {"name": "r"}, "spec": spec, "status": status});
        serde_json::from_value(object).unwrap()
    }

    fn judged(generation: i64, truth: &str, reason: &str) -> Value {
        json!({"conditions": [{"type": "Ready", "status": truth, "reason": reason, "message": "m",
                               "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z"}]})
    }

    /// The echo of another request is not ours.
    #[test]
    fn request_is_done_at_own_echo() {
        let adopt = json!({"name": "n", "displayName": "d"});
        for (request, status) in [
            (Request::Reconcile, json!({"lastHandledReconcileAt": "mine"})),
            (Request::Rotate, json!({"rotation": {"lastHandledRotateAt": "mine"}})),
        ] {
            let resource = resource(&adopt, &status);
            assert!(is_done(request, "mine", Some(1), &resource), "{request:?}");
            assert!(!is_done(request, "another", Some(1), &resource), "{request:?}");
        }
    }

    /// A condition that was judged for an older spec says nothing of the new one.
    #[test]
    fn suspend_is_done_at_new_generation() {
        let adopt = json!({"name": "n", "displayName": "d"});
        let at = |generation, reason| resource(&adopt, &judged(generation, "Unknown", reason));
        assert!(is_done(Request::Suspend, "", Some(2), &at(2, "Suspended")));
        assert!(!is_done(Request::Suspend, "", Some(2), &at(1, "Suspended")));
        assert!(!is_done(Request::Suspend, "", Some(2), &at(2, "InSync")));
        assert!(is_done(Request::Resume, "", Some(3), &at(3, "InSync")));
        assert!(!is_done(Request::Resume, "", Some(3), &at(2, "InSync")));
        assert!(!is_done(Request::Resume, "", Some(3), &at(3, "Suspended")));
    }

    /// What would never be answered is refused at once.
    #[test]
    fn hopeless_request_is_refused() {
        let create = json!({"client": "clients/c", "displayName": "d", "publishedSecret": {"name": "s"}});
        let adopt = json!({"name": "n", "displayName": "d"});
        let suspended = json!({"name": "n", "displayName": "d", "suspend": true});
        let refused = |request, spec: &Value, status: &Value| refusal(request, &resource(spec, status)).is_some();
        assert!(refused(Request::Rotate, &adopt, &Value::Null));
        assert!(refused(Request::Rotate, &create, &Value::Null));
        assert!(!refused(Request::Rotate, &create, &json!({"name": "clients/c/credentials/k"})));
        assert!(refused(Request::Reconcile, &suspended, &Value::Null));
        assert!(!refused(Request::Resume, &suspended, &Value::Null));
    }

    /// A script learns that the operator acted in vain.
    #[test]
    fn unready_result_is_exit_code_1() {
        let adopt = json!({"name": "n", "displayName": "d"});
        for (truth, code) in [("True", 0), ("False", 1), ("Unknown", 0)] {
            let resource = resource(&adopt, &judged(1, truth, "InSync"));
            assert_eq!(result(Request::Reconcile, "r", &resource), (format!("r: Ready={truth}, InSync: m\n"), code));
        }
    }
}
