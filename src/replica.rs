//! One replica at work: waits for the lease, runs the controller while it holds it, gives it back.
//!
//! Sockets, files, flags and signals are not of this room: they come in as values, so that a simulation runs the same
//! replica that the program runs.

use std::sync::Arc;

use kube::Client;
use kube::runtime::reflector::store::{Store, Writer};
use tokio::sync::watch;

use crate::api::ConfidenceClientCredential;
use crate::confidence::{Confidence, WriteGuard};
use crate::controller::{self, Context, Settings, Stopped};
use crate::engine::health::{Progress, Readiness};
use crate::engine::leader_election::{Candidate, LeaseGuard};
use crate::metrics::ControllerMetrics;

/// What a replica waits for that has seen no resources yet.
pub const NOT_LISTED: &str = "the resources have not been listed yet";

impl WriteGuard for LeaseGuard {
    fn may_write(&self) -> bool {
        LeaseGuard::may_write(self)
    }
}

/// The parts of a replica.
pub struct Replica {
    /// The cluster.
    pub client: Client,
    /// The account, with the same guard.
    pub confidence: Confidence,
    /// Asked before each write.
    pub guard: Arc<dyn WriteGuard>,
    /// The lease to win first; none: it works at once.
    pub lease: Option<Candidate>,
    /// How to work.
    pub settings: Settings,
    /// What is counted.
    pub metrics: ControllerMetrics,
    /// Whether passes finish.
    pub progress: Progress,
    /// Whether it could serve.
    pub readiness: Readiness,
    /// Where the resources are kept.
    pub store: (Store<ConfidenceClientCredential>, Writer<ConfidenceClientCredential>),
}

impl Replica {
    /// Works until told to stop, or until the lease is lost. Returns whether it ended cleanly.
    pub async fn run(mut self, stop: watch::Receiver<bool>) -> bool {
        let mut lease = self.lease.take();
        if let Some(candidate) = &mut lease
            && !win(candidate, &self.readiness, stop.clone()).await
        {
            candidate.release().await;
            return true;
        }
        self.metrics.set_leader(true);
        let context =
            Context::new(self.client, self.confidence, self.guard, self.metrics, self.progress, self.settings);
        let work = Box::pin(controller::run(Arc::new(context), self.store, self.readiness, stop));
        let cleanly = work_while_leading(work, lease.as_mut()).await;
        // A request that was dropped may still be carried out: then the lease has to end by itself.
        if let Some(candidate) = lease.as_mut().filter(|_| cleanly) {
            candidate.release().await;
        }
        cleanly
    }
}

/// Waits for the lease. A replica that stands by is ready: it could serve. Returns whether the lease was won, rather than
/// the program told to stop.
async fn win(candidate: &mut Candidate, readiness: &Readiness, mut stop: watch::Receiver<bool>) -> bool {
    let resources = readiness.requirement("the resources");
    tokio::select! {
        biased;
        () = candidate.win() => {
            resources.set_missing(NOT_LISTED);
            true
        }
        _ = stop.wait_for(|it| *it) => false,
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
        stopped = work => stopped.cleanly,
    }
}
