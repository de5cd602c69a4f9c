//! Whether calls may go out at all: throttling, outage and refused credentials, with one probe at the end of each window.
//!
//! One credential's refusal is that credential's. The account is blocked when the token call failed, when the server said
//! when to come back, when two credentials were refused alike, or when all calls fail. Knows no waiting and no clock; what
//! comes by chance comes from the generator that it was given.

use std::time::Duration;

use tokio::time::Instant;

use super::evidence::{Failures, Refusals, Signal};
use super::{AccountState, BlockCause};
use crate::confidence::error::{Cause, Error, MAX_RETRY_AFTER, MIN_RETRY_AFTER};

/// The shortest and the longest window: what a server may ask of us, we may ask of ourselves.
const MIN_WINDOW: Duration = MIN_RETRY_AFTER;
const MAX_WINDOW: Duration = MAX_RETRY_AFTER;

/// The first window after refused credentials.
const MIN_UNAUTHENTICATED_WINDOW: Duration = Duration::from_secs(5);

/// Whether and for how long the account is blocked.
#[derive(Debug)]
pub(super) struct CircuitBreaker {
    blocked: Option<Blocked>,
    /// How often the account became available: a call that was admitted before that says nothing of now.
    era: u64,
    /// The probe that is in flight.
    probe: Option<u64>,
    probes: u64,
    /// Windows in a row.
    windows: u32,
    failures: Failures,
    refusals: Refusals,
    random: fastrand::Rng,
}

#[derive(Debug)]
struct Blocked {
    until: Instant,
    cause: BlockCause,
    /// What every call is told until the account is available: always the same.
    error: Error,
    /// Whether the calls of several credentials are the evidence, and not the account itself.
    is_inferred: bool,
}

/// The right to go on, as long as the breaker stands as it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    era: u64,
    probe: Option<u64>,
}

impl Ticket {
    pub(super) fn is_probe(self) -> bool {
        self.probe.is_some()
    }
}

/// What a call's end did to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::confidence) enum Change {
    Nothing,
    /// It is blocked now, or for longer.
    Blocked,
    Available,
}

impl CircuitBreaker {
    pub(super) fn new(random: fastrand::Rng) -> Self {
        Self {
            blocked: None,
            era: 0,
            probe: None,
            probes: 0,
            windows: 0,
            failures: Failures::default(),
            refusals: Refusals::default(),
            random,
        }
    }

    pub(super) fn state(&self) -> AccountState {
        match &self.blocked {
            None => AccountState::Available,
            Some(blocked) => AccountState::Blocked { until: blocked.until, cause: blocked.cause },
        }
    }

    /// What a call is told that comes while the account is blocked.
    pub(super) fn error(&self) -> Option<&Error> {
        self.blocked.as_ref().map(|blocked| &blocked.error)
    }

    /// Whether the account was blocked for what the calls of several credentials had in common. Then a call about one of
    /// them is a bad probe.
    pub(super) fn is_inferred(&self) -> bool {
        self.blocked.as_ref().is_some_and(|blocked| blocked.is_inferred)
    }

    /// A call comes. The first one after the window is the probe; all others are turned away until it is over.
    pub(super) fn enter(&mut self, now: Instant) -> Result<Ticket, Error> {
        match &self.blocked {
            None => Ok(Ticket { era: self.era, probe: None }),
            Some(blocked) if now < blocked.until || self.probe.is_some() => Err(blocked.error.clone()),
            Some(_) => {
                self.probes += 1;
                self.probe = Some(self.probes);
                Ok(Ticket { era: self.era, probe: self.probe })
            }
        }
    }

    /// Whether a call that came in may go on.
    pub(super) fn admits(&self, ticket: Ticket) -> Result<(), Error> {
        match &self.blocked {
            Some(blocked) if ticket.probe.is_none() || ticket.probe != self.probe => Err(blocked.error.clone()),
            _ => Ok(()),
        }
    }

    /// A caller went away before there was an answer: if it was the probe, the next call is.
    pub(super) fn abandon(&mut self, ticket: Ticket) {
        if ticket.probe.is_some() && ticket.probe == self.probe {
            self.probe = None;
        }
    }

    /// Makes the account available.
    pub(super) fn open(&mut self) {
        self.blocked = None;
        self.probe = None;
        self.windows = 0;
        self.failures = Failures::default();
        self.era += 1;
    }

    /// A call about something ended.
    pub(super) fn settle(&mut self, ticket: Ticket, about: &str, result: Result<(), &Error>, now: Instant) -> Change {
        let is_probe = ticket.probe.is_some() && ticket.probe == self.probe;
        self.abandon(ticket);
        if ticket.era != self.era {
            return Change::Nothing;
        }
        match (Signal::of(result), result) {
            (Signal::Alive, _) => {
                self.refusals.forget(about);
                self.failures = Failures::default();
                self.opened_by(is_probe)
            }
            (Signal::Refused(cause), Err(error)) => self.refused(cause, about, error, is_probe, now),
            (Signal::Failed, Err(error)) => {
                let is_outage = self.failures.add(error, about);
                if is_probe || error.is_account_wide() || is_outage {
                    self.block(BlockCause::ServiceUnavailable, error, is_probe, now)
                } else {
                    Change::Nothing
                }
            }
            _ => Change::Nothing,
        }
    }

    /// A refusal of one credential tells that the service lives, so it ends an outage.
    fn refused(&mut self, cause: BlockCause, about: &str, error: &Error, is_probe: bool, now: Instant) -> Change {
        let goes_on = is_probe && self.blocked.as_ref().is_some_and(|blocked| blocked.cause == cause);
        if goes_on || error.is_account_wide() || self.refusals.add(cause, about, now) {
            return self.block(cause, error, is_probe, now);
        }
        self.opened_by(is_probe)
    }

    fn opened_by(&mut self, is_probe: bool) -> Change {
        if !is_probe {
            return Change::Nothing;
        }
        self.open();
        Change::Available
    }

    fn block(&mut self, cause: BlockCause, error: &Error, is_probe: bool, now: Instant) -> Change {
        // Calls in flight fail with the first one. Together they are one window, as long as the longest that was named.
        let stands = self.blocked.as_ref().filter(|_| !is_probe).map(|blocked| blocked.until);
        if stands.is_some_and(|until| error.retry_at().is_none_or(|named| named <= until)) {
            return Change::Nothing;
        }
        let until = error.retry_at().unwrap_or_else(|| now + self.window(cause));
        let told = self.blocked.take().filter(|blocked| blocked.cause == cause).map(|blocked| blocked.error);
        let told = told.unwrap_or_else(|| error.as_blocking(cause));
        let is_inferred = !error.is_account_wide() && !matches!(error.cause(), Cause::Unreachable | Cause::TlsFailed);
        self.blocked = Some(Blocked { until, cause, error: told, is_inferred });
        self.failures = Failures::default();
        Change::Blocked
    }

    /// Doubling from the shortest to the longest. With full jitter where many clients may suffer at once: anything up to
    /// that, but not less than the shortest.
    fn window(&mut self, cause: BlockCause) -> Duration {
        let doublings = 1 << self.windows.min(16);
        self.windows = self.windows.saturating_add(1);
        match cause {
            BlockCause::Unauthenticated => MIN_UNAUTHENTICATED_WINDOW.saturating_mul(doublings).min(MAX_WINDOW),
            BlockCause::RateLimited | BlockCause::ServiceUnavailable => {
                let most = MIN_WINDOW.saturating_mul(doublings).min(MAX_WINDOW);
                most.mul_f64(self.random.f64()).max(MIN_WINDOW)
            }
        }
    }
}
