//! Which replica works: the one that holds the Lease.
//!
//! Times are this machine's monotonic clock. A holder counts its lease from before the request that renewed it, a
//! contender from after it first saw the record unchanged; so the holder stops before anybody else can begin, however slow
//! the API server and however wrong the wall clocks are. The wall clock's `renewTime` is for people.
//!
//! Own code, because the guard is the point: the libraries elect, and none says at the moment of a write until when the
//! lease is certainly ours.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::Instant;

use crate::confidence::WriteGuard;
use crate::confidence::transport::REQUEST_TIMEOUT;

/// The name of the Lease, in the pod's namespace.
pub const LEASE: &str = "confidence-operator";

/// The shortest lease: it has to outlast a write in hand with time to spare for renewals.
pub const SHORTEST: Duration = Duration::from_secs(15);

/// So many renewals fit into a lease.
const RENEWALS: u32 = 6;

/// How often a contender looks.
const CONTEND_PAUSE: Duration = Duration::from_secs(2);

/// How long a request about the Lease may take.
const LEASE_TIMEOUT: Duration = Duration::from_secs(4);

/// A replica that wants to work.
pub struct Candidate {
    api: Api<Lease>,
    identity: String,
    duration: Duration,
    guard: LeaseGuard,
    seen: Option<Seen>,
}

/// The record as it was last seen, and since when it is so.
struct Seen {
    record: Option<LeaseSpec>,
    since: Instant,
}

/// Says, at the moment of a write, whether the lease is certainly ours until that write is over.
#[derive(Clone, Debug, Default)]
pub struct LeaseGuard {
    ours_until: Arc<Mutex<Option<Instant>>>,
}

impl WriteGuard for LeaseGuard {
    fn may_write(&self) -> bool {
        let until = *self.ours_until.lock().unwrap_or_else(PoisonError::into_inner);
        // A request that is on its way cannot be called back: it has to be over before the lease is.
        until.is_some_and(|until| Instant::now() + REQUEST_TIMEOUT < until)
    }
}

impl LeaseGuard {
    fn set(&self, until: Option<Instant>) {
        *self.ours_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    fn is_over(&self) -> bool {
        let until = *self.ours_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_none_or(|until| Instant::now() + REQUEST_TIMEOUT >= until)
    }
}

/// Why a lease is not ours now.
#[derive(Debug, thiserror::Error)]
enum NotOurs {
    #[error("{0} holds it")]
    Held(String),
    #[error("another replica was faster")]
    Outrun,
    #[error("the API server did not answer in time")]
    TimedOut,
    #[error(transparent)]
    Kube(#[from] kube::Error),
}

impl Candidate {
    /// A candidate with an identity that no other process has. The guard is the one that is asked before each write.
    pub fn new(client: Client, namespace: &str, instance: &str, duration: Duration, guard: LeaseGuard) -> Self {
        let identity = format!("{instance}_{:08x}", fastrand::u32(..));
        let api = Api::namespaced(client, namespace);
        Self { api, identity, duration, guard, seen: None }
    }

    /// Waits until the lease is ours.
    pub async fn win(&mut self) {
        let mut told = String::new();
        loop {
            match self.hold().await {
                Ok(()) => {
                    tracing::info!(identity = self.identity, "this replica leads");
                    return;
                }
                Err(error) => {
                    let why = error.to_string();
                    if why != told {
                        tracing::info!(%error, "standing by for the lease");
                        told = why;
                    }
                }
            }
            tokio::time::sleep(CONTEND_PAUSE).await;
        }
    }

    /// Renews the lease for as long as that can be done; ends when it is certain no longer.
    pub async fn keep(&mut self) {
        loop {
            tokio::time::sleep(self.duration / RENEWALS).await;
            match self.hold().await {
                Ok(()) => {}
                Err(error @ NotOurs::Held(_)) => {
                    tracing::error!(%error, "the lease is lost");
                    self.guard.set(None);
                    return;
                }
                // Outrun too: a renewal whose answer was lost looks the same, and the next look tells.
                Err(error) => tracing::warn!(%error, "the lease could not be renewed; trying again"),
            }
            if self.guard.is_over() {
                tracing::error!("the lease could not be renewed in time: this replica ends before another may begin");
                self.guard.set(None);
                return;
            }
        }
    }

    /// Gives the lease back, so that the next replica need not wait for its end.
    pub async fn release(&mut self) {
        if self.guard.is_over() {
            return;
        }
        self.guard.set(None);
        let released = tokio::time::timeout(LEASE_TIMEOUT, async {
            let mut lease = self.api.get(LEASE).await?;
            if let Some(spec) = lease.spec.as_mut().filter(|it| it.holder_identity.as_ref() == Some(&self.identity)) {
                spec.holder_identity = None;
                spec.lease_duration_seconds = Some(1);
                self.api.replace(LEASE, &PostParams::default(), &lease).await?;
            }
            Ok::<_, kube::Error>(())
        });
        match released.await {
            Ok(Ok(())) => tracing::info!("the lease is given back"),
            Ok(Err(error)) => tracing::warn!(%error, "the lease could not be given back; it ends by itself"),
            Err(_) => tracing::warn!("the lease could not be given back in time; it ends by itself"),
        }
    }

    /// Takes or renews the lease, if it is ours or nobody's.
    async fn hold(&mut self) -> Result<(), NotOurs> {
        let lease = bounded(self.api.get_opt(LEASE)).await?;
        let record = lease.as_ref().and_then(|it| it.spec.clone());
        let free = self.is_free(record.as_ref());
        if !free {
            let holder = record.and_then(|it| it.holder_identity).unwrap_or_default();
            return Err(NotOurs::Held(holder));
        }
        // Counted from before the request: nobody can have seen the new record earlier.
        let from = Instant::now();
        let result = match lease {
            None => {
                let mut lease = Lease { spec: Some(self.record(None)), ..Lease::default() };
                lease.metadata.name = Some(LEASE.to_owned());
                bounded(self.api.create(&PostParams::default(), &lease)).await
            }
            Some(mut lease) => {
                lease.spec = Some(self.record(lease.spec.as_ref()));
                // With the version that was read: whoever wrote meanwhile wins.
                bounded(self.api.replace(LEASE, &PostParams::default(), &lease)).await
            }
        };
        match result {
            Ok(_) => {
                self.guard.set(Some(from + self.duration));
                Ok(())
            }
            Err(NotOurs::Kube(kube::Error::Api(status))) if status.code == 409 => Err(NotOurs::Outrun),
            Err(error) => Err(error),
        }
    }

    /// Whether the lease may be taken: it is ours, nobody's, or has not been renewed for as long as it lasts.
    fn is_free(&mut self, record: Option<&LeaseSpec>) -> bool {
        let now = Instant::now();
        if self.seen.as_ref().is_none_or(|seen| seen.record.as_ref() != record) {
            self.seen = Some(Seen { record: record.cloned(), since: now });
        }
        let Some(record) = record else { return true };
        let Some(holder) = record.holder_identity.as_ref().filter(|it| !it.is_empty()) else { return true };
        let lasts = u64::try_from(record.lease_duration_seconds.unwrap_or(0)).unwrap_or(0);
        let unchanged = self.seen.as_ref().map_or(Duration::ZERO, |seen| now - seen.since);
        *holder == self.identity || unchanged >= Duration::from_secs(lasts)
    }

    fn record(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let ours = before.filter(|it| it.holder_identity.as_ref() == Some(&self.identity));
        let transitions = before.and_then(|it| it.lease_transitions).unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            // Never less than what the holder counts on.
            lease_duration_seconds: i32::try_from(self.duration.as_millis().div_ceil(1000)).ok(),
            acquire_time: ours.and_then(|it| it.acquire_time.clone()).or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(if ours.is_some() || before.is_none() { transitions } else { transitions + 1 }),
            ..LeaseSpec::default()
        }
    }
}

async fn bounded<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, NotOurs> {
    tokio::time::timeout(LEASE_TIMEOUT, call).await.map_err(|_| NotOurs::TimedOut)?.map_err(NotOurs::Kube)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A candidate that asks nobody.
    fn candidate(duration: Duration) -> Candidate {
        let nobody = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            Err::<http::Response<kube::client::Body>, _>(std::io::Error::other("there is no API server"))
        });
        Candidate::new(Client::new(nobody, "default"), "default", "me", duration, LeaseGuard::default())
    }

    fn of(holder: &str, renewed: i64, seconds: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(seconds),
            renew_time: Some(MicroTime(Timestamp::from_second(renewed).unwrap())),
            ..LeaseSpec::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_free_when_its_record_has_not_moved_for_as_long_as_it_lasts_whatever_the_clocks_say() {
        let mut candidate = candidate(Duration::from_secs(30));
        // A wall clock that is years behind or ahead.
        for wrong in [0, 4_000_000_000] {
            let holder = format!("other-{wrong}");
            assert!(!candidate.is_free(Some(&of(&holder, wrong, 20))));
            tokio::time::advance(Duration::from_secs(19)).await;
            assert!(!candidate.is_free(Some(&of(&holder, wrong, 20))));
            assert!(!candidate.is_free(Some(&of(&holder, wrong + 1, 20))), "it was renewed");
            tokio::time::advance(Duration::from_secs(19)).await;
            assert!(!candidate.is_free(Some(&of(&holder, wrong + 1, 20))));
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(candidate.is_free(Some(&of(&holder, wrong + 1, 20))));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_ours_or_nobodys_is_free_at_once() {
        let mut candidate = candidate(Duration::from_secs(30));
        let ours = of(&candidate.identity.clone(), 0, 20);
        assert!(candidate.is_free(None) && candidate.is_free(Some(&ours)) && candidate.is_free(Some(&of("", 0, 20))));
    }

    #[tokio::test(start_paused = true)]
    async fn the_record_never_says_less_than_the_holder_counts_on() {
        let record = candidate(Duration::from_millis(15_900)).record(None);
        assert_eq!(record.lease_duration_seconds, Some(16));
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_is_allowed_only_if_it_can_be_over_before_the_lease_is() {
        let guard = LeaseGuard::default();
        assert!(!guard.may_write(), "nobody has won anything yet");
        guard.set(Some(Instant::now() + Duration::from_secs(30)));
        assert!(guard.may_write());
        tokio::time::advance(Duration::from_secs(20)).await;
        assert!(!guard.may_write(), "ten seconds are left, and a request may take that long");
        assert!(guard.is_over());
    }
}
