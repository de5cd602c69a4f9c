//! Puts the parts together and runs them: watches in, work queue, reconciles, and the way out.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::controller::{Config, Controller as Executor};
use kube::runtime::reflector;
use kube::runtime::reflector::store::{Store, Writer};
use tokio::sync::{mpsc, watch};

use super::client_secret::SecretReader;
use super::groups::Groups;
use super::in_sync::InSync;
use super::lifecycle::{InstanceId, Lifecycle, Memories};
use super::listing::Listings;
use super::observations::ObservationCache;
use super::observe::Observer;
use super::resync::{Checker, Distrust, Resync};
use super::secret_watch::SecretWatch;
use super::settings::Settings;
use super::startup::Startup;
use super::watched::{CredentialClaims, Watched, is_claimed};
use super::{Intervals, Objects, Reconciler, Statuses, accounts, watch_log};
use crate::account::{AccountController, Accounts};
use crate::api::ConfidenceClientCredential;
use crate::engine::health::{Progress, Readiness};
use crate::engine::{EventRecorder, LeaseGuard, SecretVersions, StatusWriter, WorkQueue, work_queue};
use crate::metrics::ControllerMetrics;

/// Reconciles of an account that run at the same time. Each spends its time waiting for a permit or for an answer, so many cost
/// little; but each has a connection and its buffers. Those that nobody waits for have fewer, so an edit always finds a slot.
const SLOTS: work_queue::Settings = work_queue::Settings { slots: 64, background_slots: 48 };

/// How long the resources wait for the accounts that they name: an account that is slow must not keep the others.
const ACCOUNTS_LISTED_WITHIN: Duration = Duration::from_secs(5);

/// How long writes in flight may take to finish at the end.
const GRACE: Duration = Duration::from_secs(9);

/// What the controller is made of.
pub struct Parts {
    /// The cluster.
    pub client: Client,
    /// The accounts at Confidence, and what keeps those that are resources.
    pub account_keeping: AccountController,
    /// Asked before events are told.
    pub guard: LeaseGuard,
    /// Where events are told.
    pub events: EventRecorder,
    /// The operator's own pod, if there is one.
    pub operator: Option<ObjectReference>,
    /// Writes the statuses.
    pub statuses: Arc<StatusWriter<ConfidenceClientCredential>>,
    /// What is counted.
    pub metrics: ControllerMetrics,
    /// Whether work moves on.
    pub progress: Progress,
    /// Whether this replica can work.
    pub readiness: Readiness,
}

/// Proof that the controller has ended.
#[derive(Debug)]
pub struct Stopped {
    /// Whether everything in flight was finished.
    pub is_clean: bool,
}

/// Runs until told to stop.
pub async fn run(parts: Parts, settings: Settings, stop: watch::Receiver<bool>) -> Stopped {
    let controller = Controller::new(parts, &settings);
    Box::pin(controller.run(settings, stop)).await
}

struct Controller {
    client: Client,
    accounts: Accounts,
    account_keeping: AccountController,
    queue: WorkQueue,
    claims: Arc<CredentialClaims>,
    watched: Watched,
    resync: Resync,
    secrets: SecretWatch,
    startup: Arc<Startup>,
    listings: Arc<Listings>,
    reconciler: Arc<Reconciler>,
    statuses: Statuses,
    guard: LeaseGuard,
    events: EventRecorder,
    operator: Option<ObjectReference>,
    metrics: ControllerMetrics,
    readiness: Readiness,
    store: (Store<ConfidenceClientCredential>, Writer<ConfidenceClientCredential>),
}

impl Controller {
    fn new(parts: Parts, settings: &Settings) -> Self {
        let Parts { client, account_keeping, guard, events, operator, statuses, metrics, progress, readiness } = parts;
        let store = reflector::store();
        let accounts = account_keeping.accounts.clone();
        let queue = WorkQueue::new(SLOTS, settings.seed);
        let objects = Objects(store.0.clone());
        let intervals = Intervals { default: settings.interval, shortest: settings.min_interval };
        let versions = Arc::new(SecretVersions::default());
        let cache = Arc::new(ObservationCache::new());
        let claims = Arc::new(CredentialClaims::new());
        let groups = Arc::new(Groups::default());
        let startup = Arc::new(Startup::new(queue.clone()));
        let memories = Arc::new(Memories::new());
        let wanted = is_claimed(Arc::clone(&claims));
        let listings = Arc::new(Listings::new(wanted, progress.clone(), metrics.clone()));
        let observer = Arc::new(Observer::new(settings.observe, &cache, &listings, &claims));
        let account_secrets = account_keeping.secrets.clone();
        let secrets =
            SecretWatch::new(client.clone(), Arc::clone(&versions), queue.clone(), metrics.clone(), account_secrets);
        let in_sync = InSync {
            objects: objects.clone(),
            queue: queue.clone(),
            cache: Arc::clone(&cache),
            versions: Arc::clone(&versions),
            statuses: Arc::clone(&statuses),
            last_seen_resolution: settings.last_seen_resolution,
        };
        let checker = Checker {
            accounts: accounts.clone(),
            objects: objects.clone(),
            queue: queue.clone(),
            cache: Arc::clone(&cache),
            observer: Arc::clone(&observer),
            listings: Arc::clone(&listings),
            in_sync,
            distrust: Distrust::default(),
            metrics: metrics.clone(),
        };
        let random = settings.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let resync = Resync::new(Arc::clone(&groups), checker, Arc::clone(&startup), secrets.clone(), random);
        let watched = Watched {
            accounts: accounts.clone(),
            claims: Arc::clone(&claims),
            groups,
            versions: Arc::clone(&versions),
            cache: Arc::clone(&cache),
            memories: Arc::clone(&memories),
            statuses: Arc::clone(&statuses),
            queue: queue.clone(),
            startup: Arc::clone(&startup),
            objects: objects.clone(),
            intervals,
            found: std::sync::Mutex::default(),
        };
        let lifecycle = Lifecycle {
            client: client.clone(),
            instance: InstanceId::new(settings.instance_id.as_deref()),
            statuses: Arc::clone(&statuses),
            cache: Arc::clone(&cache),
            versions: Arc::clone(&versions),
            listings: Arc::clone(&listings),
            memories: Arc::clone(&memories),
            events: events.clone(),
            guard: guard.clone(),
            metrics: metrics.clone(),
        };
        let reconciler = Arc::new(Reconciler {
            queue: queue.clone(),
            accounts: accounts.clone(),
            claims: Arc::clone(&claims),
            secrets: SecretReader::new(client.clone(), accounts.clone(), versions, queue.clone()),
            cache,
            observer,
            statuses: Arc::clone(&statuses),
            objects,
            metrics: metrics.clone(),
            progress,
            lifecycle,
            intervals,
            last_seen_resolution: settings.last_seen_resolution,
        });
        Self {
            client,
            accounts,
            account_keeping,
            queue,
            claims,
            watched,
            resync,
            secrets,
            startup,
            listings,
            reconciler,
            statuses,
            guard,
            events,
            operator,
            metrics,
            readiness,
            store,
        }
    }

    async fn run(self, settings: Settings, stop: watch::Receiver<bool>) -> Stopped {
        let (reader, writer) = self.store;
        let stopped = {
            let mut stop = stop.clone();
            futures::FutureExt::shared(async move { drop(stop.wait_for(|it| *it).await) })
        };
        let resources = crate::engine::watch::resources(&self.client, &settings.namespaces, writer);
        let (tell, mut to_tell) = mpsc::channel(watch_log::TOLD_AT_ONCE);
        let told_of_the_watch = async {
            while let Some((resource, draft)) = to_tell.recv().await {
                self.events.record(&resource, vec![draft]).await;
            }
        };
        let watch = async {
            // Else it would look as if the accounts that resources name were not there.
            let _ = tokio::time::timeout(ACCOUNTS_LISTED_WITHIN, self.accounts.listed()).await;
            resources
                .for_each(|event| {
                    self.watched.take_in(&event);
                    watch_log::note(&event, &self.metrics, &self.readiness);
                    if let Some(told) = watch_log::to_tell(&event) {
                        // Where so many wait, one more tells nothing.
                        let _ = tell.try_send(told);
                    }
                    std::future::ready(())
                })
                .await;
        };
        let account_changes = async {
            let mut changes = self.accounts.changes();
            while changes.changed().await.is_ok() {
                self.watched.check_accounts();
            }
        };
        // Nothing is scheduled but what the work queue hands out.
        let executor = Executor::for_stream(stream::pending(), reader)
            .with_config(Config::default())
            .reconcile_on(self.queue.stream().map(|key| key.object_ref()))
            .graceful_shutdown_on(stopped.clone())
            .run(Reconciler::reconcile, |_, error, _| match *error {}, Arc::clone(&self.reconciler))
            .for_each(|result| async move {
                if let Err(error) = result {
                    tracing::debug!(%error, "executor");
                }
            });
        let secrets = async {
            if settings.watch_secrets {
                self.secrets.run(&settings.namespaces, &self.startup).await;
            }
            self.startup.set_secrets_listed();
        };
        let claims = async {
            loop {
                self.watched.trigger(self.claims.due().await);
            }
        };
        let side_work = async {
            let accounts = accounts::watch(
                &self.accounts,
                &self.queue,
                &self.listings,
                &self.events,
                self.operator.as_ref(),
                &self.guard,
            );
            tokio::join!(
                watch,
                secrets,
                claims,
                accounts,
                account_changes,
                told_of_the_watch,
                self.account_keeping.run(),
                self.statuses.run(),
                self.events.run(&self.guard),
                self.resync.run()
            );
        };
        // What the last reconciles came to is still written.
        let work = async {
            executor.await;
            self.statuses.all_written().await;
            self.events.flush().await;
        };
        let deadline = async {
            stopped.await;
            self.queue.stop();
            self.accounts.close();
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            biased;
            () = work => Stopped { is_clean: true },
            () = deadline => Stopped { is_clean: false },
            () = side_work => Stopped { is_clean: false },
        }
    }
}
