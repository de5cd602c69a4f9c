//! Last stage: the status, made only from what was really seen and done. Pure; [`super::publish`] writes it.

use std::time::Duration;

use jiff::Timestamp;

use super::outcome::{Applied, Help, Outcome, Problem};
use crate::api::conditions::{Reason, Truth, Type, Verdict, find, transition};
use crate::api::status::{Drift, LastUpdate, Time};
use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus as Status, RECONCILE_REQUESTED_AT};
use crate::confidence::wire::{ClientCredential, Field};
use crate::plan::Look;

/// What a status is made from beside the outcome.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) generation: Option<i64>,
    pub(super) requested_at: Option<String>,
    pub(super) name: String,
    pub(super) client: Option<String>,
    pub(super) last_seen_resolution: Duration,
    pub(super) now: Timestamp,
}

impl Facts {
    pub(super) fn of(object: &ConfidenceClientCredential, last_seen_resolution: Duration) -> Self {
        use kube::ResourceExt;
        let client =
            object.spec.name.as_deref().and_then(|name| name.parse::<crate::confidence::name::CredentialName>().ok());
        Self {
            generation: object.metadata.generation,
            requested_at: object.annotations().get(RECONCILE_REQUESTED_AT).cloned(),
            name: object.spec.name.clone().unwrap_or_default(),
            client: client.map(|name| format!("clients/{}", name.client())),
            last_seen_resolution,
            now: Timestamp::now(),
        }
    }
}

/// The status after a pass; equal to the one before where nothing is worth a write.
pub(super) fn next_status(before: &Status, facts: &Facts, outcome: &Outcome) -> Status {
    let mut next = before.clone();
    if let Outcome::Failed(Problem { help: Help::Nobody, before: done, .. }) = outcome {
        // How the resource stands is for another pass to say; what was written is recorded.
        if let Some(applied) = done {
            record_write(&mut next, facts, applied);
        }
        return next;
    }
    next.observed_generation = facts.generation;
    next.client.clone_from(&facts.client);
    let verdicts = match outcome {
        Outcome::Suspended => suspended(),
        Outcome::Applied(applied) => {
            see(&mut next, facts, &applied.credential);
            record(&mut next, facts, applied);
            verdicts_of(applied)
        }
        Outcome::Failed(problem) => {
            if let Some(applied) = &problem.before {
                see(&mut next, facts, &applied.credential);
                record(&mut next, facts, applied);
            }
            failed(before, facts, problem)
        }
    };
    next.conditions = transition(&before.conditions, verdicts, facts.generation, facts.now);
    if !matches!(outcome, Outcome::Suspended) {
        next.last_handled_reconcile_at.clone_from(&facts.requested_at);
    }
    if is_worth_writing(before, &next, facts, look(outcome)) { next } else { before.clone() }
}

/// Whether a status, as another run of this program left it, leaves nothing to be done until the next look.
pub(super) fn is_settled(object: &ConfidenceClientCredential) -> bool {
    let Some(status) = &object.status else { return false };
    let Some(ready) = find(&status.conditions, Type::Ready) else { return false };
    let is_told = ready.status == Truth::True.to_string() && !object.spec.suspend;
    let is_suspended = ready.reason == Reason::Suspended.to_string() && object.spec.suspend;
    let handled = object.spec.suspend
        || status.last_handled_reconcile_at.as_ref()
            == object.metadata.annotations.as_ref().and_then(|it| it.get(RECONCILE_REQUESTED_AT));
    status.observed_generation == object.metadata.generation && handled && (is_told || is_suspended)
}

/// Takes over what the server says of the credential.
fn see(next: &mut Status, facts: &Facts, credential: &ClientCredential) {
    // What is no name (a mock's) is no news: the one that was asked for stands.
    let name = credential.name.as_ref().map_or_else(|| facts.name.clone(), ToString::to_string);
    next.name = Some(name);
    next.create_time = credential.create_time.map(Time);
    next.update_time = credential.update_time.map(Time);
    next.last_seen_time = credential.last_seen_time.map(Time);
    next.creator.clone_from(&credential.creator);
    next.updater.clone_from(&credential.updater);
}

fn record(next: &mut Status, facts: &Facts, applied: &Applied) {
    next.drift = drift(&applied.differs);
    record_write(next, facts, applied);
}

fn record_write(next: &mut Status, facts: &Facts, applied: &Applied) {
    next.observed_secret.clone_from(&applied.secret);
    if let Some(written) = &applied.written {
        next.last_update = Some(LastUpdate {
            update_mask: written.update_mask.clone(),
            time: Time(applied.credential.update_time.unwrap_or(facts.now)),
        });
    }
}

fn drift(fields: &[Field]) -> Option<Drift> {
    let fields: Vec<String> = fields.iter().map(|field| field.json_name().to_owned()).collect();
    (!fields.is_empty()).then_some(Drift { fields })
}

fn suspended() -> Vec<Verdict> {
    let message = "spec.suspend is true: nothing is read or written until it is false".to_owned();
    vec![Verdict { r#type: Type::Ready, truth: Truth::Unknown, reason: Reason::Suspended, message }]
}

fn verdicts_of(applied: &Applied) -> Vec<Verdict> {
    let fields = join(&applied.differs);
    if applied.differs.is_empty() {
        let message = "every managed field is as the spec says".to_owned();
        return vec![
            Verdict { r#type: Type::Ready, truth: Truth::True, reason: Reason::InSync, message: message.clone() },
            Verdict { r#type: Type::Drifted, truth: Truth::False, reason: Reason::InSync, message },
        ];
    }
    if applied.report_only {
        let message = format!(
            "{fields} differ at Confidence; driftPolicy Report only tells of it: set it to Correct to write the spec there"
        );
        return vec![
            Verdict {
                r#type: Type::Ready,
                truth: Truth::True,
                reason: Reason::DriftReported,
                message: message.clone(),
            },
            Verdict { r#type: Type::Drifted, truth: Truth::True, reason: Reason::DriftReported, message },
        ];
    }
    let message = format!(
        "Confidence answered the update without error, and {fields} still differ; check that the values are ones that it \
         accepts, and that no one else keeps changing them"
    );
    let verdict = |r#type, truth| Verdict { r#type, truth, reason: Reason::UpdateNotApplied, message: message.clone() };
    vec![verdict(Type::Ready, Truth::False), verdict(Type::Stalled, Truth::True), verdict(Type::Drifted, Truth::True)]
}

fn failed(before: &Status, facts: &Facts, problem: &Problem) -> Vec<Verdict> {
    if let Some(standing) = same_trouble(before, facts, problem) {
        return standing;
    }
    let verdict = |r#type, truth| Verdict { r#type, truth, reason: problem.reason, message: problem.message.clone() };
    // What is known to differ, and what a person has to mend, is not ready; what could not be looked at, nobody can tell.
    let known = problem.before.is_some() || problem.help == Help::Person || problem.reason == Reason::Unauthenticated;
    let mut verdicts = vec![verdict(Type::Ready, if known { Truth::False } else { Truth::Unknown })];
    match problem.help {
        Help::Person => verdicts.push(verdict(Type::Stalled, Truth::True)),
        Help::Time | Help::Account | Help::Nobody => verdicts.push(verdict(Type::Reconciling, Truth::True)),
    }
    verdicts.extend(drifted_after_failure(before, problem));
    verdicts
}

/// Trouble that time will mend is told once: that its cause changes meanwhile (a reset, then a refused connection, then
/// the account's gate) is worth no write.
fn same_trouble(before: &Status, facts: &Facts, problem: &Problem) -> Option<Vec<Verdict>> {
    let passing = |help| matches!(help, Help::Time | Help::Account);
    let ready = find(&before.conditions, Type::Ready)?;
    let told = find(&before.conditions, Type::Reconciling).is_some_and(|it| it.status == Truth::True.to_string());
    let unauthenticated = Reason::Unauthenticated.to_string();
    let same_kind = (ready.reason == unauthenticated) == (problem.reason == Reason::Unauthenticated);
    let more_is_known = problem.before.is_some() && ready.status == Truth::Unknown.to_string();
    if !passing(problem.help) || !told || !same_kind || more_is_known || ready.observed_generation != facts.generation {
        return None;
    }
    before.conditions.iter().map(Verdict::read).collect()
}

/// Drift is as it was last seen: a look that failed saw nothing.
fn drifted_after_failure(before: &Status, problem: &Problem) -> Option<Verdict> {
    match &problem.before {
        None => find(&before.conditions, Type::Drifted).and_then(Verdict::read),
        Some(applied) if applied.differs.is_empty() => None,
        Some(applied) => Some(Verdict {
            r#type: Type::Drifted,
            truth: Truth::True,
            reason: problem.reason,
            message: format!("{} differ at Confidence and could not be written", join(&applied.differs)),
        }),
    }
}

fn join(fields: &[Field]) -> String {
    fields.iter().map(|field| field.json_name()).collect::<Vec<_>>().join(", ")
}

fn look(outcome: &Outcome) -> Option<Look> {
    match outcome {
        Outcome::Applied(applied) => Some(applied.look),
        Outcome::Failed(problem) => problem.before.as_ref().map(|applied| applied.look),
        Outcome::Suspended => None,
    }
}

/// Some things move by themselves: `lastSeenTime` with every flag that is resolved, and `updateTime` with our own looking
/// where looking is an update. Alone they are worth a write only as finely as the operator was told, or not at all.
fn is_worth_writing(before: &Status, next: &Status, facts: &Facts, look: Option<Look>) -> bool {
    let mut rest = next.clone();
    rest.last_seen_time = before.last_seen_time;
    if look == Some(Look::Update) {
        rest.update_time = before.update_time;
    }
    rest != *before || seen_later(before.last_seen_time, next.last_seen_time, facts.last_seen_resolution)
}

fn seen_later(before: Option<Time>, next: Option<Time>, resolution: Duration) -> bool {
    match (before, next) {
        (Some(Time(before)), Some(Time(next))) => next.duration_since(before).unsigned_abs() > resolution,
        (before, next) => before != next,
    }
}

#[cfg(test)]
mod tests;
