//! When a superseded credential may be deleted. All times are the server's.

use jiff::Timestamp;

use super::evidence::{Evidence, Grounds, is_answer_without_labels, is_newest};
use super::facts::{Credential, Facts, Rotation};
use super::records::{Current, Superseded, SupersededReason};
use super::step::GetPurpose;
use super::view::{Ownership, View};
use super::{RotationState, Step, attempt, later};

/// What is known of the use of a superseded credential.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// When pods could read the new secret for the first time.
    pub switch: Timestamp,
    /// When it was superseded. Earlier than the switch if a repair came in between.
    pub since: Timestamp,
    /// The last use of the old credential.
    pub old_last_seen: Option<Timestamp>,
    /// The last use of the new credential.
    pub new_last_seen: Option<Timestamp>,
}

/// Whether a superseded credential may be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Retire(RetireReason),
    /// It may not before this time, if it is not used until then.
    Overlap(Timestamp),
    /// It was used after the overlap had begun, and may be in use; not before this time.
    InUse(Timestamp),
    /// It is silent, but was used after the switch, and the new one was never used.
    NewNotSeen,
}

/// Why a superseded credential may be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetireReason {
    /// Nobody uses it any more.
    Unused,
    /// It was never published and never used.
    NeverPublished,
    /// The annotation `retire` names it.
    Requested,
    /// `overlap.atMost` is over.
    AtMost,
}

/// The rule for a credential that may have been published: unused for long enough, and the new one is in use or nobody
/// has used the old one since the switch.
pub fn may_retire(rotation: &Rotation, usage: Usage, now: Timestamp) -> Verdict {
    if rotation.at_most.is_some_and(|at_most| later(usage.since, at_most) <= now) {
        return Verdict::Retire(RetireReason::AtMost);
    }
    let was_used_since = usage.old_last_seen.filter(|seen| *seen > usage.switch);
    let overlap_ends = later(usage.switch, rotation.at_least);
    let silent_from = later(was_used_since.unwrap_or(usage.switch), rotation.until_unused_for);
    let may_end = overlap_ends.max(silent_from);
    if now < may_end {
        let is_in_use = was_used_since.is_some() && now >= overlap_ends;
        return if is_in_use { Verdict::InUse(may_end) } else { Verdict::Overlap(may_end) };
    }
    let is_new_used = usage.new_last_seen.is_some_and(|seen| seen > usage.switch);
    if is_new_used || was_used_since.is_none() { Verdict::Retire(RetireReason::Unused) } else { Verdict::NewNotSeen }
}

/// The next step towards the end of a superseded credential, if there is one to take now.
pub(super) fn next(facts: &Facts<'_>, now: Timestamp, current: Option<Current<'_>>) -> Option<Step> {
    facts.resource.records.superseded.iter().find_map(|superseded| retire(facts, now, current, superseded))
}

fn retire(facts: &Facts<'_>, now: Timestamp, current: Option<Current<'_>>, superseded: &Superseded) -> Option<Step> {
    let name = &superseded.name;
    let credential = match facts.view(name) {
        View::Exists(credential) => credential,
        View::Unknown => return Some(Step::get(name, GetPurpose::Missing)),
        View::Gone | View::Failed => return None,
    };
    if facts.is_published(name) || facts.ownership(credential) == Ownership::Elsewhere {
        return None;
    }
    let Verdict::Retire(reason) = judge(facts, now, current, superseded, credential) else { return None };
    let is_fetched = is_newest(facts, name) && facts.secrets.is_fresh;
    let is_unlabelled = facts.ownership(credential) == Ownership::Unlabelled;
    match Evidence::gather(facts, name, Grounds::Retired(reason)) {
        Some(evidence) => Some(Step::Delete(evidence)),
        None if !is_fetched => Some(Step::get(name, GetPurpose::Delete)),
        None if is_unlabelled && !is_answer_without_labels(facts, name) => Some(Step::Relabel(name.clone())),
        None => None,
    }
}

/// The verdict over one superseded credential. While nothing is current, only disuse ends it.
fn judge(
    facts: &Facts<'_>,
    now: Timestamp,
    current: Option<Current<'_>>,
    superseded: &Superseded,
    credential: &Credential,
) -> Verdict {
    let is_published = superseded.why == SupersededReason::Replaced;
    if facts.resource.retire.as_ref() == Some(&superseded.name) {
        return Verdict::Retire(RetireReason::Requested);
    }
    if !is_published && credential.last_seen_time.is_none() {
        return match attempt::may_be_published_until(facts, superseded, credential) {
            Some(until) if now < until => Verdict::Overlap(until),
            _ => Verdict::Retire(RetireReason::NeverPublished),
        };
    }
    let published_at = current.and_then(|current| current.secret.published_at).unwrap_or(superseded.since);
    let usage = Usage {
        switch: superseded.since.max(published_at),
        since: superseded.since,
        old_last_seen: credential.last_seen_time,
        new_last_seen: current.and_then(|current| current.credential.last_seen_time),
    };
    may_retire(&facts.resource.rotation, usage, now)
}

/// What to tell of the superseded credentials, the most pressing first, and when to ask again.
pub(super) fn state(facts: &Facts<'_>, now: Timestamp, current: Current<'_>) -> (RotationState, Option<Timestamp>) {
    let mut state = RotationState::None;
    let mut look_again: Option<Timestamp> = None;
    for superseded in &facts.resource.records.superseded {
        let View::Exists(credential) = facts.view(&superseded.name) else {
            state = pressing(state, RotationState::Rotated);
            continue;
        };
        let verdict = judge(facts, now, Some(current), superseded, credential);
        let (told, until) = match (verdict, credential.last_seen_time) {
            (Verdict::InUse(until), Some(last_seen)) => (RotationState::OldStillInUse { last_seen }, Some(until)),
            (Verdict::Overlap(until) | Verdict::InUse(until), _) => (RotationState::Rotated, Some(until)),
            (Verdict::NewNotSeen, _) => (RotationState::NewNotSeen, None),
            (Verdict::Retire(_), _) => (RotationState::Rotated, None),
        };
        state = pressing(state, told);
        look_again = look_again.into_iter().chain(until).min();
    }
    (state, look_again)
}

fn pressing(one: RotationState, other: RotationState) -> RotationState {
    let rank = |state| match state {
        RotationState::None => 0,
        RotationState::Rotated => 1,
        RotationState::NewNotSeen => 2,
        RotationState::OldStillInUse { .. } => 3,
    };
    if rank(other) > rank(one) { other } else { one }
}
