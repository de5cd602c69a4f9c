//! Last stage: the status and the events, made only from what was really observed and written. Pure; the status writer of
//! the engine writes them.

mod conditions;
mod events;

use std::time::Duration;

use jiff::Timestamp;

use super::outcome::{Applied, Failure, Outcome};
use super::requests::Requests;
use crate::api::conditions::{Reason, Truth, Type, find};
use crate::api::status::{Drift, LastUpdate, Origin, Time};
use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus as Status};
use crate::confidence::Recovery;
use crate::confidence::name::CredentialName;
use crate::confidence::wire::{ClientCredential, Field};
use crate::plan::Method;

pub(super) use self::events::events;

/// What a status is made from beside the outcome.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) generation: Option<i64>,
    pub(super) requests: Requests,
    /// The name in the spec.
    pub(super) name: Option<CredentialName>,
    /// The client in the spec: `clients/{client}`.
    pub(super) client: Option<String>,
    pub(super) last_seen_resolution: Duration,
    /// Whether this process has reported a failure that still lasts.
    pub(super) has_reported_failure: bool,
    pub(super) now: Timestamp,
}

impl Facts {
    pub(super) fn of(
        object: &ConfidenceClientCredential,
        last_seen_resolution: Duration,
        has_reported_failure: bool,
    ) -> Self {
        let name = super::resolve::credential_name(&object.spec).ok();
        Self {
            generation: object.metadata.generation,
            requests: Requests::of(object),
            client: client_of(object, name.as_ref()),
            name,
            last_seen_resolution,
            has_reported_failure,
            now: Timestamp::now(),
        }
    }
}

fn client_of(object: &ConfidenceClientCredential, name: Option<&CredentialName>) -> Option<String> {
    object.spec.client.clone().or_else(|| Some(format!("clients/{}", name?.client())))
}

/// The status after a reconcile; equal to the one before where nothing is worth a write.
pub(super) fn next_status(before: &Status, facts: &Facts, outcome: &Outcome) -> Status {
    let mut next = before.clone();
    if let Outcome::Failed(Failure { recovery: Recovery::None, before: done, .. }) = outcome {
        // How the resource stands is for another reconcile to say; what was written is recorded.
        if let Some(applied) = done {
            record_write(&mut next, facts, applied);
        }
        return next;
    }
    next.observed_generation = facts.generation;
    next.client = facts.client.clone().or_else(|| next.client.take());
    if let Some(applied) = outcome.applied() {
        record_observation(&mut next, facts, applied.credential());
        next.drift = drift(applied.remaining());
        record_write(&mut next, facts, applied);
    }
    if matches!(outcome, Outcome::Failed(failure) if failure.reason == Reason::Conflict) {
        // Another resource holds the credential: this one must not seem to.
        next.name = None;
    }
    if facts.name.is_some() && next.name.is_some() {
        next.origin = Some(Origin::Adopted);
    }
    next.conditions = conditions::after(before, facts, outcome);
    if let Outcome::Living(_, life) = outcome {
        life.put(&mut next);
    }
    if !matches!(outcome, Outcome::Suspended | Outcome::Released) {
        next.last_handled_reconcile_at.clone_from(&facts.requests.reconcile);
    }
    if is_worth_writing(before, &next, facts, outcome.applied().map(Applied::method)) { next } else { before.clone() }
}

/// Whether a status, as an earlier run of this program left it, leaves nothing to be done until the next resync.
pub(super) fn is_converged(object: &ConfidenceClientCredential) -> bool {
    let Some(status) = &object.status else { return false };
    let Some(ready) = find(&status.conditions, Type::Ready) else { return false };
    if status.observed_generation != object.metadata.generation {
        return false;
    }
    if object.spec.suspend {
        return ready.reason == Reason::Suspended.to_string();
    }
    let is_ready = ready.status == Truth::True.to_string() && ready.observed_generation == object.metadata.generation;
    // A rotation that failed goes on.
    let is_at_rest = [Type::Reconciling, Type::Stalled].into_iter().all(|it| find(&status.conditions, it).is_none());
    is_ready && is_at_rest && status.last_handled_reconcile_at == Requests::of(object).reconcile
}

/// Whether a status says that the credential was in sync with this generation of the spec: what differs later, somebody else
/// changed.
pub(super) fn is_in_sync(status: &Status, generation: Option<i64>) -> bool {
    find(&status.conditions, Type::Ready)
        .is_some_and(|ready| ready.reason == Reason::InSync.to_string() && ready.observed_generation == generation)
}

/// Takes over what the server says of the credential.
fn record_observation(next: &mut Status, facts: &Facts, credential: &ClientCredential) {
    // What is no name (a mock's) is no news: the one that was asked for stands.
    next.name = credential.name.as_ref().or(facts.name.as_ref()).map(ToString::to_string);
    next.create_time = credential.create_time.map(Time);
    next.update_time = credential.update_time.map(Time);
    next.last_seen_time = credential.last_seen_time.map(Time);
    next.creator.clone_from(&credential.creator);
    next.updater.clone_from(&credential.updater);
}

fn record_write(next: &mut Status, facts: &Facts, applied: &Applied) {
    next.observed_secret = applied.secret().cloned();
    if let Some(update_mask) = applied.written() {
        next.last_update = Some(LastUpdate {
            update_mask: update_mask.to_owned(),
            time: Time(applied.credential().update_time.unwrap_or(facts.now)),
        });
    }
}

fn drift(fields: &[Field]) -> Option<Drift> {
    let fields: Vec<String> = fields.iter().map(|field| field.json_name().to_owned()).collect();
    (!fields.is_empty()).then_some(Drift { fields })
}

fn join(fields: &[Field]) -> String {
    fields.iter().map(|field| field.json_name()).collect::<Vec<_>>().join(", ")
}

/// Some things move by themselves: `lastSeenTime` with every flag that is resolved, and `updateTime` with our own observing
/// where that is an update. Alone they are worth a write only as finely as the operator was told, or not at all.
fn is_worth_writing(before: &Status, next: &Status, facts: &Facts, method: Option<Method>) -> bool {
    let mut rest = next.clone();
    rest.last_seen_time = before.last_seen_time;
    if method == Some(Method::Update) {
        rest.update_time = before.update_time;
    }
    rest != *before || is_seen_later(before.last_seen_time, next.last_seen_time, facts.last_seen_resolution)
}

fn is_seen_later(before: Option<Time>, next: Option<Time>, resolution: Duration) -> bool {
    match (before, next) {
        (Some(Time(before)), Some(Time(next))) => next.duration_since(before).unsigned_abs() > resolution,
        (before, next) => before != next,
    }
}

#[cfg(test)]
mod tests;
