//! Create mode: carries out what [`next_step`] decides, one step after the other, until there is nothing to be done now.
//!
//! ```text
//! gather facts ─► next_step ─► carry out ─┐
//!      ▲                                  │
//!      └── what came of it ───────────────┘   … until Rest, Wait, Stall, Suspended or Report
//! ```
//!
//! Nothing is decided here. Whatever a step needs is in the facts, and whatever it changes is in the next ones; a crash between
//! two steps leaves facts that lead on.

mod creating;
mod ending;
mod facts;
mod instance;
mod memory;
mod preview;
mod published_secret;
mod records;
mod report;
mod run;
mod steps;
mod stored;
mod writes;

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Api, Client, CustomResourceExt};

use self::run::Run;
use super::listing::Listings;
use super::observations::ObservationCache;
use super::outcome::Failure;
use super::{Calls, Statuses};
use crate::account::{Account, NoAccount};
use crate::api::ConfidenceClientCredential;
use crate::engine::{EventRecorder, LeaseGuard, SecretVersions};
use crate::metrics::ControllerMetrics;
use crate::plan::Desired;
use crate::plan::lifecycle::Surroundings;

pub(super) use self::instance::InstanceId;
pub(super) use self::memory::Memories;
pub(crate) use self::preview::{Inputs as PreviewInputs, Outlook, Unread, Upcoming, preview};
pub(super) use self::report::Life;
pub(super) use self::run::End;

/// What the lifecycle of created credentials uses.
pub(super) struct Lifecycle {
    pub(super) client: Client,
    pub(super) instance: InstanceId,
    pub(super) statuses: Statuses,
    pub(super) cache: Arc<ObservationCache>,
    pub(super) versions: Arc<SecretVersions>,
    pub(super) listings: Arc<Listings>,
    pub(super) memories: Arc<Memories>,
    pub(super) events: EventRecorder,
    /// Checked before each write to the API server.
    pub(super) guard: LeaseGuard,
    pub(super) metrics: ControllerMetrics,
}

impl Lifecycle {
    /// Takes one step after the other until there is nothing to be done now.
    pub(super) async fn reconcile(
        &self,
        object: &Arc<ConfidenceClientCredential>,
        account: Result<Arc<Account>, NoAccount>,
        desired: Desired,
        calls: &Calls<'_>,
    ) -> Result<End, Failure> {
        let instance = self.instance.get(&self.client).await?;
        let memory = self.memories.of(calls.key());
        let mut memory = memory.lock_owned().await;
        memory.begin(object.metadata.uid.as_deref().unwrap_or_default());
        let status = self.statuses.current(calls.key(), object);
        let mut run = Run::new(self, &instance, account, desired, calls, Arc::clone(object), status, memory);
        if object.metadata.deletion_timestamp.is_some() {
            run.surroundings = self.surroundings(object, run.surroundings).await;
        }
        run.read_secrets(false).await?;
        run.take_steps().await
    }

    /// What surrounds a resource that is being deleted. What may not be read is taken to be as usual.
    async fn surroundings(&self, object: &ConfidenceClientCredential, known: Surroundings) -> Surroundings {
        let is_deleted = |metadata: Option<ObjectMeta>| metadata.is_some_and(|it| it.deletion_timestamp.is_some());
        let crds: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let crd = crds.get_metadata_opt(ConfidenceClientCredential::crd_name()).await.ok().flatten();
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        let namespace = namespaces.get_metadata_opt(namespace).await.ok().flatten();
        Surroundings {
            is_crd_deleted: is_deleted(crd.map(|it| it.metadata)),
            is_namespace_terminating: is_deleted(namespace.map(|it| it.metadata)),
            ..known
        }
    }
}
