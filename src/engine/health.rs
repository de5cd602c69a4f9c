//! Whether the program works: for `/livez` and `/readyz`.
//!
//! Neither speaks of Confidence: that it is unavailable is for the statuses and the metrics to tell, and a restart does
//! not mend it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Attempts in progress, and none finished for this long: the workers are wedged. An attempt is bounded by the timeouts of
/// its calls to well under that.
pub const WEDGED_AFTER: Duration = Duration::from_mins(3);

/// Whether attempts finish.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    state: Arc<Mutex<ProgressState>>,
}

#[derive(Debug, Default)]
struct ProgressState {
    in_progress: usize,
    /// When an attempt last finished, or the first began after a time without work.
    moved: Option<Instant>,
}

/// An attempt in progress; it ends when this is dropped.
#[derive(Debug)]
pub struct Working(Progress);

impl Progress {
    /// An attempt begins.
    pub fn begin(&self) -> Working {
        let mut state = lock(&self.state);
        if state.in_progress == 0 {
            state.moved = Some(Instant::now());
        }
        state.in_progress += 1;
        Working(self.clone())
    }

    /// For how long attempts have been in progress without one finishing, if that is too long.
    pub fn wedged_for(&self) -> Option<Duration> {
        let state = lock(&self.state);
        let since = state.moved.filter(|_| state.in_progress > 0)?.elapsed();
        (since > WEDGED_AFTER).then_some(since)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.in_progress = state.in_progress.saturating_sub(1);
        state.moved = Some(Instant::now());
    }
}

/// Whether this replica could do the work: all its requirements are met.
///
/// ```
/// use confidence_operator::engine::health::Readiness;
///
/// let readiness = Readiness::default();
/// let lease = readiness.require("the lease", "not asked for yet");
/// assert_eq!(readiness.missing(), ["the lease: not asked for yet"]);
/// lease.set_met();
/// assert!(readiness.missing().is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    missing: Arc<Mutex<BTreeMap<String, String>>>,
}

/// One thing that a replica needs to do the work.
#[derive(Clone)]
pub struct Requirement {
    name: String,
    readiness: Readiness,
}

impl Readiness {
    /// A requirement that is missing from now on, for this reason. One of the same name is the same requirement.
    pub fn require(&self, name: impl Into<String>, why: impl Into<String>) -> Requirement {
        let requirement = self.requirement(name);
        requirement.set_missing(why);
        requirement
    }

    /// A requirement that counts as met until it is said to be missing.
    pub fn requirement(&self, name: impl Into<String>) -> Requirement {
        Requirement { name: name.into(), readiness: self.clone() }
    }

    /// Each requirement that is missing, by name, and why.
    pub fn missing(&self) -> Vec<String> {
        lock(&self.missing).iter().map(|(name, why)| format!("{name}: {why}")).collect()
    }
}

impl Requirement {
    /// It is met from now on.
    pub fn set_met(&self) {
        lock(&self.readiness.missing).remove(&self.name);
    }

    /// It is missing from now on. Says whether that is new, so that it is logged once.
    pub fn set_missing(&self, why: impl Into<String>) -> bool {
        let why = why.into();
        lock(&self.readiness.missing).insert(self.name.clone(), why.clone()) != Some(why)
    }
}

impl fmt::Debug for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Requirement").field(&self.name).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Work that does not move for three minutes is a wedge; no work at all is none.
    #[tokio::test(start_paused = true)]
    async fn stuck_work_is_wedge_idleness_is_none() {
        let progress = Progress::default();
        tokio::time::advance(WEDGED_AFTER * 2).await;
        assert_eq!(progress.wedged_for(), None);
        let stuck = progress.begin();
        tokio::time::advance(WEDGED_AFTER + Duration::from_secs(1)).await;
        assert!(progress.wedged_for().is_some());
        drop(progress.begin());
        assert_eq!(progress.wedged_for(), None, "another attempt has finished");
        drop(stuck);
        tokio::time::advance(WEDGED_AFTER * 2).await;
        assert_eq!(progress.wedged_for(), None);
    }

    /// Whoever asks hears of each requirement that is missing, and that it is only once.
    #[test]
    fn readiness_names_every_missing_requirement() {
        let readiness = Readiness::default();
        let lease = readiness.require("lease", "not asked for yet");
        let shop = readiness.requirement("namespace shop");
        assert!(shop.set_missing("refused"));
        assert!(!shop.set_missing("refused"));
        assert!(lease.set_missing("refused too"));
        assert_eq!(readiness.missing(), ["lease: refused too", "namespace shop: refused"]);
        lease.set_met();
        shop.set_met();
        assert!(readiness.missing().is_empty());
    }
}
