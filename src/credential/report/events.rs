//! The events of a reconcile. An event tells a transition, not a state: the same status twice tells nothing.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::is_in_sync;
use crate::api::ConfidenceClientCredentialStatus as Status;
use crate::api::conditions::{Reason, Type, find};
use crate::confidence::Recovery;
use crate::credential::outcome::{Applied, Outcome};
use crate::engine::EventDraft;

/// The events of a reconcile, given the status before and after it.
pub(in crate::credential) fn events(before: &Status, after: &Status, outcome: &Outcome) -> Vec<EventDraft> {
    let mut events = Vec::new();
    if let Some(applied) = outcome.applied() {
        events.extend(drift_detected(before, after, applied));
        events.extend(updated(applied));
    }
    let is_warning = match outcome {
        Outcome::Suspended | Outcome::Released => false,
        Outcome::Applied(applied) | Outcome::Living(applied, _) => !applied.is_converged(),
        // A blocked account is an event of the account, not of each resource.
        Outcome::Failed(failure) => failure.recovery != Recovery::Account,
    };
    if is_warning {
        events.extend(warning(before, after, told_by(after, outcome)));
    }
    if find(&after.conditions, Type::Rotating).is_some_and(|it| it.reason != Reason::Rotating.to_string()) {
        events.extend(warning(before, after, Type::Rotating));
    }
    events
}

/// The condition whose change is told: beside a failure that leaves Ready as it is, another one says what is wrong.
fn told_by(after: &Status, outcome: &Outcome) -> Type {
    match outcome {
        Outcome::Failed(failure) if failure.is_beside => {
            if find(&after.conditions, Type::Stalled).is_some() {
                Type::Stalled
            } else {
                Type::Reconciling
            }
        }
        _ => Type::Ready,
    }
}

fn updated(applied: &Applied) -> Option<EventDraft> {
    let mask = applied.written()?.replace(',', ", ");
    let note = format!("Updated {mask} at Confidence");
    Some(EventDraft { warning: false, reason: "Updated".to_owned(), action: "Update", note })
}

/// Only a change that is not the user's own is drift.
fn drift_detected(before: &Status, after: &Status, applied: &Applied) -> Option<EventDraft> {
    let was_in_sync = is_in_sync(before, after.observed_generation);
    let foreign = applied.drifted().iter().filter(|it| applied.is_foreign(it, was_in_sync));
    let fields: Vec<_> = foreign.map(|change| change.field.json_name()).collect();
    let is_told = applied.is_report() && before.drift == after.drift;
    if fields.is_empty() || is_told {
        return None;
    }
    let by = after.updater.as_deref().filter(|it| applied.written().is_none() && !it.is_empty());
    let by = by.map_or_else(String::new, |updater| format!("; {updater} wrote the credential last"));
    let note = format!("{} differed from the spec at Confidence{by}", fields.join(", "));
    Some(EventDraft { warning: true, reason: "DriftDetected".to_owned(), action: "Compare", note })
}

/// A warning where the reason of a condition changed. The message of an old credential in use moves with its last use.
fn warning(before: &Status, after: &Status, r#type: Type) -> Option<EventDraft> {
    let ready = find(&after.conditions, r#type)?;
    let is_ready = r#type == Type::Ready;
    let words = |it: &Condition| (it.reason.clone(), is_ready.then(|| it.message.clone()));
    let is_new = find(&before.conditions, r#type).map(words) != Some(words(ready));
    is_new.then(|| EventDraft {
        warning: true,
        reason: ready.reason.clone(),
        action: "Reconcile",
        note: ready.message.clone(),
    })
}
