//! The life of a created credential: which one step comes next. Pure: no I/O, no clock, no random numbers.
//!
//! One sentence to build on: the published Secret says which credential is current; everything else that carries our owner
//! label is superseded and is retired by one rule. So recovery needs no state of its own.
//!
//! ```text
//!                          ┌───────────────── living ─────────────────┐      ┌──── removal ─────┐
//!  finalizer, suspended ──▶ settle the answer to our POST             │      │ outstanding POST │
//!  Secret not ours ──▶ Stall│   │                                     │      │ superseded: GET, │
//!  not listed ──▶ List      │   ▼                                     │      │   DELETE, 404    │
//!                           │ find the current one ── gone / lost ──┐ │      │ current: likewise│
//!                           │   │ in use                            ▼ │      │ LIST without any │
//!                           │   ▼                                recover     │ Secret           │
//!                           │ upkeep: Secret in shape             │   │      │ finalizer        │
//!                           │   go on with a cut-off rotation     │   │      └──────────────────┘
//!                           │   remove the former Secret          ▼   │
//!                           │   record in the status      turned up? publish it
//!                           │   correct managed fields            │   │
//!                           │   retire superseded ones            ▼   │
//!                           │   rotation due ──────────────▶ create: outstanding? listed? recorded? not too many?
//!                           │   rest                          dry run ▶ attempt ▶ POST ▶ (settle) Secret ▶ status
//!                           └─────────────────────────────────────────┘
//! ```
//!
//! The controller gathers [`Facts`], carries out the [`Step`], records what came of it and asks again. Each effect may be
//! the last one before a crash: the next process finds the same facts but for [`Memory`], which is never needed for safety.

use std::time::Duration;

use jiff::Timestamp;

mod attempt;
mod create;
mod evidence;
mod facts;
mod labels;
mod records;
mod removal;
mod retire;
mod rotation;
mod secret;
mod step;
mod view;

pub use attempt::{is_resolved, outcome_wait};
pub use create::{MAX_LIVE, MAX_LIVE_TO_CREATE};
pub use evidence::{Evidence, Grounds};
pub use facts::{
    Answer, AttemptMemory, AttemptOutcome, Created, Credential, Disclosure, DryRun, Facts, Fetched, Listing, Memory,
    Resource, Rotation, Secrets, Surroundings,
};
pub use labels::{
    ATTEMPT_LABEL, Attempt, InvalidAttempt, MAX_LABEL_LENGTH, OWNER_LABEL, OwnerLabel, RESOURCE_LABEL, resource_label,
};
pub use records::{FORGET_UNRESOLVED, PublishedRecord, Records, StallReason, Superseded, SupersededReason, Unresolved};
pub use retire::{RetireReason, Usage, Verdict, may_retire};
pub use rotation::rotation_due;
pub use secret::{ForeignSecret, OwnSecret, SecretState, SecretVersion, Value, ValueEvidence, is_restored};
pub use step::{
    CreateReason, GetPurpose, Publication, ReleaseReason, RotationState, Step, Until, ValueSource, WaitReason,
};

use crate::confidence::name::CredentialName;
use records::Current;
use view::{Ownership, View};

/// The one step that comes next.
pub fn next_step(facts: &Facts<'_>) -> Step {
    let step = if facts.resource.is_being_deleted { removal::next(facts) } else { living(facts) };
    step.unless_forbidden(facts.resource.reports_only)
}

fn living(facts: &Facts<'_>) -> Step {
    if let Some(step) = finalizer(facts.resource) {
        return step;
    }
    if facts.resource.is_suspended {
        return Step::Suspended;
    }
    if let SecretState::Foreign(_) = facts.secrets.current {
        return Step::Stall(StallReason::SecretNotOurs);
    }
    let now = match (facts.listing, facts.server_time) {
        (Listing::Failed, _) => return Step::wait(WaitReason::ListFailed),
        (Listing::None, _) | (_, None) => return Step::List,
        (Listing::Complete { .. } | Listing::Forbidden, Some(now)) => now,
    };
    if let Some(step) = create::settle(facts, now) {
        return step;
    }
    match find_current(facts, now) {
        Found::InUse(current) => upkeep(facts, now, current),
        Found::Needed(reason, replaces) => recover(facts, now, reason, replaces),
        Found::Step(step) => step,
    }
}

/// The finalizer is there if something may have to be deleted, and not otherwise.
fn finalizer(resource: &Resource) -> Option<Step> {
    let has_begun = resource.attempt.is_some() || resource.records.name.is_some();
    match (resource.deletes_credential, resource.has_finalizer) {
        (true, false) if has_begun => Some(Step::AddFinalizer),
        (false, true) => Some(Step::RemoveFinalizer(None)),
        _ => None,
    }
}

/// What there is to go on with.
#[expect(clippy::large_enum_variant, reason = "it lives for one call")]
enum Found<'a> {
    /// The published Secret names it, the value is in place, and it exists.
    InUse(Current<'a>),
    /// A credential is needed, in the place of this one.
    Needed(CreateReason, Option<CredentialName>),
    /// Something has to be done or known before.
    Step(Step),
}

fn find_current<'a>(facts: &Facts<'a>, now: Timestamp) -> Found<'a> {
    let Some(name) = facts.recorded() else { return unrecorded(facts) };
    let credential = match facts.view(name) {
        View::Unknown => return Found::Step(Step::get(name, GetPurpose::Missing)),
        View::Failed => return Found::Step(Step::wait(WaitReason::GetFailed)),
        View::Gone => return Found::Needed(CreateReason::CredentialGone, Some(name.clone())),
        View::Exists(credential) => credential,
    };
    match facts.ownership(credential) {
        Ownership::Ours => {}
        Ownership::Unlabelled => return Found::Step(put_labels_back(facts, credential)),
        Ownership::Elsewhere => return Found::Step(Step::Stall(StallReason::OwnedElsewhere)),
    }
    if let Some(current) = facts.in_use() {
        return Found::InUse(current);
    }
    match view::disclosure(facts, name) {
        None => Found::Step(Step::get(name, GetPurpose::ReadSecret)),
        Some(Disclosure::Withheld) => Found::Needed(CreateReason::SecretLost, Some(name.clone())),
        Some(Disclosure::Returned) => {
            Found::Step(create::publication(facts, now, name, credential.attempt, ValueSource::Returned))
        }
    }
}

/// No record names a credential. One of ours that is there all the same has lost its secret, if nobody returns it.
fn unrecorded<'a>(facts: &Facts<'a>) -> Found<'a> {
    if attempt::is_copied(facts) {
        return Found::Step(Step::Stall(StallReason::OwnedElsewhere));
    }
    let newest = facts.labelled().into_iter().max_by_key(|it| it.attempt.map(|attempt| attempt.number));
    match newest {
        Some(credential) => Found::Needed(CreateReason::SecretLost, Some(credential.name.clone())),
        None => Found::Needed(CreateReason::First, None),
    }
}

/// Somebody took our labels off a credential that a record names.
fn put_labels_back(facts: &Facts<'_>, credential: &Credential) -> Step {
    let name = &credential.name;
    match facts.answer(name) {
        None => Step::get(name, GetPurpose::Missing),
        Some(_) if records::may_relabel(facts, credential) => Step::Relabel(name.clone()),
        Some(_) => Step::Stall(StallReason::OwnedElsewhere),
    }
}

impl<'a> Facts<'a> {
    /// The credential that the published Secret names, if its value is in place and an answer shows it as ours.
    fn in_use(&self) -> Option<Current<'a>> {
        let secret = self.published().filter(|secret| secret.value == Value::AsWritten)?;
        let name = secret.credential.as_ref().filter(|name| name.client() == self.resource.client)?;
        let View::Exists(credential) = self.view(name) else { return None };
        (self.ownership(credential) == Ownership::Ours).then_some(Current { credential, secret })
    }
}

/// The credential that applications use, if it is published and in sync: it stays so whatever becomes of others.
pub fn in_sync<'a>(facts: &Facts<'a>) -> Option<&'a CredentialName> {
    let current = facts.in_use().filter(|current| current.credential.is_in_sync)?;
    (matches!(facts.secrets.current, SecretState::Own(_)) && current.secret.in_shape)
        .then_some(&current.credential.name)
}

/// A credential is needed. One that turns up is taken before another is created.
fn recover(facts: &Facts<'_>, now: Timestamp, reason: CreateReason, replaces: Option<CredentialName>) -> Step {
    create::turned_up(facts, now, false).unwrap_or_else(|| create::next(facts, now, reason, replaces))
}

/// A credential is in use: keep everything about it as asked.
fn upkeep(facts: &Facts<'_>, now: Timestamp, current: Current<'_>) -> Step {
    let name = &current.credential.name;
    let is_former = !matches!(facts.secrets.current, SecretState::Own(_));
    if is_former || !current.secret.in_shape {
        return create::publication(facts, now, name, current.secret.attempt, ValueSource::Published);
    }
    let switch = create::turned_up(facts, now, true);
    let step = switch.or_else(|| remove_former(facts)).or_else(|| records::next(facts, now, Some(current)));
    if let Some(step) = step {
        return step;
    }
    if !current.credential.is_in_sync {
        return Step::Correct(name.clone());
    }
    if *facts.listing != Listing::Forbidden
        && let Some(step) = retire::next(facts, now, Some(current))
    {
        return step;
    }
    let due = rotation_due(facts.resource, current.credential);
    let is_due = due.is_some_and(|due| due <= now) || rotation::is_requested(facts.resource);
    if is_due && facts.resource.records.superseded.is_empty() {
        return create::next(facts, now, CreateReason::Rotated, Some(name.clone()));
    }
    let (rotation, look_again) = retire::state(facts, now, current);
    let next_rotation = due.filter(|_| rotation == RotationState::None);
    Step::Rest { rotation, next_rotation: due, look_again: look_again.into_iter().chain(next_rotation).min() }
}

/// The new Secret is written: the former one has had its time.
fn remove_former(facts: &Facts<'_>) -> Option<Step> {
    let former = facts.secrets.former.as_ref()?;
    Some(Step::DeleteSecret { name: former.name.clone(), version: former.version.clone() })
}

/// A time after a time of the server.
fn later(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
