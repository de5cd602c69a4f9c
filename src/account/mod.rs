//! The accounts at Confidence that resources use: from flags or from resources to clients of the API.
//!
//! An [`Account`] is a value of its own, with a client, a budget and what is known of its rights. A stage gets it with the
//! resolved spec and never looks for another one.
//!
//! ```text
//! watches (accounts, namespaces, Secrets) ─► keeper (one for each account) ─► connector ─► Account ─┐
//!                    │                          └─► status                                          ▼
//!                    └─ grants, labels ───────────────────────────────────────────────────► registry: find
//! ```

mod connection;
mod connector;
mod controller;
mod error;
mod grants;
mod keeper;
mod object;
mod read_access;
mod reader;
mod registry;
mod secret;
mod status;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::api::spec::{AccountKind, AccountRef};
use crate::confidence::transport::REQUEST_TIMEOUT;
use crate::confidence::{AccountState, Confidence};

pub use self::connector::{Budgets, Connector};
pub use self::controller::{AccountController, AccountSecrets};
pub use self::error::NoAccount;
pub use self::read_access::ReadAccess;
pub use self::reader::{AccountReadError, AccountReader};
pub use self::registry::Accounts;

/// The label of the operator's own account in metrics and logs.
pub const DEFAULT_ACCOUNT: &str = "default";

/// How long an account may be over its rate limit before a status says so: a shorter wait is over before anybody reads of it.
pub const RATE_LIMIT_PATIENCE: Duration = Duration::from_secs(10);

/// The wait for an account that became available meanwhile.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// One account at Confidence.
pub struct Account {
    /// Its name in metrics, logs and the work queue.
    pub name: Arc<str>,
    /// The URL of its API: credentials are told apart by it and their two ids, over all accounts.
    pub url: Arc<str>,
    /// Its client.
    pub confidence: Confidence,
    /// Whether it may read credentials, as far as that is known.
    pub read_access: ReadAccess,
    blocked_since: Mutex<Option<Instant>>,
    is_closed: watch::Sender<bool>,
}

impl Account {
    /// An account with nothing known of its rights.
    pub fn new(name: &str, url: &str, confidence: Confidence) -> Self {
        Self {
            name: name.into(),
            // One URL has one form, with which credentials are told apart.
            url: url.trim_end_matches('/').into(),
            confidence,
            read_access: ReadAccess::default(),
            blocked_since: Mutex::default(),
            is_closed: watch::Sender::default(),
        }
    }
}

/// The name of the account that a resource of a namespace refers to, whether or not there is one.
pub fn name_of(namespace: &str, reference: Option<&AccountRef>) -> Arc<str> {
    match reference {
        None => DEFAULT_ACCOUNT.into(),
        Some(AccountRef { kind, name }) => name_of_object(*kind, namespace, name),
    }
}

/// The name of an account that is a resource. No two accounts have the same one: names of namespaces and of the cluster's
/// accounts hold no slash.
fn name_of_object(kind: AccountKind, namespace: &str, name: &str) -> Arc<str> {
    match kind {
        AccountKind::ConfidenceAccount => format!("{namespace}/{name}").into(),
        _ if name == DEFAULT_ACCOUNT => format!("/{name}").into(),
        _ => name.into(),
    }
}

impl Account {
    /// How long to wait for the account, if it is not available before: until the end of its window. Past that, a probe is in
    /// flight: its success makes the account available, which releases those who wait; after its failure whoever sent it comes
    /// back first. So the others need not ask while it lasts.
    pub fn wait(&self) -> Duration {
        let now = Instant::now();
        match *self.confidence.account().borrow() {
            AccountState::Blocked { until, .. } if now < until => until - now,
            AccountState::Blocked { .. } => REQUEST_TIMEOUT,
            AccountState::Available => SHORTEST_WAIT,
        }
    }

    /// For how long the account is blocked: since it began, until the end of the window.
    pub fn blocked_for(&self) -> Duration {
        let since = *self.blocked_since.lock().unwrap_or_else(PoisonError::into_inner);
        match (*self.confidence.account().borrow(), since) {
            (AccountState::Blocked { until, .. }, Some(since)) => until.saturating_duration_since(since),
            (AccountState::Blocked { until, .. }, None) => until.saturating_duration_since(Instant::now()),
            (AccountState::Available, _) => Duration::ZERO,
        }
    }

    /// Notes since when the account is blocked.
    pub fn note_state(&self, state: AccountState) {
        let mut since = self.blocked_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = match state {
            AccountState::Available => None,
            AccountState::Blocked { .. } => since.or_else(|| Some(Instant::now())),
        };
    }

    /// Ends all calls but the writes that were sent: the account is gone, or has another client.
    pub fn close(&self) {
        self.confidence.close();
        self.is_closed.send_replace(true);
    }

    /// Waits until the account is closed.
    pub async fn closed(&self) {
        // The sender lives as long as this.
        drop(self.is_closed.subscribe().wait_for(|is_closed| *is_closed).await);
    }
}
