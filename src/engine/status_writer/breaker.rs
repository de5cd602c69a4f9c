//! When a write is tried again: one status, and the API server as a whole.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::CONCURRENCY;
use super::write::WriteError;

/// The failures in a row, of whichever statuses, after which one write at a time finds out whether others have a chance.
const THRESHOLD: u32 = 16;

/// The waits after failures that pass: short, so that statuses are true again seconds after the API server is back.
const PASSING: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));

/// The waits of a status that is refused until a person changes something.
const REFUSED: (Duration, Duration) = (Duration::from_mins(1), Duration::from_mins(15));

/// The waits of all statuses where one after the other is refused.
const ALL_REFUSED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(1));

/// The longest wait that the API server may ask for.
const MAX_THROTTLE: Duration = Duration::from_mins(1);

/// Whether the API server as a whole takes statuses.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Failures in a row.
    failures: u32,
    /// No write begins before.
    until: Option<Instant>,
}

impl Breaker {
    /// Whether a write may begin beside so many others. After a wait, one at a time may, until one succeeds.
    pub(super) fn allows(&self, writing: usize) -> bool {
        match self.state().until {
            None => writing < CONCURRENCY,
            Some(until) => writing == 0 && Instant::now() >= until,
        }
    }

    /// Waits until a write may begin again.
    pub(super) async fn wait(&self) {
        let until = self.state().until;
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }

    /// The API server has dealt with a write.
    pub(super) fn succeeded(&self) {
        *self.state() = State::default();
    }

    /// A write failed. Returns whether it is the first in a row.
    pub(super) fn failed(&self, error: &WriteError) -> bool {
        let mut state = self.state();
        let wait = match error {
            // Nothing of the API server.
            WriteError::NotLeader | WriteError::Contended => return true,
            WriteError::Throttled(wait) => Some((*wait).min(MAX_THROTTLE)),
            error => (state.failures + 1).checked_sub(THRESHOLD).map(|beyond| {
                let waits = if error.is_refusal() { ALL_REFUSED } else { PASSING };
                doubled(waits, beyond + 1)
            }),
        };
        state.failures = state.failures.saturating_add(1);
        if let Some(wait) = wait {
            state.until = state.until.max(Some(Instant::now() + wait));
        }
        state.failures == 1
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The wait of one status after so many failures in a row.
pub(super) fn pause(error: &WriteError, failures: u32) -> Duration {
    match error {
        WriteError::Throttled(wait) => (*wait).min(MAX_THROTTLE),
        error if error.is_refusal() => doubled(REFUSED, failures),
        _ => doubled(PASSING, failures),
    }
}

/// Exponential from the shortest to the longest, with jitter.
fn doubled((shortest, longest): (Duration, Duration), failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    shortest.saturating_mul(1 << doublings).min(longest).mul_f64(0.5 + 0.5 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> WriteError {
        WriteError::Refused { code: 403, message: "no".to_owned() }
    }

    /// A refusal waits minutes, more each time; what passes is tried again within four seconds.
    #[test]
    fn refusal_waits_minutes_failure_waits_seconds() {
        for failures in 1..100 {
            let wait = pause(&refused(), failures);
            assert!(wait >= Duration::from_secs(30) && wait <= Duration::from_mins(15), "{failures}: {wait:?}");
            assert!(pause(&WriteError::TimedOut, failures) <= Duration::from_secs(4));
        }
        assert!(pause(&refused(), 9) > Duration::from_mins(7));
    }

    /// While one status after the other fails, one write at a time is tried; the first success lets all go.
    #[tokio::test(start_paused = true)]
    async fn breaker_probes_until_write_succeeds() {
        let breaker = Breaker::default();
        assert!(breaker.failed(&WriteError::TimedOut), "the first is news");
        assert!(!(1..THRESHOLD).any(|_| breaker.failed(&WriteError::TimedOut)));
        assert!(!breaker.allows(0));
        breaker.wait().await;
        assert!(breaker.allows(0) && !breaker.allows(1));
        breaker.succeeded();
        assert!(breaker.allows(CONCURRENCY - 1) && !breaker.allows(CONCURRENCY));
    }

    /// A 429 with Retry-After holds every write for as long as it says.
    #[tokio::test(start_paused = true)]
    async fn throttling_holds_every_write() {
        let breaker = Breaker::default();
        breaker.failed(&WriteError::Throttled(Duration::from_secs(7)));
        tokio::time::advance(Duration::from_millis(6_900)).await;
        assert!(!breaker.allows(0));
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(breaker.allows(0));
    }
}
