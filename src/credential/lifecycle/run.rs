//! One reconcile of a created credential: the facts at hand, and the loop over the steps.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::memory::Remembered;
use super::published_secret::KnownValues;
use super::{Life, Lifecycle};
use crate::account::{Account, NoAccount};
use crate::api::conditions::Reason;
use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus as Status};
use crate::confidence::Recovery;
use crate::confidence::name::CredentialName;
use crate::confidence::transport::REQUEST_TIMEOUT;
use crate::confidence::wire::ClientCredential;
use crate::credential::Calls;
use crate::credential::listing::Listing as Listed;
use crate::credential::outcome::{Applied, Failure};
use crate::credential::requests::Requests;
use crate::plan::lifecycle::{
    Facts, Records, SecretState, Secrets, Step, Surroundings, in_sync, is_resolved, next_step,
};
use crate::plan::{Desired, Observation};

/// Steps of one reconcile: far more than any way through the decision takes.
pub(super) const MAX_STEPS: usize = 40;

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
    /// The current credential, if it is published and in sync.
    in_sync: Option<CredentialName>,
    pub(super) began: Instant,
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
            in_sync: None,
            began: Instant::now(),
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
            let carried_out = self.carry_out(step.clone()).await;
            if let Some(end) = carried_out.map_err(|failure| self.beside_current(&step, failure))? {
                return Ok(end);
            }
            last = Some(step);
        }
        Err(Failure::retry(self.under_way(), "there is more to do than one reconcile does; the operator goes on"))
    }

    /// A failure, as it stands beside a current credential that needs nothing.
    fn beside_current(&self, step: &Step, failure: Failure) -> Failure {
        let is_living = self.object.metadata.deletion_timestamp.is_none();
        let in_sync = self.in_sync.as_ref().filter(|_| is_living && step.is_about_others());
        match in_sync.and_then(|name| self.credential(name)) {
            Some(current) if failure.recovery != Recovery::None => {
                let planned = self.plan(&current);
                failure.beside(Applied::observed(Observation::read(current), &planned, false, None))
            }
            _ => failure,
        }
    }

    /// Whether a person asks for this reconcile.
    pub(super) fn is_requested(&self) -> bool {
        Requests::of(&self.object).reconcile != self.status.last_handled_reconcile_at
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
        let in_sync = in_sync(&facts).cloned();
        let is_resolved = facts.memory.attempt.is_some_and(|known| is_resolved(&facts, known.attempt));
        let step = next_step(&facts);
        self.memory.note_resolved(is_resolved);
        self.in_sync = in_sync;
        Ok(step)
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
