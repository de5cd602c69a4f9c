//! One gate for the whole account: budget, order, throttling and outage. Every request passes it, token requests too.
//!
//! A call enters once and then takes a turn for each request that it makes (a renewed token makes it several), so that a
//! probe stays one call from its first request to its verdict. While the account is held back, calls are turned away at
//! once and nothing waits in here; when the window is over, exactly one call goes through as a probe, and its end opens
//! the gate or closes it for longer.

mod hold;
mod pace;
mod queue;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use self::hold::{Change, Hold, Ticket};
use self::pace::Pace;
use self::queue::{Queue, Waiter};
use super::error::{Cause, Error};
use super::metrics::Metrics;

/// Whose turn it is first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// What somebody asked for: ahead of all checks.
    Interactive,
    /// A look for drift.
    #[default]
    Background,
}

impl Priority {
    /// The label for metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Background => "background",
        }
    }
}

/// Whether calls go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// They do.
    Available,
    /// They do not.
    Blocked {
        /// Not before then. Once it is past, the account waits for the verdict on one call that is let through.
        until: Instant,
        /// Why.
        cause: BlockCause,
    },
}

/// Why the account is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockCause {
    /// The server says that it is over its rate limit.
    RateLimited,
    /// The service does not answer, or only with failures.
    ServiceUnavailable,
    /// The server does not accept the account's credentials.
    Unauthenticated,
}

impl BlockCause {
    /// The label for metrics and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::ServiceUnavailable => "service_unavailable",
            Self::Unauthenticated => "unauthenticated",
        }
    }
}

/// The gate.
#[derive(Debug)]
pub(super) struct Gate {
    shared: Arc<Shared>,
    clerk: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The clerk has something to look at.
    news: Arc<Notify>,
    account: watch::Sender<AccountState>,
    metrics: Metrics,
}

#[derive(Debug)]
struct State {
    pace: Pace,
    hold: Hold,
    queue: Queue,
}

/// The right to make one call. Its holder settles it; one that is dropped instead tells nothing of the account.
#[derive(Debug)]
pub(super) struct Pass {
    shared: Arc<Shared>,
    ticket: Ticket,
    about: String,
}

impl Gate {
    /// A gate with a budget in requests a second. Runs a task of its own as long as it exists.
    pub(super) fn new(requests_per_second: u32, random: fastrand::Rng, metrics: Metrics) -> Self {
        let pace = Pace::new(requests_per_second, Instant::now());
        let state = State { pace, hold: Hold::new(random), queue: Queue::default() };
        let (account, _) = watch::channel(AccountState::Available);
        let shared = Arc::new(Shared { state: Mutex::new(state), news: Arc::default(), account, metrics });
        shared.measure(&shared.state());
        let clerk = tokio::spawn(give_turns(Arc::downgrade(&shared), Arc::clone(&shared.news))).abort_handle();
        Self { shared, clerk }
    }

    /// Whether calls go through, and news of it.
    pub(super) fn account(&self) -> watch::Receiver<AccountState> {
        self.shared.account.subscribe()
    }

    /// Comes in for one call about something: a credential's name, or whatever else tells failures apart.
    ///
    /// # Errors
    /// What holds the account back, if something does.
    pub(super) fn enter(&self, about: &str) -> Result<Pass, Error> {
        let ticket = self.shared.state().hold.enter(Instant::now())?;
        Ok(Pass { shared: Arc::clone(&self.shared), ticket, about: about.to_owned() })
    }

    /// Opens a gate that was closed for want of credentials: there are new ones.
    pub(super) fn credentials_changed(&self) {
        let mut state = self.shared.state();
        if matches!(state.hold.state(), AccountState::Blocked { cause: BlockCause::Unauthenticated, .. }) {
            state.hold.open();
            state.pace.resume(true, Instant::now());
            self.shared.publish(&state);
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.clerk.abort();
    }
}

impl Pass {
    /// Waits for the turn to make one request. A caller that goes away gives its place up.
    ///
    /// # Errors
    /// What holds the account back, if that came in between.
    pub(super) async fn turn(&self, priority: Priority) -> Result<(), Error> {
        let turn = {
            let mut state = self.shared.state();
            state.hold.admits(self.ticket)?;
            let (waiter, turn) = Waiter::new(self.ticket);
            state.queue.push(priority, waiter);
            self.shared.measure(&state);
            turn
        };
        let since = Instant::now();
        self.shared.news.notify_one();
        // Without a clerk there are no more turns.
        let ended = |_| Error::new(Cause::ServiceUnavailable, "the program is about to end");
        turn.await.map_err(ended)??;
        self.shared.metrics.turn(priority, since.elapsed());
        self.shared.state().hold.admits(self.ticket)
    }

    /// The server took a request rather than refuse it for coming too soon.
    pub(super) fn accepted(&self) {
        self.shared.state().pace.accepted(Instant::now());
    }

    /// Tells how the call ended; gives back what to tell the caller, which is the account's trouble where it is that.
    pub(super) fn settle<T>(self, result: Result<T, Error>) -> Result<T, Error> {
        let now = Instant::now();
        let mut state = self.shared.state();
        let before = state.hold.state();
        let change = state.hold.settle(self.ticket, &self.about, result.as_ref().map(|_| ()), now);
        match (change, state.hold.state()) {
            (Change::Nothing, _) => {}
            (Change::Closed, AccountState::Blocked { until, cause: BlockCause::RateLimited }) => {
                let fresh = !matches!(before, AccountState::Blocked { until, .. } if now < until);
                if fresh {
                    state.pace.refused(until.saturating_duration_since(now), now);
                }
                self.shared.publish(&state);
            }
            (Change::Closed, _) => self.shared.publish(&state),
            (Change::Opened, _) => {
                let throttled = matches!(before, AccountState::Blocked { cause: BlockCause::RateLimited, .. });
                state.pace.resume(!throttled, now);
                self.shared.publish(&state);
            }
        }
        if change == Change::Closed {
            turn_away(&mut state);
        }
        self.shared.measure(&state);
        result.map_err(|error| told(error, &state.hold))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.shared.state().hold.abandon(self.ticket);
    }
}

/// A failure that is the account's while the gate is closed is told as that: the same to everybody, so that nothing about
/// a single credential seems to change while the whole account waits.
fn told(error: Error, hold: &Hold) -> Error {
    use Cause::{ConnectionLost, RateLimited, ServerError, TimedOut, TlsFailed, Unauthenticated, Unreachable};
    let is_the_accounts = matches!(
        error.cause(),
        ConnectionLost | RateLimited | ServerError | TimedOut | TlsFailed | Unauthenticated | Unreachable
    );
    match hold.error() {
        Some(trouble) if is_the_accounts => trouble.clone().with_outcome_of(&error),
        _ => error,
    }
}

/// Those who wait and are not the probe need not wait any longer.
fn turn_away(state: &mut State) {
    let State { queue, hold, .. } = state;
    let waiting: Vec<Waiter> = queue.drain().collect();
    for waiter in waiting {
        match hold.admits(waiter.ticket) {
            Ok(()) => queue.push(Priority::Interactive, waiter),
            Err(error) => {
                waiter.tell(Err(error));
            }
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everybody how the account stands.
    fn publish(&self, state: &State) {
        let now = state.hold.state();
        if !self.account.send_if_modified(|before| std::mem::replace(before, now) != now) {
            return;
        }
        if let (AccountState::Blocked { until, cause }, Some(error)) = (now, state.hold.error()) {
            let seconds = until.saturating_duration_since(Instant::now()).as_secs_f64();
            tracing::warn!(cause = cause.label(), seconds, %error, "the account is held back");
        } else {
            tracing::info!("the account is open");
        }
    }

    fn measure(&self, state: &State) {
        let (writes, checks) = state.queue.depths();
        self.metrics.queue(writes, checks);
        self.metrics.account(state.hold.state(), state.pace.per_second(Instant::now()));
    }

    /// Gives all turns that are due; says when the next one is.
    fn give_due_turns(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.state();
        let next = loop {
            if state.queue.is_empty() {
                break None;
            }
            let free_at = state.pace.free_at(now);
            if free_at > now {
                break Some(free_at);
            }
            if state.queue.pop().is_some_and(|waiter| waiter.tell(Ok(()))) {
                state.pace.take(now);
            }
        };
        self.measure(&state);
        next
    }
}

/// The clerk: gives turns at the account's pace for as long as there is a gate.
async fn give_turns(shared: Weak<Shared>, news: Arc<Notify>) {
    loop {
        let Some(next) = shared.upgrade().map(|shared| shared.give_due_turns()) else { return };
        match next {
            None => news.notified().await,
            Some(at) => {
                tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(at) => {}
                    () = news.notified() => {}
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
