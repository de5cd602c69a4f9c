//! One reconcile of a created credential: the facts at hand, and the loop over the steps.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::memory::Remembered;
use super::published_secret::{KnownValues, SecretPublisher};
use super::records::{put_records, resource_of};
use super::{Life, Lifecycle, writes};
use crate::account::{Account, NoAccount};
use crate::api::conditions::Reason;
use crate::api::spec::DriftPolicy;
use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus as Status};
use crate::confidence::name::CredentialName;
use crate::confidence::transport::REQUEST_TIMEOUT;
use crate::confidence::wire::ClientCredential;
use crate::credential::listing::Listing as Listed;
use crate::credential::outcome::{Applied, Failure};
use crate::credential::{Calls, attempt_id};
use crate::engine::PendingStatus;
use crate::plan::lifecycle::{
    ATTEMPT_LABEL, Attempt, Credential, Facts, Listing, OWNER_LABEL, OwnSecret, OwnerLabel, PublishedRecord, Records,
    Resource, SecretState, Secrets, Step, Surroundings, is_resolved, next_step,
};
use crate::plan::{Desired, Observation, Plan, SecretKnowledge, plan};

/// Steps of one reconcile: far more than any way through the decision takes.
const MAX_STEPS: usize = 40;

/// A reconcile of a created credential.
pub(super) struct Run<'a> {
    pub(super) life: &'a Lifecycle,
    pub(super) instance: &'a str,
    /// An error where the account is gone: then the reconcile makes no call to Confidence.
    account: Result<Arc<Account>, NoAccount>,
    pub(super) desired: Desired,
    pub(super) calls: &'a Calls<'a>,
    pub(super) object: Arc<ConfidenceClientCredential>,
    /// Whether the object was read whole, with the finalizers of others: only over that one its metadata is patched.
    pub(super) is_whole: bool,
    pub(super) status: Status,
    /// The records as they are to be; stored with the status before anything relies on them.
    pub(super) records: Option<Records>,
    pub(super) memory: OwnedMutexGuard<Remembered>,
    pub(super) listing: ListingState,
    pub(super) secrets: Secrets,
    /// The values in the Secrets, as far as they may be written again.
    pub(super) values: HashMap<CredentialName, SecretString>,
    pub(super) server_time: Option<Timestamp>,
    /// What was answered in this reconcile, newer than the listing.
    pub(super) newest: HashMap<CredentialName, ClientCredential>,
    /// The credentials about whose fields nothing more can be done in this reconcile.
    pub(super) corrected: HashSet<CredentialName>,
    pub(super) applied: Option<Applied>,
    pub(super) surroundings: Surroundings,
}

/// The listing at hand.
pub(super) enum ListingState {
    None,
    Forbidden,
    Complete(Arc<Listed>),
}

/// How a reconcile of a created credential ends, beside a failure.
pub(in crate::credential) enum End {
    /// Nothing is left to be done now.
    Rest(Box<Life>, Box<Applied>),
    /// The resource is suspended.
    Suspended,
    /// The finalizer is gone: the API server may remove the resource.
    Released,
}

impl<'a> Run<'a> {
    #[allow(clippy::too_many_arguments)] // what a reconcile is made of
    pub(super) fn new(
        life: &'a Lifecycle,
        instance: &'a str,
        account: Result<Arc<Account>, NoAccount>,
        desired: Desired,
        calls: &'a Calls<'a>,
        object: Arc<ConfidenceClientCredential>,
        status: Status,
        memory: OwnedMutexGuard<Remembered>,
    ) -> Self {
        Self {
            life,
            instance,
            surroundings: Surroundings { is_account_gone: account.is_err(), ..AT_REST },
            account,
            desired,
            calls,
            object,
            is_whole: false,
            status,
            records: None,
            memory,
            listing: ListingState::None,
            secrets: Secrets { current: SecretState::Absent, former: None, is_fresh: false },
            values: HashMap::new(),
            server_time: None,
            newest: HashMap::new(),
            corrected: HashSet::new(),
            applied: None,
        }
    }
}

impl Run<'_> {
    /// Takes one step after the other until there is nothing to be done now.
    pub(super) async fn take_steps(&mut self) -> Result<End, Failure> {
        let mut last = None;
        for _ in 0..MAX_STEPS {
            let step = self.decide()?;
            if writes_metadata(&step) && !self.is_whole {
                // The decision is made again from what the API server has now.
                self.flush().await?;
                if !self.read_whole().await? {
                    return Err(Failure::abandoned());
                }
                continue;
            }
            if last.as_ref() == Some(&step) {
                return Err(Failure::retry(
                    self.under_way(),
                    "the last step did not change anything; it will be repeated",
                ));
            }
            tracing::debug!(step = label(&step), "lifecycle");
            if let Some(end) = self.carry_out(step.clone()).await? {
                return Ok(end);
            }
            last = Some(step);
        }
        Err(Failure::retry(self.under_way(), "there is more to do than one reconcile does; the operator goes on"))
    }

    /// The account, for a call.
    pub(super) fn account(&self) -> Result<&Arc<Account>, Failure> {
        self.account.as_ref().map_err(|error| error.clone().into())
    }

    /// The reason while the resource has not reached its goal.
    pub(super) fn under_way(&self) -> Reason {
        if self.object.metadata.deletion_timestamp.is_some() { Reason::Deleting } else { Reason::Creating }
    }

    /// Checked before each write to the API server: a replica that may have lost the lease writes nothing.
    pub(super) fn may_write(&self) -> Result<(), Failure> {
        if self.life.guard.may_write() { Ok(()) } else { Err(Failure::abandoned()) }
    }

    fn decide(&mut self) -> Result<Step, Failure> {
        let resource = self.resource()?;
        let clock = self.life.memories.clock();
        let listing = self.listing_of(&resource);
        self.memory.see_attempt(resource.attempt, clock);
        if self.server_time.is_some() {
            self.memory.note_unresolved(&resource.records.unresolved);
        }
        let facts = Facts {
            resource: &resource,
            secrets: &self.secrets,
            listing: &listing,
            memory: &self.memory.facts,
            surroundings: self.surroundings,
            server_time: self.server_time,
            clock,
            nonce: fastrand::u64(..),
        };
        let is_resolved = resource.attempt.is_some_and(|attempt| is_resolved(&facts, attempt));
        let step = next_step(&facts);
        self.memory.note_resolved(is_resolved);
        Ok(step)
    }

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

    fn listing_of(&self, resource: &Resource) -> Listing {
        match &self.listing {
            ListingState::None => Listing::None,
            ListingState::Forbidden => Listing::Forbidden,
            ListingState::Complete(listed) => {
                let began = self.life.memories.at(listed.began());
                let is_ours = |credential: &Credential| {
                    credential.owner.as_ref() == Some(&resource.owner)
                        || (credential.attempt.is_some() && credential.attempt == resource.attempt)
                        || resource.records.name.as_ref() == Some(&credential.name)
                        || resource.records.superseded.iter().any(|it| it.name == credential.name)
                };
                let credentials = listed.credentials().filter_map(|it| self.fact_of(it)).filter(is_ours).collect();
                Listing::Complete { began, credentials }
            }
        }
    }

    /// A credential as the decision sees it, by its newest answer.
    pub(super) fn fact_of(&self, listed: &ClientCredential) -> Option<Credential> {
        let name = listed.name.clone()?;
        let credential = self.newest.get(&name).unwrap_or(listed);
        let label = |key: &str| credential.labels.get(key);
        Some(Credential {
            owner: label(OWNER_LABEL).map(|it| OwnerLabel::from_label(it)),
            attempt: label(ATTEMPT_LABEL).and_then(|it| it.parse::<Attempt>().ok()),
            creator: credential.creator.clone(),
            create_time: credential.create_time,
            last_seen_time: credential.last_seen_time,
            is_in_sync: self.corrected.contains(&name) || matches!(self.plan(credential), Plan::InSync),
            name,
        })
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

    /// Reads the Secret that the spec names, and the one that the status names if it is another.
    pub(super) async fn read_secrets(&mut self, is_fresh: bool) -> Result<(), Failure> {
        let publisher = SecretPublisher::new(&self.object, self.instance)?;
        let recorded = self.resource()?.records.published;
        let Some(spec) = &self.object.spec.published_secret else { return Ok(()) };
        let read = publisher.read(&self.life.client, &spec.name, recorded.as_ref(), &*self);
        let (current, value) = read.await.map_err(|error| unreadable(&error))?;
        let mut values: HashMap<_, _> = named(&current).zip(value).into_iter().collect();
        let former = self.read_former(&publisher, &spec.name, recorded.as_ref()).await?;
        let name = spec.name.clone();
        values.extend(former.iter().filter_map(|(own, value)| own.credential.clone().zip(value.clone())));
        if former.is_none() {
            self.memory.secrets.retain(|written| *written == name);
        }
        let former = former.map(|(own, _)| own);
        if let (SecretState::Own(own), Some(secret)) = (&current, self.life.versions.of(self.calls.key())) {
            self.life.versions.served(self.calls.key(), &secret, Some(&own.version.resource_version));
        }
        self.secrets = Secrets { current, former, is_fresh };
        self.values = values;
        Ok(())
    }

    /// Reads the Secret of ours that has another name: the one that the status names, else one that this process wrote. A
    /// name that is changed twice before the status is written leaves one that no status ever named.
    async fn read_former(
        &self,
        publisher: &SecretPublisher<'_>,
        current: &str,
        recorded: Option<&PublishedRecord>,
    ) -> Result<Option<(OwnSecret, Option<SecretString>)>, Failure> {
        let names = recorded.map(|it| &it.name).into_iter().chain(&self.memory.secrets);
        for name in names.filter(|name| *name != current) {
            let read = publisher.read(&self.life.client, name, recorded, self).await;
            let (state, value) = read.map_err(|error| unreadable(&error))?;
            if let SecretState::Own(own) = state {
                return Ok(Some((own, value)));
            }
        }
        Ok(None)
    }

    /// Stores the records that are still to be stored, before something relies on them.
    pub(super) async fn flush(&mut self) -> Result<(), Failure> {
        let Some(records) = self.records.take() else { return Ok(()) };
        let mut status = self.status.clone();
        put_records(&mut status, &records, None, |name| self.credential(name).and_then(|it| it.last_seen_time));
        self.store(status).await
    }

    /// Writes a status at once, and goes on from the version that came of it.
    pub(super) async fn store(&mut self, status: Status) -> Result<(), Failure> {
        let key = self.calls.key();
        let pending =
            PendingStatus { status: status.clone(), events: Vec::new(), attempt: attempt_id(self.calls.attempt) };
        self.life.statuses.put(key, &self.object, pending);
        self.life.statuses.settled(key).await;
        self.status = status;
        self.is_whole = false;
        Ok(())
    }

    /// Reads the resource whole. Returns whether it is still there.
    pub(super) async fn read_whole(&mut self) -> Result<bool, Failure> {
        let Some(object) = writes::read(&self.life.client, &self.object).await.map_err(|error| unwritable(&error))?
        else {
            return Ok(false);
        };
        self.status = object.status.clone().unwrap_or_default();
        self.object = Arc::new(object);
        self.is_whole = true;
        Ok(true)
    }
}

impl KnownValues for Run<'_> {
    fn equals_returned(&self, credential: &CredentialName, value: &str) -> Option<bool> {
        let credential = self.credential(credential)?;
        Some(credential.client_secret?.expose_secret() == value)
    }

    fn equals_published(&self, credential: &CredentialName, value: &str) -> Option<bool> {
        let (name, digest) = self.memory.published.as_ref()?;
        (name == credential).then(|| self.life.cache.digest(value) == *digest)
    }
}

fn named(state: &SecretState) -> Option<CredentialName> {
    if let SecretState::Own(own) = state { own.credential.clone() } else { None }
}

/// The surroundings of a resource that is not being deleted.
pub(super) const AT_REST: Surroundings = Surroundings {
    is_crd_deleted: false,
    is_namespace_terminating: false,
    is_account_gone: false,
    request_timeout: REQUEST_TIMEOUT,
};

/// How long to wait until a time of the server.
pub(super) fn until(time: Timestamp, now: Option<Timestamp>) -> Duration {
    let now = now.unwrap_or_else(Timestamp::now);
    Duration::try_from(time.duration_since(now)).unwrap_or_default()
}

fn unreadable(error: &kube::Error) -> Failure {
    let forbidden = matches!(error, kube::Error::Api(status) if status.code == 403);
    let message = format!("spec.publishedSecret: the Secret could not be read: {}", super::steps::words(error));
    if forbidden {
        Failure::stalled(Reason::SecretUnreadable, format!("{message}; grant the operator's ServiceAccount get on it"))
    } else {
        Failure::retry(Reason::SecretUnreadable, message)
    }
}

pub(super) fn unwritable(error: &kube::Error) -> Failure {
    Failure::retry(
        Reason::Creating,
        format!("the API server refused a write to the resource: {}", super::steps::words(error)),
    )
}

/// Whether a step replaces metadata, for which the resource is read whole before: the watch leaves out what others put there.
fn writes_metadata(step: &Step) -> bool {
    matches!(step, Step::AddFinalizer | Step::RemoveFinalizer(_) | Step::WriteAttempt { .. })
}

/// What a step is, for the log: nothing of what it carries.
fn label(step: &Step) -> &'static str {
    match step {
        Step::AddFinalizer => "add_finalizer",
        Step::RemoveFinalizer(_) => "remove_finalizer",
        Step::List => "list",
        Step::Get { .. } => "get",
        Step::Record { .. } => "record",
        Step::DryRunSecret => "dry_run_secret",
        Step::WriteAttempt { .. } => "write_attempt",
        Step::Create { .. } => "create",
        Step::Publish(_) => "publish",
        Step::Correct(_) => "correct",
        Step::Relabel(_) => "relabel",
        Step::Delete(_) => "delete",
        Step::DeleteSecret { .. } => "delete_secret",
        Step::Wait { .. } => "wait",
        Step::Stall(_) => "stall",
        Step::Rest { .. } => "rest",
        Step::Suspended => "suspended",
        Step::Report(_) => "report",
    }
}
