//! What the facts say about one credential, the newest answer first.

use std::time::Duration;

use super::facts::{Answer, Created, Credential, Disclosure, Facts, Listing};
use super::labels::Attempt;
use super::secret::{OwnSecret, SecretState, Value};
use crate::confidence::name::CredentialName;

/// What is known of a credential.
#[derive(Clone, Copy, Debug)]
pub(super) enum View<'a> {
    /// No answer shows it: a GET has to tell. Absence from a LIST means nothing.
    Unknown,
    /// The last GET failed.
    Failed,
    /// A GET answered 404.
    Gone,
    /// It exists.
    Exists(&'a Credential),
}

/// Whose a credential is, by its owner label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ownership {
    Ours,
    Unlabelled,
    Elsewhere,
}

impl<'a> Facts<'a> {
    pub(super) fn view(&self, name: &CredentialName) -> View<'a> {
        match self.answer(name) {
            Some(Answer::Found(credential, _)) => View::Exists(credential),
            Some(Answer::NotFound) => View::Gone,
            Some(Answer::Failed) => View::Failed,
            None => {
                let mut known = self.created().into_iter().chain(self.listed());
                known.find(|credential| credential.name == *name).map_or(View::Unknown, View::Exists)
            }
        }
    }

    /// What the answer to our last POST showed. Where a LIST that began later misses it, somebody may have deleted it since, so
    /// that a GET has to tell.
    fn created(&self) -> Option<&'a Credential> {
        let created = self.memory.created.as_ref()?;
        let is_newest = !matches!(self.listing, Listing::Complete { began, .. } if *began > created.posted);
        is_newest.then_some(&created.credential)
    }

    /// What a GET of this reconcile answered.
    pub(super) fn answer(&self, name: &CredentialName) -> Option<&'a Answer> {
        self.memory.fetched.iter().find(|fetched| fetched.name == *name).map(|fetched| &fetched.answer)
    }

    pub(super) fn is_gone(&self, name: &CredentialName) -> bool {
        matches!(self.answer(name), Some(Answer::NotFound))
    }

    /// What the last complete LIST showed.
    pub(super) fn listed(&self) -> &'a [Credential] {
        match self.listing {
            Listing::Complete { credentials, .. } => credentials,
            Listing::None | Listing::Failed | Listing::Forbidden => &[],
        }
    }

    /// The credentials that carry our owner label, each as its newest answer shows it.
    pub(super) fn labelled(&self) -> Vec<&'a Credential> {
        let created = self.memory.created.as_ref().map(|created| &created.credential);
        let mut found: Vec<&Credential> = Vec::new();
        for credential in created.into_iter().chain(self.listed()) {
            let newest = match self.answer(&credential.name) {
                Some(Answer::Found(newest, _)) => newest,
                Some(Answer::NotFound) => continue,
                Some(Answer::Failed) | None => credential,
            };
            let is_new = found.iter().all(|other| other.name != newest.name);
            if is_new && self.ownership(newest) == Ownership::Ours {
                found.push(newest);
            }
        }
        found
    }

    pub(super) fn ownership(&self, credential: &Credential) -> Ownership {
        match &credential.owner {
            Some(owner) if *owner == self.resource.owner => Ownership::Ours,
            Some(_) => Ownership::Elsewhere,
            None => Ownership::Unlabelled,
        }
    }

    /// When the complete LIST at hand began, if it shows everything that this process changed.
    pub(super) fn current_listing(&self) -> Option<Duration> {
        let Listing::Complete { began, .. } = self.listing else { return None };
        self.memory.last_change.is_none_or(|changed| changed < *began).then_some(*began)
    }

    /// The Secret of ours that says which credential is current: until the new name is written, that of the old name.
    pub(super) fn published(&self) -> Option<&'a OwnSecret> {
        match &self.secrets.current {
            SecretState::Own(secret) => Some(secret),
            SecretState::Absent => self.secrets.former.as_ref(),
            SecretState::Foreign(_) => None,
        }
    }

    /// Whether a Secret of ours names a credential.
    pub(super) fn is_published(&self, name: &CredentialName) -> bool {
        let current = if let SecretState::Own(secret) = &self.secrets.current { Some(secret) } else { None };
        current.into_iter().chain(&self.secrets.former).any(|secret| secret.credential.as_ref() == Some(name))
    }

    /// The number of the attempt whose credential is published with its value in place.
    pub(super) fn published_number(&self) -> Option<u32> {
        let secret = self.published().filter(|secret| secret.value == Value::AsWritten)?;
        secret.attempt.map(|attempt| attempt.number)
    }

    /// The credential that the records call current: the published Secret first, else the status.
    pub(super) fn recorded(&self) -> Option<&'a CredentialName> {
        let published = self.published().and_then(|secret| secret.credential.as_ref());
        let of_client = published.filter(|name| name.client() == self.resource.client);
        of_client.or(self.resource.records.name.as_ref())
    }

    pub(super) fn is_superseded(&self, name: &CredentialName) -> bool {
        self.resource.records.superseded.iter().any(|superseded| superseded.name == *name)
    }

    /// The answer to our last POST, if it was to this attempt.
    pub(super) fn created_by(&self, attempt: Attempt) -> Option<&'a Created> {
        self.memory.created.as_ref().filter(|created| created.credential.attempt == Some(attempt))
    }
}

/// Whether a GET returned the secret; none where no GET of this reconcile found the credential.
pub(super) fn disclosure(facts: &Facts<'_>, name: &CredentialName) -> Option<Disclosure> {
    match facts.answer(name) {
        Some(Answer::Found(_, disclosure)) => Some(*disclosure),
        Some(Answer::NotFound | Answer::Failed) | None => None,
    }
}
