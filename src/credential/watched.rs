//! What the watch of the resources shows: who claims which credential, which Secret each resource uses, and what is due.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use kube::ResourceExt;

use super::groups::{Group, Groups};
use super::in_sync::secret_of;
use super::lifecycle::Memories;
use super::observations::ObservationCache;
use super::report::is_converged;
use super::requests;
use super::resolve::{account_of, managed_name};
use super::startup::{Startup, Waiting};
use super::{Intervals, Objects, Statuses, lane_of};
use crate::account::{Account, Accounts, NoAccount};
use crate::api::conditions::{Reason, Type, find};
use crate::api::{ConfidenceClientCredential, OWN_LABEL_PREFIX};
use crate::confidence::name::CredentialName;
use crate::confidence::wire::ClientCredential;
use crate::engine::{Claim, Claims, Key, SecretVersions, StatusOrigin, Trigger, WatchEvent, WorkQueue, lock};

/// A client at Confidence, over all accounts: the URL of the API and the id.
pub(super) type ClientId = (Arc<str>, Box<str>);

/// Who claims which credential, by client and id.
pub(super) type CredentialClaims = Claims<ClientId, Box<str>>;

/// What is kept of the resources.
pub(super) struct Watched {
    pub(super) accounts: Accounts,
    pub(super) claims: Arc<CredentialClaims>,
    pub(super) groups: Arc<Groups>,
    pub(super) versions: Arc<SecretVersions>,
    pub(super) cache: Arc<ObservationCache>,
    pub(super) memories: Arc<Memories>,
    pub(super) statuses: Statuses,
    pub(super) queue: WorkQueue,
    pub(super) startup: Arc<Startup>,
    pub(super) objects: Objects,
    /// How often a resource is checked.
    pub(super) intervals: Intervals,
    /// The account of each resource that names one, as it was last found.
    pub(super) found: Mutex<BTreeMap<Key, Found>>,
}

/// The account of a resource, or why there is none.
pub(super) type Found = Result<Arc<Account>, NoAccount>;

impl Watched {
    /// Takes in what the watch shows.
    pub(super) fn take_in(&self, event: &WatchEvent<ConfidenceClientCredential>) {
        match event {
            WatchEvent::Applied { object, .. } if !self.startup.is_listed() => self.list(object),
            WatchEvent::Applied { object, previous, .. } => self.apply(object, previous.as_deref()),
            // Nothing is known any more of one that cannot be decoded: it is left alone until it can be.
            WatchEvent::Deleted { key, .. } | WatchEvent::Undecodable { key, .. } => self.remove(key),
            WatchEvent::Ready { .. } => self.end_list(),
            WatchEvent::Failed { .. } | WatchEvent::Recovered { .. } => {}
        }
    }

    /// The first list names a resource.
    fn list(&self, object: &ConfidenceClientCredential) {
        let key = Key::of(object);
        self.index(&key, object);
        let (lane, revision) = (lane_of(object), self.queue.revision(object, &requests::ANNOTATIONS));
        let is_usable = match account_of(&self.accounts, object) {
            Ok(_) | Err(NoAccount::Pending) => true,
            Err(_) => false,
        };
        if is_converged(object) && is_usable {
            self.queue.adopt(&key, &lane, revision);
            return;
        }
        let reported = object.status.as_ref().and_then(|status| status.observed_generation);
        let is_reported = reported == object.metadata.generation;
        self.startup.put(&key, Waiting { lane, revision, is_reported });
    }

    /// The first list is complete.
    fn end_list(&self) {
        self.trigger(self.claims.listed());
        self.startup.set_resources_listed();
    }

    /// A resource is new, or changed.
    fn apply(&self, object: &ConfidenceClientCredential, previous: Option<&ConfidenceClientCredential>) {
        let key = Key::of(object);
        let rivals = self.index(&key, object);
        self.startup.remove(&key);
        self.queue.apply(&key, &lane_of(object), self.queue.revision(object, &requests::ANNOTATIONS));
        if self.statuses.seen(&key, object, previous) == StatusOrigin::Foreign {
            // Somebody else changed the status: the next check reports it anew.
            self.queue.set_converged(&key, false);
        }
        self.trigger(rivals);
    }

    /// A resource is gone.
    fn remove(&self, key: &Key) {
        self.startup.remove(key);
        self.queue.remove(key);
        self.statuses.remove(key);
        self.cache.remove(key);
        self.memories.remove(key);
        self.versions.remove(key);
        self.groups.remove(key);
        lock(&self.found).remove(key);
        self.trigger(self.claims.remove(key));
    }

    /// Accounts, grants or the labels of namespaces changed: the resources that may use another account now, or none any
    /// more, are due.
    pub(super) fn check_accounts(&self) {
        let before: Vec<_> = lock(&self.found).iter().map(|(key, found)| (key.clone(), found.clone())).collect();
        for (key, before) in before {
            let Some(object) = self.objects.get(&key) else { continue };
            if !is_same(&before, &account_of(&self.accounts, &object)) {
                let rivals = self.index(&key, &object);
                // What was observed before says nothing of the time in between.
                self.cache.invalidate(&key);
                self.queue.trigger(&key, Trigger::DependencyChanged);
                self.trigger(rivals);
            }
        }
    }

    /// Triggers those whose standing changed.
    pub(super) fn trigger(&self, keys: Vec<Key>) {
        for key in keys {
            self.queue.trigger(&key, Trigger::DependencyChanged);
        }
    }

    /// Returns the other resources whose standing changed.
    fn index(&self, key: &Key, object: &ConfidenceClientCredential) -> Vec<Key> {
        self.cache.apply(key, object.metadata.uid.as_deref().unwrap_or_default());
        self.versions.set_reference(key, secret_of(key, object));
        let name = managed_name(object);
        let client = client_of(object, name.as_ref());
        let found = account_of(&self.accounts, object);
        // A resource that may not use its account claims nothing and is not checked.
        let account = found.as_ref().ok().cloned();
        let group = account.as_ref().zip(client).filter(|_| !object.spec.suspend).map(|(account, client)| Group {
            account: Arc::clone(&account.name),
            client,
            interval: self.intervals.of(object),
        });
        self.groups.set(key, group);
        if object.spec.account_ref.is_some() {
            lock(&self.found).insert(key.clone(), found);
        } else {
            lock(&self.found).remove(key);
        }
        let claim = account.zip(name).map(|(account, name)| claim_of(object, &account.url, &name));
        self.claims.apply(key, claim)
    }
}

fn is_same(before: &Found, now: &Found) -> bool {
    match (before, now) {
        (Ok(before), Ok(now)) => Arc::ptr_eq(before, now),
        (Err(before), Err(now)) => before == now,
        _ => false,
    }
}

/// The client whose listing shows the credential of a resource.
fn client_of(object: &ConfidenceClientCredential, name: Option<&CredentialName>) -> Option<Arc<str>> {
    let created = object.spec.client.as_deref().and_then(|client| client.strip_prefix("clients/"));
    created.or_else(|| name.map(CredentialName::client)).map(Into::into)
}

/// What a resource claims that names a credential.
pub(super) fn claimed(url: &Arc<str>, name: &CredentialName) -> (ClientId, Box<str>) {
    ((Arc::clone(url), name.client().into()), name.credential().into())
}

fn claim_of(object: &ConfidenceClientCredential, url: &Arc<str>, name: &CredentialName) -> Claim<(ClientId, Box<str>)> {
    let status = object.status.as_ref();
    let held = status.and_then(|status| status.name.as_ref()?.parse::<CredentialName>().ok());
    let ready = status.and_then(|status| find(&status.conditions, Type::Ready));
    Claim {
        of: claimed(url, name),
        created: object.creation_timestamp().map_or(Timestamp::MAX, |it| it.0),
        is_holder: held.as_ref() == Some(name),
        was_rival: ready.is_some_and(|ready| ready.reason == Reason::Conflict.to_string()),
        is_refused: held.is_none() && ready.is_some_and(|ready| is_refusal(&ready.reason)),
    }
}

/// Whether Confidence, or what keeps the account, said that the resource may not have its credential.
fn is_refusal(reason: &str) -> bool {
    let refusals = [Reason::Unauthenticated, Reason::Forbidden, Reason::CredentialNotFound];
    refusals.iter().any(|it| it.to_string() == reason)
}

/// A listing keeps the credentials that somebody claims, and those that carry a label of the operator.
pub(super) fn is_claimed(claims: Arc<CredentialClaims>) -> Box<super::listing::Wanted> {
    Box::new(move |account, credential: &ClientCredential| {
        let Some(name) = &credential.name else { return false };
        let (client, id) = claimed(&account.url, name);
        claims.owner(&client, &id).is_some() || is_labelled(credential)
    })
}

/// Whether a credential carries a label of the operator, of whatever instance.
fn is_labelled(credential: &ClientCredential) -> bool {
    credential.labels.keys().any(|key| key.starts_with(OWN_LABEL_PREFIX))
}
