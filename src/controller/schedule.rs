//! When a resource is looked at again. Pure, but for the dice.

use std::time::Duration;

use tokio::time::Instant;

use crate::confidence::AccountState;
use crate::confidence::transport::REQUEST_TIMEOUT;

/// The longest wait between two tries.
pub(super) const LONGEST_BACKOFF: Duration = Duration::from_mins(5);

const SHORTEST_BACKOFF: Duration = Duration::from_secs(1);

/// What a pass leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing of its own: the next round of looks, or an event. `settled` tells that nothing is left to be done, so that
    /// a round which finds nothing new lets the resource be.
    Rest { settled: bool },
    /// Another try.
    Backoff,
    /// A pass when the account's gate opens, or after this long.
    AccountOpens(Duration),
}

/// An interval with its jitter of ±10 %, so that resources that were created together part ways.
pub(super) fn jittered(interval: Duration, random: &mut fastrand::Rng) -> Duration {
    interval.mul_f64(0.9 + 0.2 * random.f64())
}

/// The wait before the next try after so many failures in a row: exponential, with full jitter, capped.
pub(super) fn backoff(failures: u32, random: &mut fastrand::Rng) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let most = SHORTEST_BACKOFF.saturating_mul(1 << doublings).min(LONGEST_BACKOFF);
    most.mul_f64(random.f64())
}

/// When to come back if the account's gate does not open before: at the end of its window. Past that, a probe is on its
/// way: its success opens the gate, which wakes those who wait, and after its failure whoever made it comes back first. So
/// the others need not ask while it lasts; they come back in case nobody does.
pub(super) fn account_wait(account: AccountState, now: Instant) -> Duration {
    match account {
        AccountState::Blocked { until, .. } if now < until => until - now,
        AccountState::Blocked { .. } => REQUEST_TIMEOUT,
        AccountState::Available => SHORTEST_BACKOFF,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confidence::BlockCause;

    #[tokio::test(start_paused = true)]
    async fn while_a_probe_is_under_way_nobody_asks_again_before_it_can_be_over() {
        let now = Instant::now();
        let held = |until| AccountState::Blocked { until, cause: BlockCause::RateLimited };
        assert_eq!(account_wait(held(now + Duration::from_secs(7)), now), Duration::from_secs(7));
        assert_eq!(account_wait(held(now), now), REQUEST_TIMEOUT);
        assert_eq!(account_wait(AccountState::Available, now), Duration::from_secs(1), "it opened meanwhile");
    }

    #[test]
    fn backoff_doubles_from_a_second_to_five_minutes_and_uses_the_whole_range() {
        let mut random = fastrand::Rng::with_seed(7);
        for (failures, most) in [(1, 1.0), (2, 2.0), (5, 16.0), (9, 256.0), (10, 300.0), (u32::MAX, 300.0)] {
            let waits: Vec<f64> = (0..1000).map(|_| backoff(failures, &mut random).as_secs_f64()).collect();
            assert!(waits.iter().all(|wait| *wait <= most), "{failures}");
            assert!(
                waits.iter().any(|wait| *wait > 0.9 * most) && waits.iter().any(|wait| *wait < 0.1 * most),
                "{failures}"
            );
        }
    }

    #[test]
    fn an_interval_varies_by_a_tenth() {
        let mut random = fastrand::Rng::with_seed(7);
        let waits: Vec<f64> =
            (0..1000).map(|_| jittered(Duration::from_secs(100), &mut random).as_secs_f64()).collect();
        assert!(waits.iter().all(|wait| (90.0..=110.0).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < 92.0) && waits.iter().any(|wait| *wait > 108.0));
    }
}
