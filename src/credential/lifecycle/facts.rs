//! What a reconcile knows of the resource and its credentials, as the decision sees it.

use jiff::Timestamp;
use tokio::time::Instant;

use super::records::resource_of;
use super::run::{ListingState, Run};
use crate::api::spec::DriftPolicy;
use crate::confidence::name::CredentialName;
use crate::confidence::wire::ClientCredential;
use crate::credential::outcome::Failure;
use crate::plan::lifecycle::{ATTEMPT_LABEL, Attempt, Credential, Listing, OWNER_LABEL, OwnerLabel, Resource};
use crate::plan::{Observation, Plan, SecretKnowledge, plan};

impl Run<'_> {
    /// What the resource asks for and records, the records that are still to be stored included.
    pub(super) fn resource(&self) -> Result<Resource, Failure> {
        let now = self.server_time.unwrap_or_else(Timestamp::now);
        let unresolved = &self.memory.unresolved_since;
        let mut resource = resource_of(&self.object, &self.status, self.instance, unresolved, now)?;
        if let Some(records) = &self.records {
            resource.records = records.clone();
        }
        Ok(resource)
    }

    pub(super) fn listing_of(&self, resource: &Resource) -> Listing {
        match &self.listing {
            ListingState::None => Listing::None,
            ListingState::Forbidden => Listing::Forbidden,
            ListingState::Complete(listed) => {
                let began = self.life.memories.at(listed.began());
                let facts = listed.credentials().filter_map(|it| self.fact_of(it));
                Listing::Complete { began, credentials: facts.filter(|it| concerns(resource, it)).collect() }
            }
        }
    }

    /// A credential as the decision sees it, by its newest answer.
    pub(super) fn fact_of(&self, listed: &ClientCredential) -> Option<Credential> {
        let name = listed.name.clone()?;
        let credential = self.newest.get(&name).unwrap_or(listed);
        let is_in_sync = self.corrected.contains(&name) || matches!(self.plan(credential), Plan::InSync);
        Some(fact_of(name, credential, is_in_sync))
    }

    pub(super) fn plan(&self, credential: &ClientCredential) -> Plan {
        let observed = Observation::read(credential.clone());
        plan(&self.desired, &observed, &SecretKnowledge::default(), self.policy())
    }

    pub(super) fn policy(&self) -> DriftPolicy {
        self.object.spec.drift_policy
    }

    /// A credential by its newest answer, or as the listing has it.
    pub(super) fn credential(&self, name: &CredentialName) -> Option<ClientCredential> {
        let listed = || match &self.listing {
            ListingState::Complete(listed) => listed.entry(name.credential()).map(|(credential, _)| credential.clone()),
            ListingState::None | ListingState::Forbidden => None,
        };
        let answered = || self.memory.answer.clone().filter(|answer| answer.name.as_ref() == Some(name));
        self.newest.get(name).cloned().or_else(listed).or_else(answered)
    }

    /// When a credential was as it is now: when the listing showed it, or just now.
    pub(super) fn observed_at(&self, credential: &ClientCredential) -> Instant {
        let ListingState::Complete(listed) = &self.listing else { return Instant::now() };
        let name = credential.name.as_ref().filter(|name| !self.newest.contains_key(name));
        let entry = name.and_then(|name| listed.entry(name.credential()));
        entry.map_or_else(Instant::now, |(_, at)| *at)
    }
}

/// A credential as the decision sees it.
pub(super) fn fact_of(name: CredentialName, credential: &ClientCredential, is_in_sync: bool) -> Credential {
    let label = |key: &str| credential.labels.get(key);
    Credential {
        owner: label(OWNER_LABEL).map(|it| OwnerLabel::from_label(it)),
        attempt: label(ATTEMPT_LABEL).and_then(|it| it.parse::<Attempt>().ok()),
        creator: credential.creator.clone(),
        create_time: credential.create_time,
        last_seen_time: credential.last_seen_time,
        is_in_sync,
        name,
    }
}

/// Whether a decision about a resource needs a credential: a label or a record connects them.
pub(super) fn concerns(resource: &Resource, credential: &Credential) -> bool {
    credential.owner.as_ref() == Some(&resource.owner)
        || (credential.attempt.is_some() && credential.attempt == resource.attempt)
        || resource.records.name.as_ref() == Some(&credential.name)
        || resource.records.superseded.iter().any(|it| it.name == credential.name)
}
