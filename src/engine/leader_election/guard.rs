//! Says, at the moment of a write, whether this replica may still make it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Says, at the moment of a write, whether the lease is certainly ours until that write is over. Clones are the same
/// guard.
#[derive(Clone, Debug)]
pub struct LeaseGuard {
    /// None where there is no lease to hold.
    lease: Option<Arc<Mutex<Option<Instant>>>>,
    longest_write: Duration,
}

impl LeaseGuard {
    /// A guard over a lease that nobody has won yet, for writes that take at most this long.
    pub fn new(longest_write: Duration) -> Self {
        Self { lease: Some(Arc::default()), longest_write }
    }

    /// The guard of a lone replica, which may always write.
    pub fn always() -> Self {
        Self { lease: None, longest_write: Duration::ZERO }
    }

    /// Whether a write that begins now is over before the lease may be.
    pub fn may_write(&self) -> bool {
        self.may_write_for(self.longest_write)
    }

    /// Whether a write that takes at most this long is over before the lease may be. A request that is on its way cannot
    /// be called back.
    pub fn may_write_for(&self, longest: Duration) -> bool {
        let Some(lease) = &self.lease else { return true };
        let until = *lease.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() + longest < until)
    }

    pub(super) fn set(&self, until: Option<Instant>) {
        if let Some(lease) = &self.lease {
            *lease.lock().unwrap_or_else(PoisonError::into_inner) = until;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: Duration = Duration::from_secs(10);

    /// With ten seconds left, a write that may take ten seconds is refused, a shorter one is not.
    #[tokio::test(start_paused = true)]
    async fn guard_refuses_writes_that_outlast_lease() {
        let guard = LeaseGuard::new(WRITE);
        assert!(!guard.may_write(), "nobody has won anything yet");
        guard.set(Some(Instant::now() + Duration::from_secs(30)));
        assert!(guard.may_write());
        tokio::time::advance(Duration::from_secs(20)).await;
        assert!(!guard.may_write());
        assert!(guard.may_write_for(Duration::from_secs(2)));
    }

    /// Without leader election there is no lease to ask.
    #[test]
    fn guard_of_lone_replica_always_allows() {
        assert!(LeaseGuard::always().may_write());
    }
}
