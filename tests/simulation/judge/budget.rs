//! The account's budget as one process keeps it: exact, over every window.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// How long to look back for the budget itself, beside the second in which a quarter more may come at once.
const LONG: Duration = Duration::from_mins(1);

/// When requests left.
#[derive(Debug, Default)]
pub struct Sent {
    times: VecDeque<Instant>,
}

impl Sent {
    /// Counts a request that leaves now; tells which promise it breaks. A window that is too full is so when its last
    /// request leaves, so it is enough to look at those that end now.
    pub fn leaves(&mut self, per_second: u32, now: Instant) -> Option<String> {
        self.times.push_back(now);
        while self.times.front().is_some_and(|first| now - *first >= LONG) {
            self.times.pop_front();
        }
        let in_second = self.times.iter().rev().take_while(|it| now - **it < Duration::from_secs(1)).count();
        let rate = usize::try_from(per_second).unwrap();
        if in_second > rate * 5 / 4 {
            return Some(format!("{in_second} requests in a second with a budget of {per_second}"));
        }
        // Nobody can make up for a quiet time by more than what may come at once.
        let in_minute = self.times.len();
        (in_minute > rate * 60 + rate / 4).then(|| format!("{in_minute} requests in a minute"))
    }
}

#[test]
fn each_second_is_judged_whenever_it_begins() {
    let (mut sent, began) = (Sent::default(), Instant::now());
    let at = |milliseconds| began + Duration::from_millis(milliseconds);
    assert!((0..6).all(|_| sent.leaves(10, at(900)).is_none()));
    assert!((0..6).all(|_| sent.leaves(10, at(1_800)).is_none()));
    assert!(sent.leaves(10, at(1_899)).is_some());
}
