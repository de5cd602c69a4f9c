//! The accounts at Confidence that resources use: from flags or from resources to clients of the API.
//!
//! An [`Account`] is a value of its own, with a client, a budget and what is known of its rights. A stage gets it with the
//! resolved spec and never looks for another one.

mod read_access;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::api::spec::{AccountKind, AccountRef};
use crate::confidence::transport::REQUEST_TIMEOUT;
use crate::confidence::{AccountState, Confidence};

pub use self::read_access::ReadAccess;

/// The label of the operator's own account in metrics and logs.
pub const DEFAULT_ACCOUNT: &str = "default";

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
}

impl Account {
    /// An account with nothing known of its rights.
    pub fn new(name: &str, url: &str, confidence: Confidence) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            confidence,
            read_access: ReadAccess::default(),
            blocked_since: Mutex::default(),
        }
    }
}

/// Every account that there is.
#[derive(Clone, Default)]
pub struct Accounts {
    default: Option<Arc<Account>>,
}

/// Why a resource has no account. Displays as a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAccount {
    /// The spec names none, and the operator has none of its own.
    #[error("spec.accountRef: the operator runs without an account of its own; name an account here")]
    NoDefault,
    /// The spec names one that does not exist.
    #[error("spec.accountRef: there is no {0}; create it, or correct the reference")]
    NotFound(String),
}

impl Accounts {
    /// The operator's own account alone.
    pub fn of_default(account: Account) -> Self {
        Self { default: Some(Arc::new(account)) }
    }

    /// The account of a resource.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn find(&self, reference: Option<&AccountRef>) -> Result<Arc<Account>, NoAccount> {
        match reference {
            None => self.default.clone().ok_or(NoAccount::NoDefault),
            Some(reference) => Err(NoAccount::NotFound(format!("{:?} {}", reference.kind, reference.name))),
        }
    }

    /// An account by its name.
    pub fn by_name(&self, name: &str) -> Option<Arc<Account>> {
        self.default.iter().find(|account| *account.name == *name).cloned()
    }

    /// Ends all calls but the writes that were sent: the program is about to end.
    pub fn close(&self) {
        self.all().iter().for_each(|account| account.confidence.close());
    }

    /// Every account.
    pub fn all(&self) -> Vec<Arc<Account>> {
        self.default.iter().cloned().collect()
    }
}

/// The name of the account that a resource of a namespace refers to, whether or not there is one.
pub fn name_of(namespace: &str, reference: Option<&AccountRef>) -> Arc<str> {
    match reference {
        None => DEFAULT_ACCOUNT.into(),
        Some(AccountRef { kind: AccountKind::ConfidenceAccount, name }) => format!("{namespace}/{name}").into(),
        Some(AccountRef { name, .. }) => name.as_str().into(),
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
}
