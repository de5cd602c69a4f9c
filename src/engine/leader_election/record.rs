//! What the Lease says, and for how long it has said so: pure, but for the clock.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use tokio::time::Instant;

/// The record as it was last seen.
#[derive(Debug, Default)]
pub(super) struct SeenRecord {
    last: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    /// None where there is no Lease.
    record: Option<LeaseSpec>,
    /// Since when it has been so.
    since: Instant,
    /// For how long whoever held it when it was last renewed may count on it.
    lasts: Duration,
}

impl SeenRecord {
    /// Whether the lease may be taken: it is ours, nobody's, or has not been renewed for as long as it lasts.
    ///
    /// A Lease that was there and is not any more was deleted by somebody. Its holder does not know yet, and may have
    /// renewed it just before: so it is waited for as if it had been renewed when it was missed first.
    pub(super) fn is_free(&mut self, record: Option<&LeaseSpec>, identity: &str) -> bool {
        let now = Instant::now();
        let Some(seen) = &mut self.last else {
            self.last = Some(Seen { record: record.cloned(), since: now, lasts: lasts(record) });
            return holder(record).is_none_or(|holder| holder == identity);
        };
        if seen.record.as_ref() != record {
            // A Lease without a holder was given back: its holder is done.
            let was_ours = holder(seen.record.as_ref()) == Some(identity);
            let lasts = match record {
                None if was_ours => Duration::ZERO,
                None => seen.lasts,
                Some(_) => lasts(record),
            };
            *seen = Seen { record: record.cloned(), since: now, lasts };
        }
        holder(record) == Some(identity) || now - seen.since >= seen.lasts
    }

    /// This replica wrote the record.
    pub(super) fn wrote(&mut self, record: LeaseSpec) {
        let lasts = lasts(Some(&record));
        self.last = Some(Seen { record: Some(record), since: Instant::now(), lasts });
    }
}

/// Who holds the lease, if anybody does.
pub(super) fn holder(record: Option<&LeaseSpec>) -> Option<&str> {
    record?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

fn lasts(record: Option<&LeaseSpec>) -> Duration {
    let seconds = holder(record).and(record).and_then(|record| record.lease_duration_seconds).unwrap_or(0);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// The record that takes or renews a lease.
pub(super) fn renewed(before: Option<&LeaseSpec>, identity: &str, duration: Duration) -> LeaseSpec {
    let now = MicroTime(Timestamp::now());
    let ours = before.filter(|record| record.holder_identity.as_deref() == Some(identity));
    let transitions = before.and_then(|record| record.lease_transitions).unwrap_or(0);
    LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        // Never less than what the holder counts on.
        lease_duration_seconds: i32::try_from(duration.as_millis().div_ceil(1000)).ok(),
        acquire_time: ours.and_then(|record| record.acquire_time.clone()).or_else(|| Some(now.clone())),
        renew_time: Some(now),
        lease_transitions: Some(if ours.is_some() || before.is_none() { transitions } else { transitions + 1 }),
        ..LeaseSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn record(holder: &str, renewed: i64) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(20),
            renew_time: Some(MicroTime(Timestamp::from_second(renewed).unwrap_or_default())),
            ..LeaseSpec::default()
        }
    }

    /// The wall clocks of the replicas may be years apart: what counts is for how long the record has not moved.
    #[tokio::test(start_paused = true)]
    async fn unrenewed_lease_is_free_whatever_clocks_say() {
        for wrong in [0, 4_000_000_000] {
            let mut seen = SeenRecord::default();
            assert!(!seen.is_free(Some(&record("other", wrong)), "me"));
            tokio::time::advance(19 * SECOND).await;
            assert!(!seen.is_free(Some(&record("other", wrong)), "me"));
            assert!(!seen.is_free(Some(&record("other", wrong + 1)), "me"), "it was renewed");
            tokio::time::advance(19 * SECOND).await;
            assert!(!seen.is_free(Some(&record("other", wrong + 1)), "me"));
            tokio::time::advance(SECOND).await;
            assert!(seen.is_free(Some(&record("other", wrong + 1)), "me"));
        }
    }

    /// A lease that never was, that is ours, or that was given back need not be waited for.
    #[tokio::test(start_paused = true)]
    async fn own_and_nobodys_lease_are_free() {
        assert!(SeenRecord::default().is_free(None, "me"));
        assert!(SeenRecord::default().is_free(Some(&record("me", 0)), "me"));
        assert!(SeenRecord::default().is_free(Some(&record("", 0)), "me"));
        let mut seen = SeenRecord::default();
        assert!(!seen.is_free(Some(&record("other", 0)), "me"));
        assert!(seen.is_free(Some(&record("", 0)), "me"), "it was given back");
    }

    /// `kubectl delete lease` while another replica leads: that one may write until its lease would have been over.
    #[tokio::test(start_paused = true)]
    async fn deleted_lease_is_waited_for() {
        let mut seen = SeenRecord::default();
        assert!(!seen.is_free(Some(&record("other", 0)), "me"));
        tokio::time::advance(15 * SECOND).await;
        assert!(!seen.is_free(None, "me"));
        tokio::time::advance(19 * SECOND).await;
        assert!(!seen.is_free(None, "me"));
        tokio::time::advance(SECOND).await;
        assert!(seen.is_free(None, "me"));
    }

    /// The holder itself puts a deleted Lease back at once.
    #[tokio::test(start_paused = true)]
    async fn own_deleted_lease_is_free() {
        let mut seen = SeenRecord::default();
        assert!(!seen.is_free(Some(&record("other", 0)), "me"));
        seen.wrote(record("me", 1));
        assert!(seen.is_free(None, "me"));
    }

    /// A lease of 15.9 s is recorded as one of 16 s, so that nobody takes it too early.
    #[test]
    fn record_lasts_no_less_than_the_lease() {
        assert_eq!(renewed(None, "me", Duration::from_millis(15_900)).lease_duration_seconds, Some(16));
    }
}
