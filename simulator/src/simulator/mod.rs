//! The server as a value, and the controls that a test has.

mod behaviour;
mod calls;
mod outsider;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use jiff::Timestamp;
use tokio::sync::watch;

pub use outsider::SOMEBODY_ELSE;

use crate::api;
use crate::config::{Config, DEFAULT_ACCOUNT};
use crate::state::State;
use crate::writes::Observers;

/// A Confidence IAM server without sockets. Cheap to clone.
///
/// The controls of credentials and tokens are about one account: the default one, or that of [`Simulator::account`].
#[derive(Clone)]
pub struct Simulator {
    shared: Arc<Shared>,
    account: Arc<str>,
}

struct Shared {
    state: Mutex<State>,
    observers: Mutex<Observers>,
    changes: watch::Sender<()>,
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").field("account", &self.account).finish_non_exhaustive()
    }
}

impl Simulator {
    /// A server without credentials.
    pub fn new(config: Config) -> Self {
        Self::starting_at(config, Timestamp::now())
    }

    /// The same, at another time of day: with paused time, the same calls then get the same answers to the byte.
    pub fn starting_at(config: Config, now: Timestamp) -> Self {
        let shared = Shared {
            state: Mutex::new(State::new(config, now)),
            observers: Mutex::default(),
            changes: watch::channel(()).0,
        };
        Self { shared: Arc::new(shared), account: DEFAULT_ACCOUNT.into() }
    }

    /// The same server with the controls of another account.
    #[must_use]
    pub fn account(&self, name: &str) -> Self {
        Self { shared: self.shared.clone(), account: name.into() }
    }

    /// The time on the server's clock.
    pub fn now(&self) -> Timestamp {
        self.state().now()
    }

    /// The whole API as a tower service, with what applications call, and the admin API below `/admin/`.
    pub fn router(&self) -> Router {
        Router::new()
            .nest("/admin", crate::admin::router())
            .route("/v1/flags:resolve", post(api::resolve))
            .fallback(api::answer)
            .with_state(self.clone())
    }

    /// What the server knows, with the uses reported that are due.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.report_uses();
        state
    }

    fn observers(&self) -> MutexGuard<'_, Observers> {
        self.shared.observers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the observers of new writes, and wakes whoever waits for a change.
    pub(crate) fn notify(&self) {
        // Held from the first write to the last, so that observers see them in the order in which they landed.
        let observers = self.observers();
        let writes = self.state().writes.as_mut().map(std::mem::take).unwrap_or_default();
        for write in &writes {
            observers.tell(write);
        }
        drop(observers);
        self.shared.changes.send_modify(|()| {});
    }

    pub(crate) fn half_latency(&self) -> Duration {
        Duration::from_millis(self.state().config.latency_milliseconds) / 2
    }
}
