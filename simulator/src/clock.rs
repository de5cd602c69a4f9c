//! The server's clock: tokio's time, so that a test can pause it, from the beginning of a given wall clock.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

#[derive(Debug)]
pub(crate) struct Clock {
    began_at: Timestamp,
    began: Instant,
    last_write: Option<Timestamp>,
}

impl Clock {
    pub fn starting_at(now: Timestamp) -> Self {
        Self { began_at: now, began: Instant::now(), last_write: None }
    }

    /// The time of day, as a server has it whose clock is so many milliseconds ahead.
    pub fn now(&self, skew: i64) -> Timestamp {
        let now = self.began_at + self.began.elapsed();
        now.saturating_add(SignedDuration::from_millis(skew)).unwrap_or(now)
    }

    /// Milliseconds since the server began, by a clock that nobody sets.
    pub fn milliseconds(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The time of a write that happens now: in microseconds, and later than that of any other.
    pub fn tick(&mut self, skew: i64) -> Timestamp {
        let now = self.now(skew);
        let now = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
        let next = match self.last_write {
            Some(last) if last >= now => last.saturating_add(SignedDuration::from_micros(1)).unwrap_or(last),
            _ => now,
        };
        self.last_write = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two writes in one moment, and one after the clock was set back, are told apart by their times.
    #[tokio::test(start_paused = true)]
    async fn times_of_writes_always_advance() {
        let mut clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let times = [clock.tick(0), clock.tick(0), clock.tick(-60_000)];
        assert!(times.is_sorted_by(|one, other| one < other), "{times:?}");
    }
}
