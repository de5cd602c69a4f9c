//! Since when a request may have been decided on that leaves now: it may have waited for its turn at the account's gate.
//!
//! The gate gives turns at once while there are any, so a request that leaves later than it could have did not wait, and
//! rests on all that its process knew at that moment.

use std::time::Duration;

use tokio::time::Instant;

use super::RATE;

/// How exactly a timer meets its time.
const EXACTLY: Duration = Duration::from_millis(2);

/// The longest pause between two turns: at the pace of the budget, after failures, and after the server asked to wait.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(1_000 / RATE as u64 + 1), Duration::from_millis(550), Duration::from_millis(5_100)];

/// What may come at once at the pace of the budget.
const AT_ONCE: u32 = RATE / 4;

/// How fast the turns come, as far as can be told from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    #[default]
    Budget,
    /// It may be warming up after an outage.
    Failed,
    /// It may feel its way up to what the server allows.
    Throttled,
}

/// The turns of one process.
#[derive(Debug, Default)]
pub struct Turns {
    pace: Pace,
    last: Option<Instant>,
    /// When the next one would be due if they were evenly spaced.
    due: Option<Instant>,
    /// Since when each one may have been waited for.
    waited_since: Option<Instant>,
    /// The last token call: since when it may have been wanted, and its end, if it has ended.
    token: Option<(Instant, Option<Instant>)>,
}

impl Turns {
    /// The pace may be slower from now on.
    pub fn slow_down(&mut self, pace: Pace) {
        self.pace = self.pace.max(pace);
    }

    /// A request leaves now; tells since when it may have been decided on.
    pub fn leaves(&mut self, is_token: bool, now: Instant) -> Instant {
        let pause = PAUSES[self.pace as usize];
        let waited = match self.pace {
            Pace::Budget => {
                let early = PAUSES[0] * (AT_ONCE - 1);
                self.due.is_some_and(|due| now <= due.checked_sub(early).unwrap_or(due) + EXACTLY)
            }
            Pace::Failed | Pace::Throttled => self.last.is_some_and(|last| now <= last + pause),
        };
        let mut since = self.waited_since.filter(|_| waited).unwrap_or(now);
        self.waited_since = Some(since);
        self.last = Some(now);
        self.due = Some(self.due.map_or(now, |due| due.max(now)) + PAUSES[0]);
        // Whoever waits for a token waits for its turn afterwards.
        if let Some((began, end)) = self.token
            && end.is_none_or(|end| since <= end)
        {
            since = since.min(began);
        }
        if is_token {
            self.token = Some((since, None));
        }
        since
    }

    /// A token call has ended.
    pub fn token_ends(&mut self, now: Instant) {
        if let Some((_, end)) = &mut self.token {
            *end = Some(now);
        }
    }
}

#[test]
fn what_leaves_later_than_it_could_have_did_not_wait() {
    let (mut turns, began) = (Turns::default(), Instant::now());
    let at = |milliseconds| began + Duration::from_millis(milliseconds);
    assert_eq!(turns.leaves(false, at(0)), at(0));
    assert_eq!(turns.leaves(false, at(50)), at(50), "two may come at once");
    assert_eq!(turns.leaves(false, at(101)), at(50), "it may have waited since the one before");
    assert_eq!(turns.leaves(false, at(202)), at(50));
    assert_eq!(turns.leaves(false, at(400)), at(400));
}
