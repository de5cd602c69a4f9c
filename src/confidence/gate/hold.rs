//! When not at all: throttling, outage and refused credentials, with one probe at the end of each window. Knows no waiting
//! and no clock; what comes by chance comes from the dice that it was given.

use std::time::Duration;

use tokio::time::Instant;

use super::{AccountState, BlockCause};
use crate::confidence::error::{Cause, Error, RETRY_AFTER_RANGE};

/// The shortest and the longest window: what a server may ask for, we may ask of ourselves.
const WINDOW: (Duration, Duration) = RETRY_AFTER_RANGE;

/// So many failures in a row are an outage, if they are about several credentials: one credential that always fails is
/// that credential's trouble.
const FAILURES: u32 = 5;

/// So many in a row are one where there is no connection at all: that has nothing to do with any credential.
const NO_CONNECTION: u32 = 3;

/// Whether and for how long the account is held back.
#[derive(Debug)]
pub(super) struct Hold {
    closed: Option<Closed>,
    /// How often the gate has opened: what was admitted before that says nothing of now.
    era: u64,
    /// The probe that is under way.
    probe: Option<u64>,
    probes: u64,
    /// Windows in a row.
    windows: u32,
    failures: Failures,
    random: fastrand::Rng,
}

#[derive(Debug)]
struct Closed {
    until: Instant,
    cause: BlockCause,
    /// What everybody is told until the gate opens: always the same.
    error: Error,
}

/// Failures in a row.
#[derive(Debug, Default)]
struct Failures {
    count: u32,
    no_connection: u32,
    /// What the first one was about.
    about: Option<String>,
    about_several: bool,
}

/// The right to go on, as long as the gate stands as it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    era: u64,
    probe: Option<u64>,
}

/// What a call's end did to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    /// It is closed now, or for longer.
    Closed,
    Opened,
}

/// What a call's end tells of the account.
enum News {
    /// The service lives.
    Alive,
    /// Neither this nor that: the answer was not the service's.
    Unclear,
    Failed,
    Hold(BlockCause),
    /// Nothing was sent.
    None,
}

impl News {
    fn of(result: Result<(), &Error>) -> Self {
        let Err(error) = result else { return Self::Alive };
        match error.cause() {
            Cause::ServiceUnavailable | Cause::NotLeader | Cause::Superseded => Self::None,
            _ if error.blocked().is_some() => Self::None,
            Cause::RateLimited => Self::Hold(BlockCause::RateLimited),
            Cause::Unauthenticated => Self::Hold(BlockCause::Unauthenticated),
            Cause::ResponseTooLarge | Cause::InvalidResponse => Self::Unclear,
            Cause::ServerError | Cause::Unreachable | Cause::TlsFailed | Cause::ConnectionLost | Cause::TimedOut => {
                Self::Failed
            }
            Cause::InvalidRequest | Cause::Forbidden | Cause::NotFound | Cause::Unsupported | Cause::Conflict => {
                Self::Alive
            }
        }
    }
}

impl Hold {
    pub(super) fn new(random: fastrand::Rng) -> Self {
        Self { closed: None, era: 0, probe: None, probes: 0, windows: 0, failures: Failures::default(), random }
    }

    pub(super) fn state(&self) -> AccountState {
        match &self.closed {
            None => AccountState::Available,
            Some(closed) => AccountState::Blocked { until: closed.until, cause: closed.cause },
        }
    }

    /// What a call is told that comes while the gate is closed.
    pub(super) fn error(&self) -> Option<&Error> {
        self.closed.as_ref().map(|closed| &closed.error)
    }

    /// A call comes. The first one after the window is the probe; all others are turned away until it is over.
    pub(super) fn enter(&mut self, now: Instant) -> Result<Ticket, Error> {
        match &self.closed {
            None => Ok(Ticket { era: self.era, probe: None }),
            Some(closed) if now < closed.until || self.probe.is_some() => Err(closed.error.clone()),
            Some(_) => {
                self.probes += 1;
                self.probe = Some(self.probes);
                Ok(Ticket { era: self.era, probe: self.probe })
            }
        }
    }

    /// Whether a call that came in may go on.
    pub(super) fn admits(&self, ticket: Ticket) -> Result<(), Error> {
        match &self.closed {
            Some(closed) if ticket.probe.is_none() || ticket.probe != self.probe => Err(closed.error.clone()),
            _ => Ok(()),
        }
    }

    /// A caller went away before there was an answer: if it was the probe, the next call is.
    pub(super) fn abandon(&mut self, ticket: Ticket) {
        if ticket.probe.is_some() && ticket.probe == self.probe {
            self.probe = None;
        }
    }

    /// Ends the hold.
    pub(super) fn open(&mut self) {
        self.closed = None;
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
        match (News::of(result), result) {
            (News::Alive, _) if is_probe => {
                self.open();
                Change::Opened
            }
            (News::Alive, _) => {
                self.failures = Failures::default();
                Change::Nothing
            }
            (News::Hold(cause), Err(error)) => self.close(cause, error, is_probe, now),
            (News::Failed | News::Unclear, Err(error)) if is_probe => {
                self.close(BlockCause::ServiceUnavailable, error, true, now)
            }
            (News::Failed, Err(error)) => {
                self.failures.add(error.cause(), about);
                // Only a service that expects to be back says when: that is no matter of one credential.
                if error.retry_at().is_some() || self.failures.are_an_outage() {
                    self.close(BlockCause::ServiceUnavailable, error, false, now)
                } else {
                    Change::Nothing
                }
            }
            _ => Change::Nothing,
        }
    }

    fn close(&mut self, cause: BlockCause, error: &Error, is_probe: bool, now: Instant) -> Change {
        // What was under way when the gate closed fails with it. That is one window, as long as the longest that was named.
        let named = match cause {
            BlockCause::Unauthenticated => Some(now + WINDOW.1),
            BlockCause::RateLimited | BlockCause::ServiceUnavailable => error.retry_at(),
        };
        let stands = self.closed.as_ref().filter(|_| !is_probe).map(|closed| closed.until);
        if stands.is_some_and(|until| named.is_none_or(|named| named <= until)) {
            return Change::Nothing;
        }
        let until = named.unwrap_or_else(|| now + self.window());
        let told = self.closed.take().filter(|closed| closed.cause == cause).map(|closed| closed.error);
        let error = told.unwrap_or_else(|| error.for_the_account(cause));
        self.closed = Some(Closed { until, cause, error });
        self.failures = Failures::default();
        Change::Closed
    }

    /// Doubling from the shortest to the longest, with full jitter: anything up to that, but not less than the shortest.
    fn window(&mut self) -> Duration {
        let most = WINDOW.0.saturating_mul(1 << self.windows.min(16)).min(WINDOW.1);
        self.windows = self.windows.saturating_add(1);
        most.mul_f64(self.random.f64()).max(WINDOW.0)
    }
}

impl Failures {
    fn add(&mut self, cause: Cause, about: &str) {
        self.count += 1;
        let connected = !matches!(cause, Cause::Unreachable | Cause::TlsFailed);
        self.no_connection = if connected { 0 } else { self.no_connection + 1 };
        let first = self.about.get_or_insert_with(|| about.to_owned());
        self.about_several |= first != about;
    }

    fn are_an_outage(&self) -> bool {
        self.no_connection >= NO_CONNECTION || (self.count >= FAILURES && self.about_several)
    }
}
