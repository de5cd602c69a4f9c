//! Secrets that change: the resources that use them are triggered. By a watch of their metadata where that is allowed, else by
//! asking for their versions at the interval.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

use super::startup::Startup;
use crate::account::AccountSecrets;
use crate::engine::watch::{self, Scope, SecretEvent};
use crate::engine::{Key, SecretName, SecretVersions, Trigger, WorkQueue, lock};
use crate::metrics::{ControllerMetrics, Operation};

/// Secrets whose version is asked for at the same time.
const SECRETS_AT_ONCE: usize = 4;

/// Notices Secrets that change.
#[derive(Clone)]
pub(super) struct SecretWatch {
    pub(super) client: Client,
    pub(super) versions: Arc<SecretVersions>,
    pub(super) queue: WorkQueue,
    pub(super) metrics: ControllerMetrics,
    /// The Secrets of accounts, whose keepers are told.
    pub(super) accounts: AccountSecrets,
    /// The scopes whose Secrets are watched now.
    watched: Arc<Mutex<HashSet<Scope>>>,
}

impl SecretWatch {
    pub(super) fn new(
        client: Client,
        versions: Arc<SecretVersions>,
        queue: WorkQueue,
        metrics: ControllerMetrics,
        accounts: AccountSecrets,
    ) -> Self {
        Self { client, versions, queue, metrics, accounts, watched: Arc::default() }
    }

    /// Watches the Secrets of the namespaces, for as long as it is polled.
    pub(super) async fn run(&self, namespaces: &[String], startup: &Startup) {
        let mut events = std::pin::pin!(watch::secrets(&self.client, namespaces));
        let mut told = HashSet::new();
        while let Some(event) = events.next().await {
            match event {
                SecretEvent::Changed { key, version } => self.changed(&key, version.as_deref()),
                SecretEvent::Listed { scope, names } => {
                    // What went while the watch was broken is told by nobody.
                    let used = self.versions.names().into_iter();
                    let gone = used.filter(|secret| scope.contains(secret) && !names.contains(secret));
                    gone.for_each(|secret| self.changed(&secret, None));
                    self.accounts.listed(|secret| scope.contains(secret));
                    lock(&self.watched).insert(scope);
                    startup.set_secrets_listed();
                }
                SecretEvent::Failed { scope, error } => {
                    self.metrics.kubernetes_error(Operation::WatchSecrets);
                    lock(&self.watched).remove(&scope);
                    if told.insert(scope.clone()) {
                        tracing::warn!(%scope, %error, "Secrets cannot be watched; a change is noticed at the interval");
                    }
                    startup.set_secrets_listed();
                }
                SecretEvent::Recovered { scope } => {
                    told.remove(&scope);
                    tracing::info!(%scope, "Secrets are watched again");
                }
            }
        }
    }

    /// Asks for the versions of the Secrets that resources use and no watch shows: a list or a watch cannot be granted by
    /// name, so an operator that may read named Secrets alone has to ask.
    pub(super) async fn ask(&self, members: &[Key]) {
        let is_watched = |secret: &SecretName| lock(&self.watched).iter().any(|scope| scope.contains(secret));
        let used = members.iter().filter_map(|key| self.versions.of(key));
        let secrets: BTreeSet<_> = used.filter(|secret| !is_watched(secret)).collect();
        let asked = secrets.into_iter().map(|secret| self.ask_for(secret));
        futures::stream::iter(asked).buffer_unordered(SECRETS_AT_ONCE).collect::<()>().await;
    }

    async fn ask_for(&self, secret: SecretName) {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &secret.namespace);
        match api.get_metadata_opt(&secret.name).await {
            Ok(found) => self.changed(&secret, found.and_then(|it| it.metadata.resource_version).as_deref()),
            // A reconcile that needs it reports why it cannot be read.
            Err(error) => tracing::debug!(%secret, %error, "the version of a Secret could not be read"),
        }
    }

    /// A Secret has this version now, or is gone.
    fn changed(&self, secret: &SecretName, version: Option<&str>) {
        self.accounts.changed(secret);
        for user in self.versions.seen(secret, version) {
            self.queue.trigger(&user, Trigger::DependencyChanged);
        }
    }
}
