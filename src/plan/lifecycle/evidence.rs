//! Proof that a credential may be deleted. [`Evidence`] cannot be made otherwise than by checking all of it.

use super::facts::{Answer, Disclosure, Facts, Fetched};
use super::records::SupersededReason;
use super::retire::RetireReason;
use super::view::Ownership;
use crate::confidence::name::CredentialName;

/// Why a credential is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grounds {
    /// It is superseded and retired.
    Retired(RetireReason),
    /// Its resource is being deleted.
    ResourceDeleted,
}

/// Proof that a credential may be deleted now.
///
/// Invariant: the newest GET shows our owner label (or the answer to our POST named the credential and a record says that
/// the server kept no label), a record of ours names it, and a Secret that was read after that GET does not, unless the
/// resource is being deleted. `evidence_needs_each_proof` tests it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    name: CredentialName,
    grounds: Grounds,
}

impl Evidence {
    /// The credential.
    pub fn name(&self) -> &CredentialName {
        &self.name
    }

    /// Why it is deleted.
    pub fn grounds(&self) -> Grounds {
        self.grounds
    }

    /// Checks everything that a deletion needs; none where something is missing.
    pub(super) fn gather(facts: &Facts<'_>, name: &CredentialName, grounds: Grounds) -> Option<Self> {
        let is_unpublished = facts.secrets.is_fresh && !facts.is_published(name);
        let may_be_published = grounds == Grounds::ResourceDeleted;
        let is_proven =
            is_fetched_as_ours(facts, name) && is_recorded(facts, name) && (is_unpublished || may_be_published);
        is_proven.then(|| Self { name: name.clone(), grounds })
    }
}

/// Whether the newest GET is of this credential and shows that it is ours.
fn is_fetched_as_ours(facts: &Facts<'_>, name: &CredentialName) -> bool {
    let Some(Fetched { name: newest, answer: Answer::Found(credential, _) }) = facts.memory.fetched.last() else {
        return false;
    };
    let is_ours = match facts.ownership(credential) {
        Ownership::Ours => true,
        Ownership::Unlabelled => is_answer_without_labels(facts, name),
        Ownership::Elsewhere => false,
    };
    newest == name && is_ours
}

/// Whether a record says that our POST created the credential and the server kept no label.
pub(super) fn is_answer_without_labels(facts: &Facts<'_>, name: &CredentialName) -> bool {
    let superseded = facts.resource.records.superseded.iter().find(|it| it.name == *name);
    superseded.is_some_and(|it| it.why == SupersededReason::LabelsNotKept)
}

/// Whether a record of ours names the credential: the status or the Secret. What an attempt created, answered or not, is
/// recorded in the status before it is deleted.
fn is_recorded(facts: &Facts<'_>, name: &CredentialName) -> bool {
    facts.resource.records.name.as_ref() == Some(name) || facts.is_superseded(name) || facts.is_published(name)
}

/// Whether the newest GET is of this credential.
pub(super) fn is_newest(facts: &Facts<'_>, name: &CredentialName) -> bool {
    facts.memory.fetched.last().is_some_and(|fetched| fetched.name == *name)
}

/// Whether a GET returned the secret.
pub(super) fn is_returned(facts: &Facts<'_>, name: &CredentialName) -> bool {
    super::view::disclosure(facts, name) == Some(Disclosure::Returned)
}
