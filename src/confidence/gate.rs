//! One gate for the whole account: budget, order, throttling and outage. Every call passes it.
//!
//! While the account is held back, calls are turned away at once and nothing waits in here; when the time is over, exactly
//! one call goes through as a probe, and its answer opens the gate or closes it for longer.
//!
//! The pace is a GCRA of our own: governor's clock cannot follow tokio's paused time, and its waiters have no order.

mod hold;
mod pace;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use self::hold::Hold;
use self::pace::Pace;
use super::error::{Cause, Error};
use super::metrics::Metrics;

/// Whose turn it is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// What somebody asked for: ahead of all checks.
    Write,
    /// A look for drift.
    Check,
}

/// Whether calls go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// They do.
    Open,
    /// They do not.
    Held {
        /// Not before then.
        until: Instant,
        /// Why.
        cause: HoldCause,
    },
}

/// Why the account is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HoldCause {
    /// The server says that it is over its rate limit.
    Throttled,
    /// The service does not answer, or only with failures.
    Down,
    /// The server does not accept the account's credentials.
    Unauthenticated,
}

/// How a call went, as far as the account is concerned.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The service answered.
    Alive,
    /// It failed as it would in an outage.
    Failed {
        /// The failure.
        cause: Cause,
        /// The time that the server named.
        retry_after: Option<Duration>,
    },
    /// It said that the account is over its limit.
    Throttled(Option<Duration>),
    /// It does not accept the account's credentials.
    Unauthenticated,
}

/// The gate. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gate {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    arrived: Arc<Notify>,
    account: watch::Sender<AccountState>,
    metrics: Metrics,
}

#[derive(Debug)]
struct State {
    pace: Pace,
    hold: Hold,
    writes: VecDeque<Waiter>,
    checks: VecDeque<Waiter>,
}

type Waiter = oneshot::Sender<Result<(), Error>>;

/// The right to make one call. Its holder tells how the call went; one that is dropped instead tells nothing.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    probe: bool,
    settled: bool,
}

impl Gate {
    /// A gate with a budget in requests a second. Runs a task of its own as long as it exists.
    pub fn new(requests_per_second: u32, random: fastrand::Rng, metrics: Metrics) -> Self {
        let state = State {
            pace: Pace::new(requests_per_second, Instant::now()),
            hold: Hold::new(random),
            writes: VecDeque::new(),
            checks: VecDeque::new(),
        };
        let (account, _) = watch::channel(AccountState::Open);
        let shared = Arc::new(Shared { state: Mutex::new(state), arrived: Arc::default(), account, metrics });
        tokio::spawn(admit(Arc::downgrade(&shared)));
        Self { shared }
    }

    /// Whether calls go through, and news of it.
    pub fn account(&self) -> watch::Receiver<AccountState> {
        self.shared.account.subscribe()
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`Cause::AccountHeld`], at once, while the account is held back.
    pub async fn acquire(&self, urgency: Urgency) -> Result<Permit, Error> {
        let (turn, probe) = {
            let mut state = self.shared.state();
            let probe = match state.hold.enter(Instant::now()) {
                hold::Entry::Refused(cause) => return Err(held(cause)),
                hold::Entry::Probe => true,
                hold::Entry::Free => false,
            };
            let (waiter, turn) = oneshot::channel();
            match urgency {
                Urgency::Write => state.writes.push_back(waiter),
                Urgency::Check => state.checks.push_back(waiter),
            }
            self.shared.metrics.queue(state.writes.len(), state.checks.len());
            (turn, probe)
        };
        // From here on the permit gives a probe's place back if the caller goes away.
        let permit = Permit { shared: Arc::clone(&self.shared), probe, settled: false };
        self.shared.arrived.notify_one();
        match turn.await {
            Ok(Ok(())) => Ok(permit),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::new(Cause::AccountHeld, "the program is about to end")),
        }
    }

    /// Opens a gate that was closed for want of credentials: there are new ones.
    pub fn credentials_changed(&self) {
        let mut state = self.shared.state();
        if state.hold.cause() == Some(HoldCause::Unauthenticated) {
            state.hold.open();
            self.shared.publish(&state);
        }
    }
}

impl Permit {
    /// Tells how the call went.
    pub fn settle(mut self, verdict: &Verdict) {
        self.settled = true;
        let now = Instant::now();
        let mut state = self.shared.state();
        match verdict {
            Verdict::Throttled(_) => state.pace.refused(now),
            Verdict::Alive => state.pace.accepted(now),
            Verdict::Failed { .. } | Verdict::Unauthenticated => {}
        }
        let changed = state.hold.settle(verdict, self.probe, now);
        if changed {
            self.shared.publish(&state);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.probe && !self.settled {
            self.shared.state().hold.probe_abandoned();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everybody how the account stands; those who wait are turned away if it is held back.
    fn publish(&self, state: &MutexGuard<'_, State>) {
        let now = state.hold.state();
        self.metrics.account(now, state.pace.per_second());
        self.account.send_if_modified(|before| std::mem::replace(before, now) != now);
        self.arrived.notify_one();
    }
}

/// Lets the waiters through at the account's pace, writes first.
async fn admit(shared: Weak<Shared>) {
    loop {
        let Some(gate) = shared.upgrade() else { return };
        match gate.next_turn() {
            Turn::At(time) => {
                drop(gate);
                tokio::time::sleep_until(time).await;
            }
            Turn::Empty => {
                let arrived = Arc::clone(&gate.arrived);
                drop(gate);
                arrived.notified().await;
            }
            Turn::Given => {}
        }
    }
}

enum Turn {
    At(Instant),
    Empty,
    Given,
}

impl Shared {
    fn next_turn(&self) -> Turn {
        let now = Instant::now();
        let mut state = self.state();
        if let Some(cause) = state.hold.cause()
            && !state.hold.is_probing()
        {
            let State { writes, checks, .. } = &mut *state;
            for waiter in writes.drain(..).chain(checks.drain(..)) {
                let _ = waiter.send(Err(held(cause)));
            }
        }
        state.writes.retain(|waiter| !waiter.is_closed());
        state.checks.retain(|waiter| !waiter.is_closed());
        if state.writes.is_empty() && state.checks.is_empty() {
            self.metrics.queue(0, 0);
            return Turn::Empty;
        }
        let free_at = state.pace.free_at();
        if free_at > now {
            return Turn::At(free_at);
        }
        let waiter = state.writes.pop_front().or_else(|| state.checks.pop_front());
        if waiter.is_some_and(|waiter| waiter.send(Ok(())).is_ok()) {
            state.pace.take(now);
        }
        self.metrics.queue(state.writes.len(), state.checks.len());
        Turn::Given
    }
}

impl Drop for Gate {
    /// Wakes the task, so that it finds out that the gate is gone.
    fn drop(&mut self) {
        self.shared.arrived.notify_one();
    }
}

fn held(cause: HoldCause) -> Error {
    match cause {
        HoldCause::Throttled => Error::new(Cause::RateLimited, ""),
        HoldCause::Down => Error::new(
            Cause::AccountHeld,
            "Confidence is unreachable or failing for the whole account; one request in a while finds out when it is back",
        ),
        HoldCause::Unauthenticated => Error::new(Cause::Unauthenticated, ""),
    }
}

#[cfg(test)]
mod tests;
