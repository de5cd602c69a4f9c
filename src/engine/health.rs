//! Whether the program works: for `/livez` and `/readyz`.
//!
//! Neither speaks of Confidence: that it is down is the status's and the metrics' to tell, and a restart does not mend it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Passes in hand, and none finished for this long: the workers are wedged. A pass is bounded by its calls' timeouts to
/// well under that.
pub const WEDGED_AFTER: Duration = Duration::from_mins(3);

/// Whether passes finish.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    state: Arc<Mutex<ProgressState>>,
}

#[derive(Debug, Default)]
struct ProgressState {
    in_hand: usize,
    /// When a pass last finished, or the first began after a time without work.
    moved: Option<Instant>,
}

/// A pass in hand; it ends when this is dropped.
#[derive(Debug)]
pub struct Working(Progress);

impl Progress {
    /// A pass begins.
    pub fn begin(&self) -> Working {
        self.update(|state| {
            if state.in_hand == 0 {
                state.moved = Some(Instant::now());
            }
            state.in_hand += 1;
        });
        Working(self.clone())
    }

    /// For how long passes have been in hand without one finishing, if that is too long.
    pub fn wedged_for(&self) -> Option<Duration> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let since = state.moved.filter(|_| state.in_hand > 0)?.elapsed();
        (since > WEDGED_AFTER).then_some(since)
    }

    fn update(&self, change: impl FnOnce(&mut ProgressState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.update(|state| {
            state.in_hand = state.in_hand.saturating_sub(1);
            state.moved = Some(Instant::now());
        });
    }
}

/// Whether this replica could serve: it has seen the resources.
#[derive(Clone, Debug)]
pub struct Readiness {
    waiting_for: Arc<Mutex<Option<String>>>,
}

impl Readiness {
    /// Not ready yet.
    pub fn new(waiting_for: &str) -> Self {
        Self { waiting_for: Arc::new(Mutex::new(Some(waiting_for.to_owned()))) }
    }

    /// Ready from now on.
    pub fn set_ready(&self) {
        *self.waiting_for.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Not ready, and why.
    pub fn set_waiting(&self, why: String) {
        *self.waiting_for.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// What is missing, if anything is.
    pub fn waiting_for(&self) -> Option<String> {
        self.waiting_for.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_that_does_not_move_is_a_wedge_and_no_work_is_none() {
        let progress = Progress::default();
        tokio::time::advance(WEDGED_AFTER * 2).await;
        assert_eq!(progress.wedged_for(), None);
        let stuck = progress.begin();
        tokio::time::advance(WEDGED_AFTER + Duration::from_secs(1)).await;
        assert!(progress.wedged_for().is_some());
        drop(progress.begin());
        assert_eq!(progress.wedged_for(), None, "another pass has finished");
        drop(stuck);
        tokio::time::advance(WEDGED_AFTER * 2).await;
        assert_eq!(progress.wedged_for(), None);
    }
}
