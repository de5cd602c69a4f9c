//! The end of a resource: superseded credentials, the current one, one LIST, the Secret, the finalizer.

use jiff::Timestamp;

use super::evidence::{Evidence, Grounds, is_answer_without_labels, is_newest};
use super::facts::{Answer, Facts, Listing};
use super::secret::{ForeignSecret, OwnSecret, SecretState};
use super::step::{GetPurpose, ReleaseReason, Step, WaitReason};
use super::view::Ownership;
use super::{StallReason, attempt, create, records};
use crate::confidence::name::CredentialName;

/// The next step of the deletion of a resource.
pub(super) fn next(facts: &Facts<'_>) -> Step {
    if let Some(reason) = release(facts) {
        return Step::RemoveFinalizer(Some(reason));
    }
    if !has_records(facts) {
        return Step::RemoveFinalizer(None);
    }
    if facts.surroundings.is_account_gone {
        return Step::Stall(StallReason::AccountGone);
    }
    match (facts.listing, facts.server_time) {
        (Listing::Failed, _) => Step::wait(WaitReason::ListFailed),
        (Listing::Forbidden, _) => Step::Stall(StallReason::CannotList),
        (Listing::None, _) | (_, None) => Step::List,
        (Listing::Complete { .. }, Some(now)) => delete(facts, now),
    }
}

/// Why nothing is deleted: no call, no wait.
fn release(facts: &Facts<'_>) -> Option<ReleaseReason> {
    let resource = facts.resource;
    let is_kept = !resource.deletes_credential || resource.reports_only || resource.is_suspended;
    if is_kept {
        return Some(ReleaseReason::Kept);
    }
    if facts.surroundings.is_crd_deleted {
        return Some(ReleaseReason::CrdDeleted);
    }
    if facts.secrets.current == SecretState::Foreign(ForeignSecret::OtherInstance) {
        return Some(ReleaseReason::OwnedElsewhere);
    }
    let is_lost = facts.surroundings.is_account_gone && facts.surroundings.is_namespace_terminating;
    is_lost.then_some(ReleaseReason::AccountGone)
}

/// Whether anything says that there may be a credential or a Secret of ours.
fn has_records(facts: &Facts<'_>) -> bool {
    let records = &facts.resource.records;
    let is_recorded = records.name.is_some() || !records.superseded.is_empty() || !records.unresolved.is_empty();
    is_recorded
        || facts.resource.attempt.is_some()
        || facts.memory.created.is_some()
        || own_secrets(facts).next().is_some()
}

fn delete(facts: &Facts<'_>, now: Timestamp) -> Step {
    let step = attempt::outstanding(facts, now).or_else(|| create::record_answer(facts, now));
    if let Some(step) = step.or_else(|| records::next(facts, now, None)) {
        return step;
    }
    let names = recorded_names(facts);
    if let Some(step) = names.iter().find_map(|name| delete_credential(facts, name)) {
        return step;
    }
    let is_shown = facts.labelled().iter().any(|credential| names.contains(&&credential.name));
    if facts.current_listing().is_none() || is_shown {
        return Step::List;
    }
    match own_secrets(facts).next() {
        Some(secret) => Step::DeleteSecret { name: secret.name.clone(), version: secret.version.clone() },
        None => Step::RemoveFinalizer(None),
    }
}

/// Every credential that a record names, the current one last.
fn recorded_names<'a>(facts: &Facts<'a>) -> Vec<&'a CredentialName> {
    let records = &facts.resource.records;
    let superseded = records.superseded.iter().map(|it| &it.name);
    let published = own_secrets(facts).filter_map(|secret| secret.credential.as_ref());
    let current = facts.recorded();
    let all = superseded.chain(&records.name).chain(published);
    let mut names: Vec<&CredentialName> = Vec::new();
    for name in all.filter(|name| Some(*name) != current).chain(current) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The step towards a 404 of the credential; none when a GET gave it, or when the credential is not ours.
fn delete_credential(facts: &Facts<'_>, name: &CredentialName) -> Option<Step> {
    let credential = match facts.answer(name) {
        None => return Some(Step::get(name, GetPurpose::Delete)),
        Some(Answer::Failed) => return Some(Step::wait(WaitReason::GetFailed)),
        Some(Answer::NotFound) => return None,
        Some(Answer::Found(credential, _)) => credential,
    };
    match facts.ownership(credential) {
        Ownership::Unlabelled if is_answer_without_labels(facts, name) => {}
        Ownership::Unlabelled => return records::may_relabel(facts, credential).then(|| Step::Relabel(name.clone())),
        Ownership::Elsewhere => return None,
        Ownership::Ours => {}
    }
    let evidence = Evidence::gather(facts, name, Grounds::ResourceDeleted);
    let unfetched = (!is_newest(facts, name)).then(|| Step::get(name, GetPurpose::Delete));
    evidence.map(Step::Delete).or(unfetched)
}

fn own_secrets<'a>(facts: &Facts<'a>) -> impl Iterator<Item = &'a OwnSecret> {
    let current = if let SecretState::Own(secret) = &facts.secrets.current { Some(secret) } else { None };
    current.into_iter().chain(&facts.secrets.former)
}
