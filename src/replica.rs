//! One replica at work: waits for the lease, runs the controller while it holds it, gives it back.
//!
//! Sockets, files, flags and signals are not of this room: they come in as values, so that a simulation runs the same
//! replica that the program runs.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use tokio::sync::watch::Receiver;

use crate::account::{AccountController, AccountSecrets, Accounts};
use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus};
use crate::confidence::WriteGuard;
use crate::credential::{self, Parts, Settings, Stopped};
use crate::engine::FIELD_MANAGER;
use crate::engine::events::EventRecorder;
use crate::engine::health::{Progress, Readiness};
use crate::engine::leader_election::{Candidate, LeaseGuard};
use crate::engine::status_writer::{Status, StatusWriter, StatusWriterParts, WithStatus};
use crate::engine::watch;
use crate::metrics::{ControllerMetrics, Operation};

/// The requirement that the resources are listed, and what it says before they are.
pub const RESOURCES: (&str, &str) = ("the resources", "not listed yet");

impl WriteGuard for LeaseGuard {
    fn may_write(&self) -> bool {
        LeaseGuard::may_write(self)
    }
}

impl Status for ConfidenceClientCredentialStatus {
    fn observed_generation(&self) -> Option<i64> {
        self.observed_generation
    }
}

/// The parts of a replica.
pub struct Replica {
    /// The cluster.
    pub client: Client,
    /// The accounts, whose clients ask the same guard.
    pub accounts: Accounts,
    /// The operator's namespace: the Secrets of the cluster's accounts are there.
    pub own_namespace: Arc<str>,
    /// Asked before each write.
    pub guard: LeaseGuard,
    /// The lease to win first; none: it works at once.
    pub lease: Option<Candidate>,
    /// How to work.
    pub settings: Settings,
    /// Where events are told.
    pub events: EventRecorder,
    /// The operator's own pod, if there is one: what concerns a whole account is told about it.
    pub operator: Option<ObjectReference>,
    /// What is counted.
    pub metrics: ControllerMetrics,
    /// Whether work moves on.
    pub progress: Progress,
    /// Whether it could do the work.
    pub readiness: Readiness,
}

impl Replica {
    /// Works until told to stop, or until the lease is lost. Returns whether it ended cleanly.
    pub async fn run(mut self, stop: Receiver<bool>) -> bool {
        let mut lease = self.lease.take();
        if let Some(candidate) = &mut lease
            && !self.win(candidate, stop.clone()).await
        {
            candidate.release().await;
            return true;
        }
        self.readiness.require(RESOURCES.0, RESOURCES.1);
        self.metrics.set_leader(true);
        let statuses = self.status_writer();
        let account_keeping = AccountController {
            accounts: self.accounts.clone(),
            client: self.client.clone(),
            namespaces: self.settings.namespaces.clone(),
            own_namespace: Arc::clone(&self.own_namespace),
            watch_secrets: self.settings.watch_secrets,
            statuses: self.status_writer(),
            cluster_statuses: self.status_writer(),
            secrets: AccountSecrets::default(),
        };
        let (client, readiness, namespaces) =
            (self.client.clone(), self.readiness.clone(), self.settings.namespaces.clone());
        let parts = Parts {
            client: self.client,
            account_keeping,
            guard: self.guard,
            events: self.events,
            operator: self.operator,
            statuses,
            metrics: self.metrics,
            progress: self.progress,
            readiness: self.readiness,
        };
        let work = Box::pin(async {
            tokio::select! {
                biased;
                stopped = credential::run(parts, self.settings, stop) => stopped,
                never = watch::keep_namespaces(&client, &namespaces, &readiness) => match never {},
            }
        });
        let is_clean = work_while_leading(work, lease.as_mut()).await;
        // A request that was dropped may still be carried out: then the lease has to end by itself.
        if let Some(candidate) = lease.as_mut().filter(|_| is_clean) {
            candidate.release().await;
        }
        is_clean
    }

    /// Waits for the lease, ready while it could do the work. Returns whether the lease was won, rather than the program
    /// told to stop.
    async fn win(&self, candidate: &mut Candidate, mut stop: Receiver<bool>) -> bool {
        let Self { client, readiness, settings: Settings { namespaces, .. }, .. } = self;
        let is_won = tokio::select! {
            biased;
            () = candidate.win() => true,
            _ = stop.wait_for(|it| *it) => false,
            never = watch::stand_by::<ConfidenceClientCredential>(client, namespaces, readiness, RESOURCES.0) => match never {},
        };
        watch::end_stand_by(namespaces, readiness);
        is_won
    }

    /// What writes the statuses of a kind.
    fn status_writer<K: WithStatus>(&self) -> Arc<StatusWriter<K>> {
        Arc::new(StatusWriter::new(StatusWriterParts {
            client: self.client.clone(),
            field_manager: FIELD_MANAGER,
            guard: self.guard.clone(),
            recorder: self.events.clone(),
            progress: self.progress.clone(),
            written: self.metrics.status_writes(),
            failures: self.metrics.failures(Operation::WriteStatus),
        }))
    }
}

/// Works until told to stop, or until the lease is lost: then everything is dropped, because another replica may begin.
async fn work_while_leading(work: impl Future<Output = Stopped>, candidate: Option<&mut Candidate>) -> bool {
    let lost = async {
        match candidate {
            Some(candidate) => candidate.keep().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = lost => false,
        stopped = work => stopped.is_clean,
    }
}
