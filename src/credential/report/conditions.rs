//! The conditions after a reconcile. Ready always; the others only while they are True.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{Facts, join};
use crate::api::ConfidenceClientCredentialStatus as Status;
use crate::api::conditions::{Reason, Truth, Type, Verdict, find, transition};
use crate::confidence::Recovery;
use crate::credential::outcome::{Applied, Failure, Outcome};

/// The conditions after an outcome.
pub(super) fn after(before: &Status, facts: &Facts, outcome: &Outcome) -> Vec<Condition> {
    let judge = |verdicts| transition(&before.conditions, verdicts, facts.generation, facts.now);
    match outcome {
        Outcome::Suspended => judge(suspended()),
        Outcome::Released => before.conditions.clone(),
        Outcome::Applied(applied) => judge(applied_verdicts(applied)),
        Outcome::Living(applied, life) => judge([applied_verdicts(applied), life.verdicts()].concat()),
        Outcome::Failed(failure) if is_reported(before, facts, failure) => before.conditions.clone(),
        Outcome::Failed(failure) => {
            let mut conditions = judge(failed(failure));
            conditions.extend(drifted_after_failure(before, facts, failure));
            // What a failed attempt learned nothing of stays as it is.
            let standing = [Type::Published, Type::Rotating].into_iter().filter_map(|it| find(&before.conditions, it));
            conditions.extend(standing.cloned());
            conditions
        }
    }
}

fn suspended() -> Vec<Verdict> {
    let message = "spec.suspend is true: the operator makes no call until it is false".to_owned();
    vec![Verdict { r#type: Type::Ready, truth: Truth::Unknown, reason: Reason::Suspended, message }]
}

fn in_sync() -> Verdict {
    let message = "every managed field is as the spec says".to_owned();
    Verdict { r#type: Type::Ready, truth: Truth::True, reason: Reason::InSync, message }
}

fn applied_verdicts(applied: &Applied) -> Vec<Verdict> {
    let fields = join(applied.remaining());
    if applied.remaining().is_empty() {
        return vec![in_sync()];
    }
    if applied.is_report() {
        let message = format!(
            "{fields} differ at Confidence; driftPolicy Report only reports it: set it to Correct to write the spec there"
        );
        let verdict =
            |r#type| Verdict { r#type, truth: Truth::True, reason: Reason::DriftReported, message: message.clone() };
        return vec![verdict(Type::Ready), verdict(Type::Drifted)];
    }
    let message = format!(
        "Confidence accepted the update without error, and {fields} still differ; check that it accepts these values, and \
         that no one else keeps changing them"
    );
    let verdict = |r#type, truth| Verdict { r#type, truth, reason: Reason::UpdateNotApplied, message: message.clone() };
    vec![verdict(Type::Ready, Truth::False), verdict(Type::Stalled, Truth::True), verdict(Type::Drifted, Truth::True)]
}

fn failed(failure: &Failure) -> Vec<Verdict> {
    let verdict = |r#type, truth| Verdict { r#type, truth, reason: failure.reason, message: failure.message.clone() };
    // What is known to differ, and what a person has to fix, is not ready; what could not be observed, nobody knows.
    let is_known = failure.before.is_some()
        || failure.recovery == Recovery::UserAction
        || failure.reason == Reason::Unauthenticated;
    let unready = if is_known { Truth::False } else { Truth::Unknown };
    // Ready stays True through a rotation.
    let ready = if failure.is_beside { in_sync() } else { verdict(Type::Ready, unready) };
    match failure.recovery {
        Recovery::UserAction => vec![ready, verdict(Type::Stalled, Truth::True)],
        Recovery::Retry | Recovery::Account | Recovery::None => vec![ready, verdict(Type::Reconciling, Truth::True)],
    }
}

/// A failure that passes is reported once by a process: that its cause changes meanwhile (a reset, then a refused connection,
/// then the blocked account) is worth no write.
fn is_reported(before: &Status, facts: &Facts, failure: &Failure) -> bool {
    let Some(ready) = find(&before.conditions, Type::Ready) else { return false };
    let is_passing = |recovery| matches!(recovery, Recovery::Retry | Recovery::Account);
    let is_same_kind =
        (ready.reason == Reason::Unauthenticated.to_string()) == (failure.reason == Reason::Unauthenticated);
    let knows_more = failure.before.is_some() && ready.status == Truth::Unknown.to_string();
    facts.has_reported_failure
        && is_passing(failure.recovery)
        && find(&before.conditions, Type::Reconciling).is_some()
        && is_same_kind
        && !knows_more
        && (ready.status == Truth::True.to_string()) == failure.is_beside
        && ready.observed_generation == facts.generation
}

/// Drift is as it was last observed, and for the spec that it was compared with: a failed attempt observed nothing.
fn drifted_after_failure(before: &Status, facts: &Facts, failure: &Failure) -> Option<Condition> {
    let Some(applied) = &failure.before else { return find(&before.conditions, Type::Drifted).cloned() };
    if applied.remaining().is_empty() {
        return None;
    }
    let message = format!("{} differ at Confidence and could not be written", join(applied.remaining()));
    let verdict = Verdict { r#type: Type::Drifted, truth: Truth::True, reason: failure.reason, message };
    transition(&before.conditions, vec![verdict], facts.generation, facts.now).pop()
}
