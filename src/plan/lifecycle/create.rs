//! Whether a credential may be created, and the steps up to the POST.

use std::time::Duration;

use jiff::Timestamp;

use super::facts::{Answer, Created, Credential, Disclosure, DryRun, Facts, Listing};
use super::labels::Attempt;
use super::records::{Superseded, SupersededReason};
use super::secret::{OwnSecret, SecretState, Value};
use super::step::{CreateReason, GetPurpose, Publication, Step, Until, ValueSource, WaitReason};
use super::view::{Ownership, View};
use super::{StallReason, attempt, evidence, later, records, retire};
use crate::confidence::name::CredentialName;

/// How many live credentials a resource may have for another one to be created, unless to repair.
pub const MAX_LIVE_TO_CREATE: usize = 2;
/// How many live credentials a resource may ever have, with those that may still land.
pub const MAX_LIVE: usize = 5;
/// How old a credential has to be for a repair to replace it: bounds a loop of repairs.
const MIN_AGE_TO_REPLACE: Duration = Duration::from_mins(1);

/// The next step towards a new credential. Nothing is current, or the current one is being rotated.
pub(super) fn next(facts: &Facts<'_>, now: Timestamp, reason: CreateReason, replaces: Option<CredentialName>) -> Step {
    if let Some(step) = obstacle(facts, now, reason, replaces.as_ref()) {
        return step;
    }
    if let Some(attempt) = attempt::sendable(facts) {
        return Step::Create { attempt, reason, replaces };
    }
    match facts.memory.dry_run {
        DryRun::NotDone => Step::DryRunSecret,
        DryRun::Refused => Step::Stall(StallReason::SecretNotWritable),
        DryRun::Accepted => Step::WriteAttempt {
            attempt: attempt::following(facts),
            with_finalizer: facts.resource.deletes_credential && !facts.resource.has_finalizer,
        },
    }
}

/// Why nothing may be created now, as the step to take instead.
fn obstacle(
    facts: &Facts<'_>,
    now: Timestamp,
    reason: CreateReason,
    replaces: Option<&CredentialName>,
) -> Option<Step> {
    if let Some(bar) = facts.resource.bar {
        let record = records::next(facts, now, facts.in_use());
        return Some(record.or_else(|| retire::next(facts, now, facts.in_use())).unwrap_or(Step::Stall(bar)));
    }
    if *facts.listing == Listing::Forbidden {
        return Some(Step::Stall(StallReason::CannotList));
    }
    if let Some(step) = attempt::outstanding(facts, now) {
        return Some(step);
    }
    if facts.current_listing().is_none() {
        return Some(Step::List);
    }
    let current = if reason == CreateReason::Rotated { facts.in_use() } else { None };
    if let Some(step) = records::next(facts, now, current) {
        return Some(step);
    }
    if has_too_many(facts, reason) {
        return Some(retire::next(facts, now, None).unwrap_or(Step::Stall(StallReason::TooManyLive)));
    }
    too_young(facts, now, reason, replaces?)
}

/// A repair may use what the cap leaves, because without it nothing works.
fn has_too_many(facts: &Facts<'_>, reason: CreateReason) -> bool {
    let live = live(facts);
    let is_crowded = live > MAX_LIVE_TO_CREATE && !is_repair(reason);
    is_crowded || live + facts.resource.records.unresolved.len() + 1 > MAX_LIVE
}

fn is_repair(reason: CreateReason) -> bool {
    matches!(reason, CreateReason::SecretLost | CreateReason::CredentialGone)
}

/// How many credentials of ours are live, as far as anything says: what a record names and no 404 denied, too.
fn live(facts: &Facts<'_>) -> usize {
    let records = &facts.resource.records;
    let recorded = records.name.iter().chain(records.superseded.iter().map(|it| &it.name));
    let labelled = facts.labelled().into_iter().filter(|it| records::may_be_ours(facts, it)).map(|it| &it.name);
    let live = recorded.chain(labelled).filter(|name| !facts.is_gone(name));
    live.collect::<std::collections::BTreeSet<_>>().len()
}

fn too_young(facts: &Facts<'_>, now: Timestamp, reason: CreateReason, replaces: &CredentialName) -> Option<Step> {
    let created = match facts.view(replaces) {
        View::Exists(credential) => credential.create_time,
        _ if facts.resource.records.name.as_ref() == Some(replaces) => facts.resource.records.create_time,
        _ => None,
    };
    let may_begin = later(created?, MIN_AGE_TO_REPLACE);
    let until = Some(Until::Server(may_begin));
    (is_repair(reason) && now < may_begin).then_some(Step::Wait { until, reason: WaitReason::TooYoungToReplace })
}

/// What the answer to our last POST needs: its secret published, or to be got rid of.
pub(super) fn settle(facts: &Facts<'_>, now: Timestamp) -> Option<Step> {
    let created = facts.memory.created.as_ref()?;
    let name = &created.credential.name;
    let is_older = created.credential.attempt.is_some_and(|attempt| facts.published_number() > Some(attempt.number));
    let is_its = |secret: &OwnSecret| secret.credential.as_ref() == Some(name) && secret.value == Value::AsWritten;
    let is_handed_over = !created.holds_secret && facts.is_published(name);
    let is_settled = is_handed_over || facts.published().is_some_and(is_its);
    if is_settled || is_older || facts.is_superseded(name) || facts.is_gone(name) {
        return None;
    }
    let credential = match facts.view(name) {
        View::Exists(credential) => credential,
        View::Unknown => return Some(Step::get(name, GetPurpose::VerifyCreated)),
        View::Failed | View::Gone => return Some(Step::wait(WaitReason::GetFailed)),
    };
    let is_verified = facts.answer(name).is_some();
    let is_sure = created.holds_secret && (is_verified || !attempt::may_be_deleted_by_others(facts, created.posted));
    let is_returned = evidence::is_returned(facts, name);
    match facts.ownership(credential) {
        Ownership::Ours if is_sure => Some(publish(facts, now, created, ValueSource::Held)),
        Ownership::Ours if is_returned => Some(publish(facts, now, created, ValueSource::Returned)),
        _ if !is_verified => Some(Step::get(name, GetPurpose::VerifyCreated)),
        Ownership::Ours => Some(give_back(facts, now, name, StallReason::SecretNotReturned)),
        Ownership::Unlabelled | Ownership::Elsewhere => Some(give_back(facts, now, name, StallReason::LabelsNotKept)),
    }
}

/// The step that records the answer to our last POST, where nothing else does: for a resource that is being deleted.
pub(super) fn record_answer(facts: &Facts<'_>, now: Timestamp) -> Option<Step> {
    let credential = &facts.memory.created.as_ref()?.credential;
    let name = &credential.name;
    let is_recorded = facts.is_superseded(name) || facts.recorded() == Some(name) || facts.is_published(name);
    let why = match facts.ownership(credential) {
        Ownership::Ours => SupersededReason::NeverPublished,
        Ownership::Unlabelled | Ownership::Elsewhere => SupersededReason::LabelsNotKept,
    };
    let superseded = Superseded { name: name.clone(), since: now, why };
    (!is_recorded && !facts.is_gone(name)).then(|| records::add(facts, superseded, None))
}

fn give_back(facts: &Facts<'_>, now: Timestamp, name: &CredentialName, reason: StallReason) -> Step {
    let why = match reason {
        StallReason::LabelsNotKept => SupersededReason::LabelsNotKept,
        _ => SupersededReason::NeverPublished,
    };
    records::add(facts, Superseded { name: name.clone(), since: now, why }, Some(reason))
}

fn publish(facts: &Facts<'_>, now: Timestamp, created: &Created, source: ValueSource) -> Step {
    publication(facts, now, &created.credential.name, created.credential.attempt, source)
}

/// The step that publishes a credential. The time of the switch stays if the credential does.
pub(super) fn publication(
    facts: &Facts<'_>,
    now: Timestamp,
    name: &CredentialName,
    attempt: Option<Attempt>,
    source: ValueSource,
) -> Step {
    let recorded = facts.resource.records.published.as_ref().filter(|it| it.credential == *name);
    let published = facts.published().filter(|secret| secret.credential.as_ref() == Some(name));
    let switched_at = published.and_then(|it| it.published_at).or(recorded.map(|it| it.published_at));
    let over = match &facts.secrets.current {
        SecretState::Own(secret) => Some(secret.version.clone()),
        SecretState::Absent | SecretState::Foreign(_) => None,
    };
    let published_at = switched_at.unwrap_or(now);
    Step::Publish(Publication { credential: name.clone(), attempt, published_at, source, over })
}

/// The credential of an attempt that a LIST shows and whose secret the server may return: the one to publish.
///
/// `in_use` says that another one is current. Then only a rotation that was cut off goes on: the credential of the last
/// attempt, if it is newer than what is published.
pub(super) fn turned_up(facts: &Facts<'_>, now: Timestamp, in_use: bool) -> Option<Step> {
    let mut candidates = facts.labelled();
    candidates.retain(|it| {
        let is_allowed = if in_use { is_cut_off_rotation(facts, it) } else { records::may_be_ours(facts, it) };
        is_allowed && !facts.is_superseded(&it.name) && facts.recorded() != Some(&it.name)
    });
    // Of two with one attempt the younger one may be a copy.
    candidates.sort_by_key(|it| (std::cmp::Reverse(it.attempt.map(|attempt| attempt.number)), it.create_time));
    candidates.into_iter().find_map(|candidate| {
        let name = &candidate.name;
        match facts.answer(name) {
            None => Some(Step::get(name, GetPurpose::ReadSecret)),
            Some(Answer::Failed) => Some(Step::wait(WaitReason::GetFailed)),
            Some(Answer::NotFound) => None,
            Some(Answer::Found(_, Disclosure::Returned)) => {
                Some(publication(facts, now, name, candidate.attempt, ValueSource::Returned))
            }
            Some(Answer::Found(_, Disclosure::Withheld)) => {
                candidate.attempt.and_then(|attempt| attempt::may_be_held_elsewhere(facts, attempt))
            }
        }
    })
}

fn is_cut_off_rotation(facts: &Facts<'_>, candidate: &Credential) -> bool {
    let published = facts.published().filter(|secret| secret.value == Value::AsWritten);
    let is_published = published.is_some_and(|secret| secret.credential.as_ref() == Some(&candidate.name));
    let number = candidate.attempt.map(|attempt| attempt.number);
    let is_last = candidate.attempt.is_some() && candidate.attempt == facts.resource.attempt;
    is_last && !is_published && number > facts.published_number() && records::is_created_by_us(facts, candidate)
}
