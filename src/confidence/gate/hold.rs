//! When not at all: throttling, outage and refused credentials, with one probe at the end of each window. Pure, but for
//! the dice.

use std::time::Duration;

use tokio::time::Instant;

use super::{AccountState, HoldCause, Verdict};
use crate::confidence::error::Cause;

/// The longest window.
pub(super) const LONGEST: Duration = Duration::from_secs(5 * 60);

const SHORTEST: Duration = Duration::from_secs(1);

/// So many failures in a row, of whichever calls, are an outage.
const FAILURES: u32 = 5;

/// So many, where nobody even takes the connection.
const REFUSALS: u32 = 3;

/// Whether and for how long the account is held back.
#[derive(Debug)]
pub(super) struct Hold {
    current: Option<(Instant, HoldCause)>,
    probing: bool,
    /// Failures in a row.
    failures: u32,
    /// Windows in a row.
    windows: u32,
    random: fastrand::Rng,
}

/// Whether a call may go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Free,
    Probe,
    Refused(HoldCause),
}

impl Hold {
    pub(super) fn new(random: fastrand::Rng) -> Self {
        Self { current: None, probing: false, failures: 0, windows: 0, random }
    }

    pub(super) fn state(&self) -> AccountState {
        self.current.map_or(AccountState::Open, |(until, cause)| AccountState::Held { until, cause })
    }

    pub(super) fn cause(&self) -> Option<HoldCause> {
        self.current.map(|(_, cause)| cause)
    }

    pub(super) fn is_probing(&self) -> bool {
        self.probing
    }

    /// A call comes.
    pub(super) fn enter(&mut self, now: Instant) -> Entry {
        match self.current {
            None => Entry::Free,
            Some((until, cause)) if now < until || self.probing => Entry::Refused(cause),
            Some(_) => {
                self.probing = true;
                Entry::Probe
            }
        }
    }

    /// The probe's caller went away before there was an answer: the next call is the probe.
    pub(super) fn probe_abandoned(&mut self) {
        self.probing = false;
    }

    /// Ends the hold.
    pub(super) fn open(&mut self) {
        self.current = None;
        self.probing = false;
        self.failures = 0;
        self.windows = 0;
    }

    /// A call was answered, or not. Tells whether the account now stands otherwise.
    pub(super) fn settle(&mut self, verdict: &Verdict, probe: bool, now: Instant) -> bool {
        if probe {
            self.probing = false;
        }
        match verdict {
            // What was under way when the gate closed says nothing of now; only the probe opens it.
            Verdict::Alive => {
                self.failures = 0;
                if self.current.is_some() && probe {
                    self.open();
                    return true;
                }
                if self.current.is_none() {
                    self.windows = 0;
                }
                false
            }
            Verdict::Throttled(retry_after) => self.close(HoldCause::Throttled, *retry_after, probe, now),
            Verdict::Unauthenticated => self.close(HoldCause::Unauthenticated, Some(LONGEST), probe, now),
            Verdict::Failed { cause, retry_after } => {
                self.failures += 1;
                let enough = if *cause == Cause::Unreachable { REFUSALS } else { FAILURES };
                if probe || retry_after.is_some() || self.failures >= enough {
                    self.close(HoldCause::Down, *retry_after, probe, now)
                } else {
                    false
                }
            }
        }
    }

    fn close(&mut self, cause: HoldCause, named: Option<Duration>, probe: bool, now: Instant) -> bool {
        let standing = self.current.filter(|_| !probe);
        if standing.is_none() {
            self.windows = self.windows.saturating_add(1);
        }
        let until = now + named.unwrap_or_else(|| self.window());
        // Calls that were under way together fail together: that is one window, as long as the longest that was named.
        if standing.is_some_and(|(standing, _)| standing >= until || named.is_none()) {
            return false;
        }
        self.current = Some((until, cause));
        true
    }

    /// Doubling, capped, the upper half of it by chance.
    fn window(&mut self) -> Duration {
        let most = SHORTEST.saturating_mul(1 << self.windows.min(16)).min(LONGEST);
        most.mul_f64(0.5 + 0.5 * self.random.f64())
    }
}
