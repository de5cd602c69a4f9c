//! What became of the attempt that the annotation names.

use std::time::Duration;

use jiff::Timestamp;

use super::facts::{AttemptMemory, AttemptOutcome, Credential, Facts, Listing};
use super::labels::Attempt;
use super::records::{Superseded, SupersededReason};
use super::step::{Step, Until, WaitReason};
use super::view::Ownership;
use super::{Surroundings, later, records};

/// What a wait for a lost answer allows beyond two request timeouts: one from the annotation to the POST, one for the POST.
const LANDING_MARGIN: Duration = Duration::from_mins(1);
/// How many complete LISTs have to miss the credential.
const MIN_LISTS: u32 = 2;

/// How long the outcome of a POST is waited for.
pub fn outcome_wait(surroundings: Surroundings) -> Duration {
    surroundings.request_timeout * 2 + LANDING_MARGIN
}

/// The step that an attempt with an unknown outcome needs, if there is one. No POST may be sent before.
pub(super) fn outstanding(facts: &Facts<'_>, now: Timestamp) -> Option<Step> {
    let known = facts.memory.attempt.map(|known| known.attempt);
    let attempt = known.into_iter().chain(facts.resource.attempt).find(|attempt| !is_resolved(facts, *attempt))?;
    let wait = outcome_wait(facts.surroundings);
    let known = memory(facts, attempt);
    let since = known.map_or(facts.clock, |it| it.since);
    let lists = known.map_or(0, |it| it.lists);
    let Listing::Complete { began, .. } = *facts.listing else { return Some(Step::List) };
    if began <= since {
        return Some(Step::List);
    }
    if facts.clock < since + wait {
        return Some(waiting(facts, since));
    }
    if lists < MIN_LISTS || began < since + wait {
        return Some(Step::List);
    }
    Some(records::give_up(facts, now, attempt))
}

/// Waits for a process that may still hold the secret of a credential that the server withholds.
///
/// After a change of leader the former one may be between its POST and the Secret.
pub(super) fn may_be_held_elsewhere(facts: &Facts<'_>, attempt: Attempt) -> Option<Step> {
    if facts.resource.attempt != Some(attempt) {
        return None;
    }
    let since = match memory(facts, attempt) {
        Some(known) if known.generation.is_some() => return None,
        Some(known) => known.since,
        None if is_older(facts, attempt) => return None,
        None => facts.clock,
    };
    (facts.clock < since + outcome_wait(facts.surroundings)).then(|| waiting(facts, since))
}

/// The attempt for which this process may send its POST now: stored, not sent, for this spec, and so young that no other
/// process has given it up.
pub(super) fn sendable(facts: &Facts<'_>) -> Option<Attempt> {
    let known = memory(facts, facts.resource.attempt?)?;
    let is_for_this_spec = known.generation == Some(facts.resource.generation);
    let is_young = facts.clock <= known.since + facts.surroundings.request_timeout;
    (known.outcome == AttemptOutcome::NotSent && is_for_this_spec && is_young).then_some(known.attempt)
}

/// Until when another process may publish a stray, whose POST it sent and whose secret it holds; none for one of this
/// process, and for one without labels, which the process that got the answer recorded itself.
///
/// Invariant: a stray of another process is deleted only after this time, and its secret is published only before, or after
/// a GET. So a Secret never names a credential that was deleted as a stray. The annotation does not count, because people
/// can remove it. `young_stray_of_another_process_is_spared` tests it.
pub(super) fn may_be_published_until(
    facts: &Facts<'_>,
    superseded: &Superseded,
    credential: &Credential,
) -> Option<Timestamp> {
    let is_begun_here = |attempt| memory(facts, attempt).is_some_and(|known| known.generation.is_some());
    let is_known = credential.attempt.is_some_and(is_begun_here) || superseded.why == SupersededReason::LabelsNotKept;
    let created = credential.create_time.filter(|_| !is_known)?;
    Some(later(created, outcome_wait(facts.surroundings)))
}

/// Whether so much time went by since a POST that another process may have deleted what it created.
pub(super) fn may_be_deleted_by_others(facts: &Facts<'_>, posted: Duration) -> bool {
    facts.clock >= posted + outcome_wait(facts.surroundings)
}

/// The attempt after all that anything knows of.
pub(super) fn following(facts: &Facts<'_>) -> Attempt {
    let records = &facts.resource.records;
    let published = facts.published().and_then(|secret| secret.attempt);
    let listed = facts.labelled().into_iter().filter_map(|credential| credential.attempt);
    let unresolved = records.unresolved.iter().map(|it| it.attempt);
    let known = facts.memory.attempt.map(|known| known.attempt);
    let known = known.into_iter().chain(facts.resource.attempt).chain(published).chain(unresolved).chain(listed);
    let highest = known.map(|attempt| attempt.number).max().unwrap_or(0);
    Attempt { number: highest.saturating_add(1), nonce: facts.nonce }
}

fn memory(facts: &Facts<'_>, attempt: Attempt) -> Option<AttemptMemory> {
    facts.memory.attempt.filter(|known| known.attempt == attempt)
}

/// Whether the facts tell what became of an attempt. The controller then notes [`AttemptOutcome::Found`], because the
/// Secret and the credential that tell it may go.
///
/// No attempt is written before the one before it is resolved, so one that is older than what this process knows is resolved.
pub fn is_resolved(facts: &Facts<'_>, attempt: Attempt) -> bool {
    let is_published = facts.published().is_some_and(|secret| secret.attempt == Some(attempt));
    let is_given_up = facts.resource.records.unresolved.iter().any(|it| it.attempt == attempt);
    let is_shown = facts.labelled().iter().any(|credential| credential.attempt == Some(attempt));
    let is_known = memory(facts, attempt).is_some_and(|known| known.outcome != AttemptOutcome::Unknown);
    let is_created = facts.created_by(attempt).is_some();
    is_published || is_given_up || is_shown || is_known || is_created || is_older(facts, attempt)
}

/// Whether an attempt is older than the one that this process knows: the annotation was restored.
fn is_older(facts: &Facts<'_>, attempt: Attempt) -> bool {
    facts.memory.attempt.is_some_and(|known| attempt.number < known.attempt.number)
}

/// Whether the annotation was copied from another resource or another cluster: its credential is another's.
pub(super) fn is_copied(facts: &Facts<'_>) -> bool {
    facts.resource.attempt.is_some()
        && facts.listed().iter().any(|credential| {
            credential.attempt == facts.resource.attempt && facts.ownership(credential) == Ownership::Elsewhere
        })
}

fn waiting(facts: &Facts<'_>, since: Duration) -> Step {
    let until = Until::Clock(since + outcome_wait(facts.surroundings));
    Step::Wait { until: Some(until), reason: WaitReason::AttemptOutstanding }
}
