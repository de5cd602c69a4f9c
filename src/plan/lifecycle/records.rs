//! What the status records, and what it should record next.
//!
//! A record has to be stored before the annotation with an attempt is overwritten, and before a credential is deleted:
//! a label alone never deletes.

use std::time::Duration;

use jiff::Timestamp;

use super::facts::{AttemptMemory, AttemptOutcome, Credential, Facts};
use super::labels::Attempt;
use super::secret::{OwnSecret, SecretState};
use super::view::{Ownership, View};
use super::{Step, later};
use crate::confidence::name::CredentialName;

/// For how long an attempt whose outcome stayed unknown is remembered and counted as if it could still land.
pub const FORGET_UNRESOLVED: Duration = Duration::from_hours(1);

/// The part of the status that decisions are made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The current credential.
    pub name: Option<CredentialName>,
    /// When the server created it.
    pub create_time: Option<Timestamp>,
    /// Who created it, as the server says.
    pub creator: Option<String>,
    /// The published Secret.
    pub published: Option<PublishedRecord>,
    /// The credentials that are to be retired.
    pub superseded: Vec<Superseded>,
    /// The attempts whose outcome stayed unknown.
    pub unresolved: Vec<Unresolved>,
    /// The rotation request that was last acted on.
    pub last_handled_rotate_at: Option<String>,
}

/// What the status says about the published Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedRecord {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The credential that it names.
    pub credential: CredentialName,
    /// The server time of the switch to that credential.
    pub published_at: Timestamp,
}

/// A credential that is not current any more, or never was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superseded {
    /// Its name.
    pub name: CredentialName,
    /// The server time of the switch away from it.
    pub since: Timestamp,
    /// Why it is superseded.
    pub why: SupersededReason,
}

/// Why a credential is superseded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupersededReason {
    /// It was published, or may have been.
    Replaced,
    /// It was surely never published: the stray of a POST whose answer was lost or came without a secret.
    NeverPublished,
    /// The server did not keep our labels, so it was never published; the answer to our POST named it.
    LabelsNotKept,
}

/// An attempt that counts as unresolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// Which one.
    pub attempt: Attempt,
    /// The server time at which the operator gave up waiting.
    pub since: Timestamp,
}

/// Why nothing can be done until a user acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StallReason {
    /// The credential carries another resource's or another instance's label.
    OwnedElsewhere,
    /// Too many live credentials.
    TooManyLive,
    /// The account may not list.
    CannotList,
    /// The server did not keep our labels.
    LabelsNotKept,
    /// The server returned no secret, neither to the POST nor to a GET.
    SecretNotReturned,
    /// The Secret that the spec names is somebody else's.
    SecretNotOurs,
    /// The API server refuses the Secret.
    SecretNotWritable,
    /// The account is gone, and the resource waits for its deletion.
    AccountGone,
}

/// The credential in use and the Secret that names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Current<'a> {
    pub(super) credential: &'a Credential,
    pub(super) secret: &'a OwnSecret,
}

/// The step that stores what the status lacks, if it lacks anything.
pub(super) fn next(facts: &Facts<'_>, now: Timestamp, current: Option<Current<'_>>) -> Option<Step> {
    let records = due(facts, now, current);
    (records != facts.resource.records).then_some(Step::Record { records, stall: None })
}

/// The step that stores one more superseded credential, and perhaps why no POST may follow.
pub(super) fn add(facts: &Facts<'_>, superseded: Superseded, stall: Option<StallReason>) -> Step {
    let mut records = facts.resource.records.clone();
    records.creator = own_creator(facts).map(str::to_owned);
    records.superseded.push(superseded);
    Step::Record { records, stall }
}

/// The step that gives up an attempt.
pub(super) fn give_up(facts: &Facts<'_>, now: Timestamp, attempt: Attempt) -> Step {
    let mut records = facts.resource.records.clone();
    records.unresolved.push(Unresolved { attempt, since: now });
    Step::Record { records, stall: None }
}

fn due(facts: &Facts<'_>, now: Timestamp, current: Option<Current<'_>>) -> Records {
    let old = &facts.resource.records;
    let superseded = superseded(facts, now, current);
    let unresolved = old.unresolved.iter().filter(|it| !is_forgotten(facts, it, now)).copied().collect();
    let Some(current) = current else {
        let creator = own_creator(facts).map(str::to_owned);
        return Records { creator, superseded, unresolved, ..old.clone() };
    };
    let name = &current.credential.name;
    let has_switched = old.name.as_ref() != Some(name);
    let request = facts.resource.rotate_requested_at.clone().filter(|_| has_switched);
    Records {
        name: Some(name.clone()),
        create_time: current.credential.create_time.or(old.create_time.filter(|_| !has_switched)),
        creator: current.credential.creator.clone().or_else(|| old.creator.clone()),
        published: published_record(facts, current),
        superseded,
        unresolved,
        last_handled_rotate_at: request.or_else(|| old.last_handled_rotate_at.clone()),
    }
}

/// While a Secret of the former name is there, the status goes on naming that one, so that it is not forgotten.
fn published_record(facts: &Facts<'_>, current: Current<'_>) -> Option<PublishedRecord> {
    let old = facts.resource.records.published.as_ref();
    let published_at = current.secret.published_at.or(old.map(|it| it.published_at));
    if facts.secrets.former.is_some() || !matches!(facts.secrets.current, SecretState::Own(_)) {
        return old.cloned();
    }
    Some(PublishedRecord {
        name: current.secret.name.clone(),
        uid: current.secret.version.uid.clone(),
        credential: current.credential.name.clone(),
        published_at: published_at?,
    })
}

fn superseded(facts: &Facts<'_>, now: Timestamp, current: Option<Current<'_>>) -> Vec<Superseded> {
    let old = &facts.resource.records;
    let is_current = |name: &CredentialName| {
        let current = current.map(|current| &current.credential.name);
        current.or(old.name.as_ref()) == Some(name)
    };
    let since = current.and_then(|current| current.secret.published_at).unwrap_or(now);
    let kept = old.superseded.iter().filter(|it| !is_current(&it.name) && !has_left(facts, &it.name));
    let mut all: Vec<Superseded> = kept.cloned().collect();
    let replaced = old.name.iter().filter(|name| !has_left(facts, name));
    let replaced = replaced.map(|name| (name, SupersededReason::Replaced));
    let strays = strays(facts).into_iter().map(|it| (&it.name, reason(facts, it, current)));
    for (name, why) in replaced.chain(strays) {
        if !is_current(name) && all.iter().all(|it| it.name != *name) {
            all.push(Superseded { name: name.clone(), since, why });
        }
    }
    all
}

/// Whether a record ends: a GET said that the credential is gone, or is another's now.
fn has_left(facts: &Facts<'_>, name: &CredentialName) -> bool {
    match facts.view(name) {
        View::Gone => true,
        View::Exists(credential) => facts.ownership(credential) == Ownership::Elsewhere,
        View::Unknown | View::Failed => false,
    }
}

/// The credentials of ours that a LIST shows. One that began before our last change shows what is gone.
fn strays<'a>(facts: &Facts<'a>) -> Vec<&'a Credential> {
    if facts.current_listing().is_none() {
        return Vec::new();
    }
    facts.labelled().into_iter().filter(|credential| is_created_by_us(facts, credential)).collect()
}

/// Whether a POST of ours created a credential that carries our label, which anybody can copy.
///
/// A record that names it says so, or the person who asks for it to be retired. Else the creator tells, which covers a lost
/// status and a POST that a proxy repeated; where the server names no creator, an attempt of ours does.
pub(super) fn is_created_by_us(facts: &Facts<'_>, credential: &Credential) -> bool {
    let records = &facts.resource.records;
    let name = &credential.name;
    let is_requested = facts.resource.retire.as_ref() == Some(name);
    let is_named = records.name.as_ref() == Some(name) || facts.is_superseded(name) || facts.is_published(name);
    let is_answer = facts.memory.created.as_ref().is_some_and(|created| created.credential.name == *name);
    let is_attempted = || credential.attempt.is_some_and(|attempt| is_of_attempt(facts, credential, attempt));
    is_named || is_requested || is_answer || has_own_creator(facts, credential).unwrap_or_else(is_attempted)
}

/// Whether our labels may be put back on a credential. The Secret alone does not say so: whoever may edit Secrets could
/// name somebody else's credential in it, and have it deleted with the resource.
pub(super) fn may_relabel(facts: &Facts<'_>, credential: &Credential) -> bool {
    let is_recorded = facts.resource.records.name.as_ref() == Some(&credential.name);
    is_recorded || facts.is_superseded(&credential.name) || has_own_creator(facts, credential) == Some(true)
}

fn has_own_creator(facts: &Facts<'_>, credential: &Credential) -> Option<bool> {
    Some(own_creator(facts)? == credential.creator.as_deref()?)
}

/// Whether a credential that carries our label may be published. Where no record tells who created ours, the label has
/// to do: publishing harms nobody.
pub(super) fn may_be_ours(facts: &Facts<'_>, credential: &Credential) -> bool {
    own_creator(facts).is_none() || is_created_by_us(facts, credential)
}

fn is_of_attempt(facts: &Facts<'_>, credential: &Credential, attempt: Attempt) -> bool {
    let remembered = facts.memory.attempt.map(|known| known.attempt);
    let unresolved = facts.resource.records.unresolved.iter().map(|it| it.attempt);
    if !unresolved.chain(facts.resource.attempt).chain(remembered).any(|of_record| of_record == attempt) {
        return false;
    }
    let is_bound = facts.published().is_some_and(|secret| secret.attempt == Some(attempt));
    let is_oldest = |other: &&Credential| other.attempt != Some(attempt) || other.create_time >= credential.create_time;
    !is_bound && facts.created_by(attempt).is_none() && facts.labelled().iter().all(is_oldest)
}

fn own_creator<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    let recorded = facts.resource.records.creator.as_deref();
    let answered = facts.memory.created.as_ref().and_then(|created| created.credential.creator.as_deref());
    let is_named = |it: &&Credential| facts.is_published(&it.name) || facts.is_superseded(&it.name);
    recorded.or(answered).or_else(|| facts.labelled().into_iter().find(is_named)?.creator.as_deref())
}

fn reason(facts: &Facts<'_>, credential: &Credential, current: Option<Current<'_>>) -> SupersededReason {
    let Some(attempt) = credential.attempt else { return SupersededReason::Replaced };
    let unresolved = facts.resource.records.unresolved.iter().any(|it| it.attempt == attempt);
    let is_unanswered = |it: &AttemptMemory| matches!(it.outcome, AttemptOutcome::Unknown | AttemptOutcome::Found);
    let is_begun_here = |it: &AttemptMemory| it.attempt == attempt && it.generation.is_some();
    let unanswered = facts.memory.attempt.as_ref().is_some_and(|it| is_begun_here(it) && is_unanswered(it));
    let published = current.and_then(|current| current.secret.attempt);
    let is_newer = published.is_some_and(|published| published.number < attempt.number);
    let is_recorded = facts.resource.records.name.as_ref() == Some(&credential.name);
    if (unresolved || unanswered || is_newer) && !is_recorded {
        SupersededReason::NeverPublished
    } else {
        SupersededReason::Replaced
    }
}

/// An unresolved attempt is forgotten when its credential turned up, or when it can hardly land any more.
fn is_forgotten(facts: &Facts<'_>, unresolved: &Unresolved, now: Timestamp) -> bool {
    let turned_up = facts.current_listing().is_some()
        && facts.labelled().iter().any(|credential| credential.attempt == Some(unresolved.attempt));
    turned_up || later(unresolved.since, FORGET_UNRESOLVED) <= now
}
