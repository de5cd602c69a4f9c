//! The admission of an account: budget, order, throttling and outage. Every request passes it, token requests too.
//!
//! ```text
//! enter ──▶ circuit breaker ──▶ queue ──▶ rate limiter ──▶ permit ──▶ (the request) ──▶ settle
//!           blocked: turned away          the dispatcher grants permits
//! ```
//! A call enters once and then waits for a permit for each request that it makes (a renewed token makes it several), so
//! that a probe stays one call from its first request to its end. While the account is blocked, calls are turned away at
//! once and nothing waits in here. When the window is over, exactly one call goes through as a probe, and its end makes
//! the account available or blocks it for longer. Accounts for one API client at one URL share one admission.

mod circuit_breaker;
mod evidence;
mod queue;
mod rate_limiter;
mod requester;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use self::circuit_breaker::{CircuitBreaker, Ticket};
use self::evidence::Signal;
use self::queue::{Queue, Waiter};
use self::rate_limiter::RateLimiter;
use super::error::{Cause, Error};

pub(super) use self::circuit_breaker::Change;
pub use self::requester::{Priority, Requester};
pub use self::state::{AccountState, BlockCause};

/// The admission of an account, or of several accounts that share a budget. Its task ends with it.
#[derive(Debug)]
pub struct Admission {
    shared: Arc<Shared>,
    dispatcher: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The dispatcher has something to look at.
    changed: Arc<Notify>,
    account: watch::Sender<AccountState>,
}

#[derive(Debug)]
struct State {
    rate_limiter: RateLimiter,
    circuit_breaker: CircuitBreaker,
    queue: Queue,
}

/// A call that was admitted. Its holder settles it; a call that is dropped instead says nothing of the account.
#[derive(Debug)]
pub(super) struct AdmittedCall {
    shared: Arc<Shared>,
    ticket: Ticket,
}

/// The right to make one request now.
#[derive(Debug)]
#[must_use]
pub(super) struct Permit {
    shared: Arc<Shared>,
}

/// How the admission stands, for metrics.
#[derive(Clone, Copy, Debug)]
pub(super) struct Snapshot {
    pub(super) state: AccountState,
    pub(super) requests_per_second: f64,
    pub(super) interactive: usize,
    pub(super) background: usize,
}

impl Admission {
    /// An admission with a budget in requests a second. Needs a tokio runtime. A seed makes jitter repeatable.
    pub fn new(requests_per_second: u32, seed: Option<u64>) -> Self {
        let random = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let state = State {
            rate_limiter: RateLimiter::new(requests_per_second, Instant::now()),
            circuit_breaker: CircuitBreaker::new(random),
            queue: Queue::default(),
        };
        let (account, _) = watch::channel(AccountState::Available);
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Arc::default(), account });
        let task = dispatch(Arc::downgrade(&shared), Arc::clone(&shared.changed));
        Self { shared, dispatcher: tokio::spawn(task).abort_handle() }
    }

    /// Changes the budget: accounts that share an admission have the lowest of theirs.
    pub fn set_requests_per_second(&self, requests_per_second: u32) {
        self.shared.state().rate_limiter.set_budget(requests_per_second);
        self.shared.changed.notify_one();
    }

    /// Whether calls go through, and news of it.
    pub fn account(&self) -> watch::Receiver<AccountState> {
        self.shared.account.subscribe()
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let state = self.shared.state();
        Snapshot {
            state: state.circuit_breaker.state(),
            requests_per_second: state.rate_limiter.per_second(Instant::now()),
            interactive: state.queue.depth(Priority::Interactive),
            background: state.queue.depth(Priority::Background),
        }
    }

    /// Admits one call.
    ///
    /// # Errors
    /// Why the account is blocked, if it is.
    pub(super) fn enter(&self) -> Result<AdmittedCall, Error> {
        let ticket = self.shared.state().circuit_breaker.enter(Instant::now())?;
        Ok(AdmittedCall { shared: Arc::clone(&self.shared), ticket })
    }

    /// Makes an account available that was blocked for want of credentials: there are new ones.
    pub(super) fn credentials_changed(&self) {
        let mut state = self.shared.state();
        if matches!(state.circuit_breaker.state(), AccountState::Blocked { cause: BlockCause::Unauthenticated, .. }) {
            state.circuit_breaker.open();
            state.rate_limiter.resume(true, Instant::now());
            self.shared.publish(&state);
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.dispatcher.abort();
    }
}

impl AdmittedCall {
    /// Whether this call is a probe, and one about another thing than the credentials that the account was blocked for
    /// would say more.
    pub(super) fn wants_other_probe(&self) -> bool {
        self.ticket.is_probe() && self.shared.state().circuit_breaker.is_inferred()
    }

    /// Waits for a permit. A caller that goes away gives its place up.
    ///
    /// # Errors
    /// Why the account is blocked, if that came in between.
    pub(super) async fn permit(&self, requester: &Requester) -> Result<Permit, Error> {
        let answer = {
            let mut state = self.shared.state();
            state.circuit_breaker.admits(self.ticket)?;
            let (waiter, answer) = Waiter::new(self.ticket, requester.clone());
            state.queue.push(waiter);
            answer
        };
        self.shared.changed.notify_one();
        // Without a dispatcher there are no more permits.
        answer.await.map_err(|_| Error::new(Cause::Stopping, ""))??;
        self.shared.state().circuit_breaker.admits(self.ticket)?;
        Ok(Permit { shared: Arc::clone(&self.shared) })
    }

    /// Reports the end of the call, which was about something: a credential's name, or whatever else tells calls apart.
    /// Gives back what to tell the caller, which is the account's trouble where it is that, and what the end did to the
    /// account.
    pub(super) fn settle<T>(self, about: &str, result: Result<T, Error>) -> (Result<T, Error>, Change) {
        let now = Instant::now();
        let mut state = self.shared.state();
        let before = state.circuit_breaker.state();
        let change = state.circuit_breaker.settle(self.ticket, about, result.as_ref().map(|_| ()), now);
        match change {
            Change::Nothing => {}
            Change::Blocked => {
                if let AccountState::Blocked { until, cause: BlockCause::RateLimited } = state.circuit_breaker.state()
                    && !matches!(before, AccountState::Blocked { until, .. } if now < until)
                {
                    state.rate_limiter.refused(until.saturating_duration_since(now), now);
                }
                turn_away(&mut state);
            }
            Change::Available => {
                let is_throttled = matches!(before, AccountState::Blocked { cause: BlockCause::RateLimited, .. });
                state.rate_limiter.resume(!is_throttled, now);
            }
        }
        self.shared.publish(&state);
        (result.map_err(|error| while_blocked(error, &state.circuit_breaker)), change)
    }
}

impl Drop for AdmittedCall {
    fn drop(&mut self) {
        self.shared.state().circuit_breaker.abandon(self.ticket);
    }
}

impl Permit {
    /// The server answered the request, and did not refuse it for coming too soon.
    pub(super) fn accepted(self) {
        self.shared.state().rate_limiter.accepted(Instant::now());
    }
}

/// While the account is blocked, a failure that may be the account's is told as that: the same to every caller, so that
/// nothing about a single credential seems to change.
fn while_blocked(error: Error, circuit_breaker: &CircuitBreaker) -> Error {
    let may_be_the_accounts = matches!(Signal::of(Err(&error)), Signal::Failed | Signal::Refused(_));
    match circuit_breaker.error() {
        Some(trouble) if may_be_the_accounts => trouble.clone().with_outcome_of(&error),
        _ => error,
    }
}

/// Calls that wait for a permit and are not the probe need not wait any longer.
fn turn_away(state: &mut State) {
    let State { queue, circuit_breaker, .. } = state;
    for waiter in queue.drain() {
        match circuit_breaker.admits(waiter.ticket) {
            Ok(()) => queue.push(waiter),
            Err(error) => {
                waiter.answer(Err(error));
            }
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, state: &State) {
        let now = state.circuit_breaker.state();
        self.account.send_if_modified(|before| std::mem::replace(before, now) != now);
    }

    /// Grants all permits that are due; says when the next one is.
    fn grant_due_permits(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.state();
        loop {
            if state.queue.is_empty() {
                return None;
            }
            let free_at = state.rate_limiter.free_at(now);
            if free_at > now {
                return Some(free_at);
            }
            if state.queue.pop().is_some_and(|waiter| waiter.answer(Ok(()))) {
                state.rate_limiter.grant(now);
            }
        }
    }
}

/// The dispatcher: grants permits at the account's rate for as long as there is an admission.
async fn dispatch(shared: Weak<Shared>, changed: Arc<Notify>) {
    loop {
        let Some(next) = shared.upgrade().map(|shared| shared.grant_due_permits()) else { return };
        match next {
            None => changed.notified().await,
            Some(at) => {
                tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(at) => {}
                    () = changed.notified() => {}
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
