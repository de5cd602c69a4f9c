//! Waiting for a condition, with a deadline.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::Instant;

/// How long to wait at the most.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Duration);

impl Default for Deadline {
    /// Long enough for a slow machine, short enough for a person.
    fn default() -> Self {
        Self(Duration::from_mins(1))
    }
}

/// Asks again and again until the answer is as wanted; answers it.
///
/// # Panics
/// At the deadline, with the last answer.
#[allow(clippy::panic)]
pub async fn eventually<T: Debug>(
    what: &str,
    deadline: Deadline,
    mut ask: impl AsyncFnMut() -> T,
    wanted: impl Fn(&T) -> bool,
) -> T {
    let end = Instant::now() + deadline.0;
    loop {
        let answer = ask().await;
        if wanted(&answer) {
            return answer;
        }
        assert!(Instant::now() < end, "{what}: not within {:?}; the last answer was {answer:#?}", deadline.0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
