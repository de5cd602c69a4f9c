//! A replica: gathers facts, carries out one step, and may crash or lose the answer at any point.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::super::*;
use super::world::{SecretObject, TIMEOUT, World};
use crate::confidence::name::CredentialName;

/// How often the client's credentials are listed.
const INTERVAL: Duration = Duration::from_mins(10);

#[derive(Default)]
pub(super) struct Replica {
    pub(super) memory: Memory,
    pub(super) listing: Option<Listing>,
    pub(super) resource: Option<(Resource, u64, Option<StallReason>)>,
    pub(super) secrets: BTreeMap<String, SecretObject>,
    pub(super) is_fresh: bool,
    /// The names of the Secrets that this process wrote and did not delete.
    pub(super) written: BTreeSet<String>,
    /// Values by credential: what this process published, and what the server returned to it.
    pub(super) published: BTreeMap<CredentialName, u64>,
    pub(super) returned: BTreeMap<CredentialName, u64>,
    pub(super) server_time: Option<jiff::Timestamp>,
    began: Duration,
}

impl Replica {
    /// Reads the resource and the Secrets, and begins a reconcile.
    pub(super) fn begin(&mut self, world: &World) -> bool {
        self.memory.fetched.clear();
        self.began = world.clock;
        self.is_fresh = false;
        let is_old = matches!(self.listing, Some(Listing::Complete { began, .. }) if began + INTERVAL < world.clock);
        if is_old || self.listing == Some(Listing::Failed) {
            self.listing = None;
        }
        self.resource = world.resource.clone().map(|resource| (resource, world.version, world.bar));
        self.secrets.clone_from(&world.secrets);
        if let Some((resource, ..)) = &self.resource {
            let known = self.memory.attempt.map(|it| it.attempt);
            if resource.attempt.is_some() && resource.attempt != known {
                self.memory.attempt = resource.attempt.map(|attempt| AttemptMemory {
                    attempt,
                    since: world.clock,
                    generation: None,
                    outcome: AttemptOutcome::Unknown,
                    lists: 0,
                });
            }
        }
        self.resource.is_some()
    }

    /// Whether a reconcile may still be under way.
    pub(super) fn is_busy(&self, world: &World) -> bool {
        self.resource.is_some() && world.clock < self.began + TIMEOUT
    }

    pub(super) fn decide(&mut self, world: &mut World) -> Step {
        let (mut resource, _, bar) = self.resource.clone().unwrap();
        resource.bar = bar;
        let own = |name: &String| self.secrets.get(name).map(|secret| self.own_secret(&resource, name, secret));
        let former = self.former(world, &resource);
        let secrets = Secrets {
            current: own(&resource.secret_name).map_or(SecretState::Absent, SecretState::Own),
            former: former.and_then(own),
            is_fresh: self.is_fresh,
        };
        let facts = Facts {
            resource: &resource,
            secrets: &secrets,
            listing: self.listing.as_ref().unwrap_or(&Listing::None),
            memory: &self.memory,
            surroundings: Surroundings { request_timeout: TIMEOUT, ..super::super::surroundings() },
            server_time: self.server_time,
            clock: world.clock,
            nonce: world.fresh_number(),
        };
        let known = self.memory.attempt.map(|it| it.attempt);
        let is_resolved = known.is_some_and(|attempt| is_resolved(&facts, attempt));
        let step = next_step(&facts);
        if let Some(known) =
            self.memory.attempt.as_mut().filter(|it| is_resolved && it.outcome == AttemptOutcome::Unknown)
        {
            known.outcome = AttemptOutcome::Found;
        }
        step
    }

    /// The value in the Secret that says which credential is current: that of the spec, else the former one.
    pub(super) fn published_value(&self, world: &World) -> Option<u64> {
        let (resource, ..) = self.resource.as_ref()?;
        let asked_for = self.secrets.get(&resource.secret_name);
        let former = || self.secrets.get(self.former(world, resource)?);
        asked_for.or_else(former).map(|secret| secret.value)
    }

    /// The other Secret that a replica sees: of the status, else one that it wrote, else one that a watch shows.
    fn former(&self, world: &World, resource: &Resource) -> Option<&String> {
        let recorded = resource.records.published.as_ref().map(|it| &it.name);
        let shown = self.secrets.keys().filter(|_| world.shows_all_secrets);
        let mut names = recorded.into_iter().chain(&self.written).chain(shown);
        let (name, _) = names
            .find_map(|name| self.secrets.get_key_value(name).filter(|(name, _)| **name != resource.secret_name))?;
        Some(name)
    }

    fn own_secret(&self, resource: &Resource, name: &str, secret: &SecretObject) -> OwnSecret {
        let compare = |values: &BTreeMap<_, u64>| values.get(&secret.credential).map(|value| *value == secret.value);
        let recorded = resource.records.published.as_ref();
        let evidence = ValueEvidence {
            is_present: true,
            equals_returned: compare(&self.returned),
            equals_published: compare(&self.published),
            is_restored: is_restored(recorded, name, &version_of(secret), Some(secret.published_at)),
            is_key_ours: Some(secret.is_ours),
        };
        OwnSecret {
            name: name.to_owned(),
            version: version_of(secret),
            credential: Some(secret.credential.clone()),
            attempt: secret.attempt,
            published_at: Some(secret.published_at),
            value: evidence.judge(),
            in_shape: secret.is_ours,
        }
    }
}

pub(super) fn version_of(secret: &SecretObject) -> SecretVersion {
    SecretVersion { uid: secret.uid.clone(), resource_version: secret.version.to_string() }
}
