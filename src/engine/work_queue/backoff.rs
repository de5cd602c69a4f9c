//! How long to wait before the next attempt. Pure, but for the dice.

use std::time::Duration;

/// The longest wait between two attempts.
pub const MAX_BACKOFF: Duration = Duration::from_mins(5);

const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// The wait after so many failures in a row: exponential, with full jitter, capped.
pub fn backoff(failures: u32, random: &mut fastrand::Rng) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let most = FIRST_BACKOFF.saturating_mul(1 << doublings).min(MAX_BACKOFF);
    most.mul_f64(random.f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound doubles from a second to five minutes, and the waits use the whole range below it.
    #[test]
    fn backoff_doubles_to_cap_with_full_jitter() {
        let mut random = fastrand::Rng::with_seed(7);
        for (failures, most) in [(1, 1.0), (2, 2.0), (5, 16.0), (9, 256.0), (10, 300.0), (u32::MAX, 300.0)] {
            let waits: Vec<f64> = (0..1000).map(|_| backoff(failures, &mut random).as_secs_f64()).collect();
            assert!(waits.iter().all(|wait| *wait <= most), "{failures}");
            assert!(waits.iter().any(|wait| *wait > 0.9 * most), "{failures}");
            assert!(waits.iter().any(|wait| *wait < 0.1 * most), "{failures}");
        }
    }
}
