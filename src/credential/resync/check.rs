//! One check of a resync: what it finds in sync costs a comparison, and the rest is handed to the work queue.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::distrust::Distrust;
use crate::account::{Account, Accounts};
use crate::api::ConfidenceClientCredential;
use crate::confidence::Requester;
use crate::confidence::name::CredentialName;
use crate::confidence::wire::ClientCredential;
use crate::credential::groups::Group;
use crate::credential::in_sync::InSync;
use crate::credential::listing::{ListError, Listing, Listings};
use crate::credential::observations::{Age, ObservationCache};
use crate::credential::observe::Observer;
use crate::credential::{Objects, resolve};
use crate::engine::{Key, Trigger, WorkQueue};
use crate::metrics::ControllerMetrics;
use crate::plan::Observation;

/// What a check uses.
pub(in crate::credential) struct Checker {
    pub(in crate::credential) accounts: Accounts,
    pub(in crate::credential) objects: Objects,
    pub(in crate::credential) queue: WorkQueue,
    pub(in crate::credential) cache: Arc<ObservationCache>,
    pub(in crate::credential) observer: Arc<Observer>,
    pub(in crate::credential) listings: Arc<Listings>,
    pub(in crate::credential) in_sync: InSync,
    pub(in crate::credential) distrust: Distrust,
    pub(in crate::credential) metrics: ControllerMetrics,
}

impl Checker {
    pub(super) fn account(&self, group: &Group) -> Option<Arc<Account>> {
        self.accounts.by_name(&group.account)
    }

    /// Whether nobody has observed a resource's credential since the start.
    pub(super) fn is_unobserved(&self, key: &Key) -> bool {
        !self.cache.has_one(key)
    }

    /// Whether nothing is left to be done for a resource, as far as anybody knows.
    pub(super) fn is_converged(&self, key: &Key) -> bool {
        self.queue.is_converged(key)
    }

    /// Whether the listing of a group's client takes fewer calls than reading so many credentials by themselves.
    pub(super) fn may_list(&self, account: &Account, group: &Group, members: usize) -> bool {
        self.observer.may_list(account) && self.listings.is_cheaper(account, &group.client, members)
    }

    /// Checks members of a group against the listing of its client.
    pub(super) async fn list(
        &self,
        account: &Account,
        group: &Group,
        members: &[Key],
        requester: &Requester,
    ) -> Result<(), ListError> {
        let listing = self.listings.list(account, &group.client, members.len(), requester).await?;
        let mut missing = Vec::new();
        for (number, key) in members.iter().enumerate() {
            let Some(name) = self.name(key) else {
                // It is being created, or could not be.
                self.trigger_idle(key);
                continue;
            };
            match listing.entry(name.credential()) {
                Some((credential, at)) => self.check(key, credential, *at, listing.date()),
                // An entry that could not be read may be this one.
                None => missing.push(key),
            }
            if number % 64 == 63 {
                // This may be thousands, and others have their turn.
                tokio::task::yield_now().await;
            }
        }
        self.confirm_missing(group, members, &missing, &listing);
        Ok(())
    }

    /// Reads the credential of a resource that is idle, and hands it to the work queue if it is not in sync, or cannot be
    /// read: a reconcile says what that means.
    pub(super) async fn read_alone(&self, account: &Account, key: &Key) {
        if !self.queue.is_idle(key) {
            return;
        }
        if self.observer.may_list(account)
            && self.queue.is_converged(key)
            && let Some(name) = self.name(key)
        {
            let at = Instant::now();
            let requester = Requester::background(Arc::clone(&key.namespace));
            if let Ok(read) = account.confidence.get(&name, &requester).await {
                account.read_access.note_success();
                self.check(key, &read.value, at, read.date);
                return;
            }
        }
        self.cache.invalidate(key);
        self.queue.trigger(key, Trigger::Resync);
    }

    /// Checks one credential, as it was then by our clock and by the server's. A resource with a time of its own is left
    /// alone: its reconcile compares.
    fn check(&self, key: &Key, credential: &ClientCredential, at: Instant, server_time: Option<Timestamp>) {
        let has_one = self.cache.has_one(key);
        if !self.queue.is_idle(key) && has_one {
            return;
        }
        if self.in_sync.is_unchanged(key, credential) && !self.is_rotation_due(key, server_time) {
            self.cache.confirm(key, at);
            return;
        }
        let is_of = |object: &Arc<ConfidenceClientCredential>| {
            let name = resolve::managed_name(object);
            name.is_some() && name == credential.name
        };
        let Some(object) = self.objects.get(key).filter(is_of) else { return };
        let is_in_sync = self.in_sync.is_in_sync(key, &object, credential);
        let age = self.cache.put(key, Observation::read(credential.clone()), at);
        if age == Age::Older || !self.queue.is_idle(key) {
            return;
        }
        self.queue.set_converged(key, is_in_sync);
        if is_in_sync {
            self.in_sync.note_served(key, &object);
        } else {
            self.queue.trigger(key, Trigger::Resync);
        }
    }

    /// Whether a reconcile may have to rotate a created credential: it decides by the time of the server, too.
    fn is_rotation_due(&self, key: &Key, server_time: Option<Timestamp>) -> bool {
        let object = self.objects.get(key);
        let rotation = object.as_ref().and_then(|object| object.status.as_ref()?.rotation.as_ref());
        rotation
            .and_then(|it| it.next_rotation_time)
            .is_some_and(|due| due.0 <= server_time.unwrap_or_else(Timestamp::now))
    }

    /// Hands resources to the work queue whose credentials a listing lacks, unless it lacks too many.
    fn confirm_missing(&self, group: &Group, members: &[Key], missing: &[&Key], listing: &Listing) {
        let converged = |key: &&Key| self.queue.is_converged(key);
        let existed = members.iter().filter(converged).count();
        let vanished = missing.iter().filter(|key| self.queue.is_converged(key)).count();
        if !self.distrust.believes(group, vanished, existed) {
            tracing::warn!(
                client = &*group.client,
                vanished,
                existed,
                unreadable = listing.unreadable(),
                "the listing lacks most of the credentials that existed; the operator believes it when it is the same for \
                 several intervals: check that the account is still the right one and may still see them"
            );
            self.metrics.listed("distrusted");
            return;
        }
        for key in missing.iter().filter(|key| self.queue.is_idle(key)) {
            self.cache.set_missing(key);
            self.queue.trigger(key, Trigger::Resync);
        }
    }

    fn name(&self, key: &Key) -> Option<CredentialName> {
        resolve::managed_name(self.objects.get(key)?.as_ref())
    }

    fn trigger_idle(&self, key: &Key) {
        if self.queue.is_idle(key) {
            self.queue.trigger(key, Trigger::Resync);
        }
    }
}
