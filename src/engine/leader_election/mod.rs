//! Which replica works: the one that holds the Lease.
//!
//! Times are this machine's monotonic clock. A holder counts its lease from before the request that renewed it, a
//! contender from after it first saw the record unchanged; so the holder stops before anybody else can begin, however slow
//! the API server and however wrong the wall clocks are. The wall clock's `renewTime` is for people.
//!
//! A contender waits for the end of the lease even where the holder's pod is gone. The API server forgets a pod also
//! when somebody deletes it by force, or when its node is lost: then its process may still run, and write.
//!
//! Own code, because the guard is the point: the libraries elect, and none says at the moment of a write until when the
//! lease is certainly ours.

mod guard;
mod record;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client, Resource};
use tokio::time::Instant;

pub use self::guard::LeaseGuard;
use self::record::{SeenRecord, holder, renewed};
use super::events::{EventDraft, EventRecorder};
use super::health::Requirement;

/// The shortest lease: it has to outlast a write in progress with time to spare for renewals.
pub const SHORTEST: Duration = Duration::from_secs(15);

/// So many renewals fit into a lease.
const RENEWALS: u32 = 6;

/// How often a contender looks at the Lease.
const CONTEND_PAUSE: Duration = Duration::from_secs(2);

/// After so many looks a contender tries again whether it may write the Lease.
const LOOKS_PER_REHEARSAL: u32 = 15;

/// How long a request about the Lease may take.
const LEASE_TIMEOUT: Duration = Duration::from_secs(4);

/// Which Lease, and for whom.
#[derive(Clone, Debug)]
pub struct LeaseSettings {
    /// The namespace of the Lease.
    pub namespace: String,
    /// The name of the Lease.
    pub name: String,
    /// This replica, for people: the name of the pod. A random part makes it an identity that no other process has.
    pub instance: String,
    /// For how long a lease is ours after it was renewed; at least [`SHORTEST`].
    pub duration: Duration,
}

/// A replica that wants to work.
pub struct Candidate {
    api: Api<Lease>,
    settings: LeaseSettings,
    identity: String,
    guard: LeaseGuard,
    recorder: EventRecorder,
    requirement: Requirement,
    seen: SeenRecord,
    /// Looks at a Lease that another replica holds since a rehearsal showed that this one may write it.
    looks: Option<u32>,
}

/// Why a lease is not ours now.
#[derive(Debug, thiserror::Error)]
enum NotOurs {
    #[error("{0} holds it")]
    Held(String),
    #[error("it was deleted, and its holder may not know yet")]
    Deleted,
    #[error("another replica was faster")]
    Outrun,
    #[error("the API server did not answer within {} s", LEASE_TIMEOUT.as_secs())]
    TimedOut,
    #[error("{}", describe(.0))]
    Kube(#[from] kube::Error),
}

impl NotOurs {
    /// Whether it is the normal state of a replica that stands by, rather than trouble.
    fn is_standing_by(&self) -> bool {
        matches!(self, Self::Held(_) | Self::Deleted | Self::Outrun)
    }
}

fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("the API server refuses it: {}", status.message),
        error => error.to_string(),
    }
}

impl Candidate {
    /// A candidate. The guard is the one that is asked before each write; the requirement is met while this replica can
    /// write the Lease.
    pub fn new(
        client: Client,
        settings: LeaseSettings,
        guard: LeaseGuard,
        recorder: EventRecorder,
        requirement: Requirement,
    ) -> Self {
        let identity = format!("{}_{:08x}", settings.instance, fastrand::u32(..));
        let api = Api::namespaced(client, &settings.namespace);
        Self { api, settings, identity, guard, recorder, requirement, seen: SeenRecord::default(), looks: None }
    }

    /// Waits until the lease is ours.
    pub async fn win(&mut self) {
        let mut told = String::new();
        while let Err(error) = self.contend().await {
            let why = error.to_string();
            if why != told {
                if error.is_standing_by() {
                    tracing::info!("standing by for the lease: {why}");
                } else {
                    tracing::warn!("the lease {} cannot be taken: {why}", self.settings.name);
                }
                told = why;
            }
            tokio::time::sleep(CONTEND_PAUSE).await;
        }
        tracing::info!(identity = self.identity, "this replica leads");
        self.tell("became the leader").await;
    }

    /// Takes the lease, or finds out whether it could be taken.
    async fn contend(&mut self) -> Result<(), NotOurs> {
        let result = match self.hold().await {
            Err(error) if error.is_standing_by() => self.rehearse().await.and(Err(error)),
            result => result,
        };
        match &result {
            Err(error) if !error.is_standing_by() => drop(self.requirement.set_missing(error.to_string())),
            _ => self.requirement.set_met(),
        }
        result
    }

    /// Writes the Lease as it is, without effect: that it can be read says nothing about the right to write it.
    async fn rehearse(&mut self) -> Result<(), NotOurs> {
        if let Some(looks) = self.looks.filter(|looks| *looks < LOOKS_PER_REHEARSAL) {
            self.looks = Some(looks + 1);
            return Ok(());
        }
        self.looks = None;
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        if let Some(lease) = bounded(self.api.get_opt(&self.settings.name)).await? {
            match bounded(self.api.replace(&self.settings.name, &parameters, &lease)).await {
                // The holder renewed it meanwhile: whoever gets that far has the right.
                Err(NotOurs::Kube(kube::Error::Api(status))) if status.code == 409 => {}
                result => drop(result?),
            }
        }
        self.looks = Some(0);
        Ok(())
    }

    /// Renews the lease for as long as that can be done; ends when it is certain no longer.
    pub async fn keep(&mut self) {
        loop {
            tokio::time::sleep(self.settings.duration / RENEWALS).await;
            match self.hold().await {
                Ok(()) => {}
                Err(NotOurs::Held(other)) => {
                    tracing::error!("the lease is lost: {other} holds it");
                    self.guard.set(None);
                    return;
                }
                // Outrun too: a renewal whose answer was lost looks the same, and the next look tells.
                Err(error) => tracing::warn!(%error, "the lease could not be renewed; trying again"),
            }
            if !self.guard.may_write() {
                tracing::error!("the lease could not be renewed in time: this replica ends before another may begin");
                self.guard.set(None);
                return;
            }
        }
    }

    /// Gives the lease back, so that the next replica need not wait for its end.
    pub async fn release(&mut self) {
        if !self.guard.may_write() {
            return;
        }
        self.guard.set(None);
        let released = bounded(async {
            let mut lease = self.api.get(&self.settings.name).await?;
            if let Some(spec) = lease.spec.as_mut().filter(|it| it.holder_identity.as_ref() == Some(&self.identity)) {
                spec.holder_identity = None;
                spec.lease_duration_seconds = Some(1);
                self.api.replace(&self.settings.name, &PostParams::default(), &lease).await?;
            }
            Ok(())
        });
        match released.await {
            Ok(()) => {
                tracing::info!("the lease is given back");
                self.tell("stopped leading").await;
            }
            Err(error) => tracing::warn!(%error, "the lease could not be given back; it ends by itself"),
        }
    }

    /// Takes or renews the lease, if it is ours or nobody's.
    async fn hold(&mut self) -> Result<(), NotOurs> {
        let mut lease = bounded(self.api.get_opt(&self.settings.name)).await?;
        let record = lease.as_mut().and_then(|lease| lease.spec.take());
        if !self.seen.is_free(record.as_ref(), &self.identity) {
            let holder = holder(record.as_ref());
            return Err(holder.map_or(NotOurs::Deleted, |holder| NotOurs::Held(holder.to_owned())));
        }
        // Counted from before the request: nobody can have seen the new record earlier.
        let from = Instant::now();
        let record = renewed(record.as_ref(), &self.identity, self.settings.duration);
        match self.write(lease, record.clone()).await {
            Ok(()) => {
                self.seen.wrote(record);
                self.guard.set(Some(from + self.settings.duration));
                Ok(())
            }
            Err(NotOurs::Kube(kube::Error::Api(status))) if status.code == 409 => Err(NotOurs::Outrun),
            Err(error) => Err(error),
        }
    }

    async fn write(&self, lease: Option<Lease>, record: LeaseSpec) -> Result<(), NotOurs> {
        let (name, parameters) = (&self.settings.name, PostParams::default());
        if let Some(lease) = lease {
            // With the version that was read: whoever wrote meanwhile wins.
            let lease = Lease { spec: Some(record), ..lease };
            bounded(self.api.replace(name, &parameters, &lease)).await?;
        } else {
            let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(record) };
            bounded(self.api.create(&parameters, &lease)).await?;
        }
        Ok(())
    }

    async fn tell(&self, what: &str) {
        let regarding = ObjectReference {
            api_version: Some(Lease::api_version(&()).into_owned()),
            kind: Some(Lease::kind(&()).into_owned()),
            namespace: Some(self.settings.namespace.clone()),
            name: Some(self.settings.name.clone()),
            ..ObjectReference::default()
        };
        let note = format!("{} {what}", self.identity);
        let draft = EventDraft { warning: false, reason: "LeaderElection".to_owned(), action: "Elect", note };
        self.recorder.record(&regarding, vec![draft]).await;
    }
}

async fn bounded<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, NotOurs> {
    tokio::time::timeout(LEASE_TIMEOUT, call).await.map_err(|_| NotOurs::TimedOut)?.map_err(NotOurs::Kube)
}

#[cfg(test)]
mod tests;
