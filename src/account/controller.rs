//! Watches the accounts, the namespaces and the Secrets of accounts, and keeps each account.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::reflector;
use kube::{Client, ResourceExt};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::Accounts;
use super::keeper::{Keeper, KeeperParts};
use super::object::AccountObject;
use super::registry::Listed;
use super::secret::SecretSource;
use crate::api::{ClusterConfidenceAccount, ConfidenceAccount};
use crate::engine::watch::{self as watches, SecretEvent, WatchError};
use crate::engine::{Key, StatusWriter, WatchEvent, lock};

/// What keeping the accounts needs.
pub struct AccountController {
    /// The accounts to keep.
    pub accounts: Accounts,
    /// The cluster.
    pub client: Client,
    /// The namespaces whose accounts are watched; all where there are none.
    pub namespaces: Vec<String>,
    /// The operator's namespace, with the Secrets of the cluster's accounts.
    pub own_namespace: Arc<str>,
    /// Whether the Secrets of these namespaces are watched.
    pub watch_secrets: bool,
    /// Writes the statuses of the accounts of namespaces.
    pub statuses: Arc<StatusWriter<ConfidenceAccount>>,
    /// Writes the statuses of the accounts of the cluster.
    pub cluster_statuses: Arc<StatusWriter<ClusterConfidenceAccount>>,
    /// Who uses which Secret.
    pub secrets: AccountSecrets,
}

/// Which account uses which Secret, and whom to tell that it changed. A clone is the same.
#[derive(Clone, Debug, Default)]
pub struct AccountSecrets(Arc<Mutex<HashMap<Arc<str>, UsedSecret>>>);

/// A Secret, and what wakes the keeper of the account that uses it.
type UsedSecret = (Key, Arc<Notify>);

impl AccountSecrets {
    /// A watch shows another version of a Secret.
    pub fn changed(&self, secret: &Key) {
        self.notify(|used| used == secret);
    }

    /// A watch has listed these Secrets anew: what changed meanwhile is told by nobody.
    pub fn listed(&self, contains: impl Fn(&Key) -> bool) {
        self.notify(contains);
    }

    fn notify(&self, is_meant: impl Fn(&Key) -> bool) {
        lock(&self.0).values().filter(|(secret, _)| is_meant(secret)).for_each(|(_, notify)| notify.notify_one());
    }

    fn set(&self, account: &Arc<str>, secret: Key, notify: &Arc<Notify>) {
        lock(&self.0).insert(Arc::clone(account), (secret, Arc::clone(notify)));
    }

    fn remove(&self, account: &str) {
        lock(&self.0).remove(account);
    }
}

/// The accounts of one kind that are kept.
struct Keepers<'a, K: AccountObject> {
    controller: &'a AccountController,
    statuses: Arc<StatusWriter<K>>,
    accounts: HashMap<Key, KeptAccount<K>>,
    tasks: JoinSet<()>,
    /// The scopes that were said to be refused.
    refused: BTreeSet<watches::Scope>,
}

/// One account that is kept.
struct KeptAccount<K> {
    object: watch::Sender<Arc<K>>,
    secret_changed: Arc<Notify>,
    task: tokio::task::AbortHandle,
}

impl AccountController {
    /// Keeps the accounts for as long as it is polled; does nothing where account resources are not used.
    pub async fn run(&self) {
        if self.accounts.connector().is_none() {
            return std::future::pending().await;
        }
        tokio::join!(
            self.keep(&self.namespaces, &self.statuses),
            self.keep(&[], &self.cluster_statuses),
            self.watch_namespaces(),
            self.watch_own_secrets(),
            self.statuses.run(),
            self.cluster_statuses.run(),
        );
    }

    async fn keep<K: AccountObject>(&self, namespaces: &[String], statuses: &Arc<StatusWriter<K>>) {
        let mut kept = Keepers {
            controller: self,
            statuses: Arc::clone(statuses),
            accounts: HashMap::new(),
            tasks: JoinSet::new(),
            refused: BTreeSet::new(),
        };
        let (_store, writer) = reflector::store();
        let mut events = std::pin::pin!(watches::resources::<K>(&self.client, namespaces, writer));
        while let Some(event) = events.next().await {
            kept.take_in(event, namespaces.len().max(1));
        }
    }

    /// Watches the labels of the namespaces, once a grant selects by them.
    async fn watch_namespaces(&self) {
        let mut changes = self.accounts.changes();
        while !self.accounts.needs_namespaces() && changes.changed().await.is_ok() {}
        let (_store, writer) = reflector::store();
        let mut events = std::pin::pin!(watches::resources::<Namespace>(&self.client, &[], writer));
        let mut is_told = false;
        while let Some(event) = events.next().await {
            match event {
                WatchEvent::Applied { object, .. } => {
                    let labels = object.labels().clone();
                    self.accounts.set_labels(&object.name_any().into(), Some(labels));
                }
                WatchEvent::Deleted { key, .. } | WatchEvent::Undecodable { key, .. } => {
                    self.accounts.set_labels(&key.name, None);
                }
                WatchEvent::Failed { error, .. } if error.is_refusal() => {
                    self.accounts.refuse_namespaces();
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(%error, "namespaces cannot be watched; grants that select by labels grant nothing");
                    }
                }
                WatchEvent::Recovered { .. } => is_told = false,
                WatchEvent::Failed { .. } | WatchEvent::Ready { .. } => {}
            }
        }
    }

    /// Watches the Secrets of the operator's namespace, unless the watch of the resources' Secrets shows them, once an account
    /// of the cluster is there.
    async fn watch_own_secrets(&self) {
        let is_watched = self.namespaces.is_empty() || self.namespaces.iter().any(|name| **name == *self.own_namespace);
        if self.watch_secrets && is_watched {
            return;
        }
        let mut changes = self.accounts.changes();
        let has_own = || lock(&self.secrets.0).values().any(|(secret, _)| secret.namespace == self.own_namespace);
        while !has_own() && changes.changed().await.is_ok() {}
        let namespaces = [self.own_namespace.to_string()];
        let mut events = std::pin::pin!(watches::secrets(&self.client, &namespaces));
        while let Some(event) = events.next().await {
            match event {
                SecretEvent::Changed { key, .. } => self.secrets.changed(&key),
                SecretEvent::Listed { scope, .. } => self.secrets.listed(|secret| scope.contains(secret)),
                SecretEvent::Failed { scope, error } => {
                    tracing::debug!(%scope, %error, "the Secrets of accounts cannot be watched; they are read periodically");
                }
                SecretEvent::Recovered { .. } => {}
            }
        }
    }
}

impl<K: AccountObject> Keepers<'_, K> {
    fn take_in(&mut self, event: WatchEvent<K>, scopes: usize) {
        let accounts = &self.controller.accounts;
        match event {
            WatchEvent::Applied { object, previous, .. } => {
                // The status is as it stands at the next report, whoever wrote it.
                let _ = self.statuses.seen(&Key::of(object.as_ref()), &object, previous.as_deref());
                self.apply(object);
            }
            WatchEvent::Deleted { key, .. } => self.remove(&key),
            WatchEvent::Undecodable { key, error, .. } => {
                tracing::warn!(account = %key, %error, "the account cannot be decoded; it is left alone until it changes");
                self.remove(&key);
            }
            WatchEvent::Ready { .. } => accounts.set_listed(K::KIND, Listed::Complete),
            WatchEvent::Failed { scope, error } => {
                let lasts = error.is_refusal() || matches!(*error, WatchError::UnknownKind);
                if lasts && self.refused.insert(scope.clone()) {
                    tracing::warn!(kind = ?K::KIND, %scope, %error, "accounts cannot be watched; the operator goes on without");
                    if self.refused.len() == scopes {
                        accounts.set_listed(K::KIND, Listed::Refused);
                    }
                }
            }
            WatchEvent::Recovered { scope } => {
                self.refused.remove(&scope);
                accounts.set_listed(K::KIND, Listed::Complete);
            }
        }
    }

    fn apply(&mut self, object: Arc<K>) {
        let (key, name) = (Key::of(object.as_ref()), object.account_name());
        let namespace = if key.namespace.is_empty() { &self.controller.own_namespace } else { &key.namespace };
        let source = SecretSource::of(&object.settings().credentials, namespace).ok();
        let secret = source.map(|source| source.secret);
        self.controller.accounts.put(&name, object.grants().map(<[_]>::to_vec), secret.clone());
        if self.accounts.get(&key).is_some_and(|kept| kept.object.borrow().uid() != object.uid()) {
            // Another one has its name now.
            self.remove(&key);
            self.controller.accounts.put(&name, object.grants().map(<[_]>::to_vec), secret.clone());
        }
        if !self.accounts.contains_key(&key) {
            let kept = self.begin(&name, &object);
            self.accounts.insert(key.clone(), kept);
        }
        let Some(kept) = self.accounts.get(&key) else { return };
        if let Some(secret) = secret {
            self.controller.secrets.set(&name, secret, &kept.secret_changed);
        }
        // A new status is no news.
        kept.object.send_if_modified(|before| {
            let is_news = before.meta().generation != object.meta().generation;
            *before = object;
            is_news
        });
    }

    fn begin(&mut self, name: &Arc<str>, object: &Arc<K>) -> KeptAccount<K> {
        let (sender, receiver) = watch::channel(Arc::clone(object));
        let secret_changed = Arc::<Notify>::default();
        let keeper = Keeper::new(KeeperParts {
            name: Arc::clone(name),
            accounts: self.controller.accounts.clone(),
            client: self.controller.client.clone(),
            own_namespace: Arc::clone(&self.controller.own_namespace),
            statuses: Arc::clone(&self.statuses),
            object: receiver,
            secret_changed: Arc::clone(&secret_changed),
        });
        KeptAccount { object: sender, secret_changed, task: self.tasks.spawn(keeper.run()) }
    }

    fn remove(&mut self, key: &Key) {
        self.statuses.remove(key);
        let Some(kept) = self.accounts.remove(key) else { return };
        kept.task.abort();
        let name = kept.object.borrow().account_name();
        self.controller.secrets.remove(&name);
        self.controller.accounts.remove(&name);
        while self.tasks.try_join_next().is_some() {}
    }
}
