//! What the clients of accounts count. Labels are bounded; the series of an account end with it.

mod collector;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

pub(crate) use self::collector::write_metric;
use super::admission::{Admission, Priority};
use super::client::CallKind;
use super::error::Cause;

/// The label of a call that went well, beside those of [`Cause`].
const OK: &str = "ok";

/// The metrics of all accounts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    families: Families,
    accounts: Arc<Accounts>,
}

#[derive(Clone, Debug)]
struct Families {
    requests: Family<RequestLabels, Counter>,
    request_duration: Family<MethodLabels, Histogram, fn() -> Histogram>,
    queue_duration: Family<PriorityLabels, Histogram, fn() -> Histogram>,
    token_expiry: Family<TokenLabels, Gauge<f64, AtomicU64>>,
    list_entries_unreadable: Family<AccountLabels, Counter>,
}

/// The accounts by name. What an admission knows is read at each scrape, so that it is recorded once.
#[derive(Debug, Default)]
struct Accounts(Mutex<BTreeMap<Arc<str>, Weak<Account>>>);

/// The metrics of one account. Cheap to clone; the account's series end with the last clone.
#[derive(Clone, Debug)]
pub struct AccountMetrics(Arc<Account>);

struct Account {
    name: Arc<str>,
    families: Families,
    accounts: Weak<Accounts>,
    admission: Mutex<Weak<Admission>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AccountLabels {
    account: Label,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    account: Label,
    method: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    account: Label,
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CauseLabels {
    account: Label,
    cause: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PriorityLabels {
    account: Label,
    priority: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    account: Label,
    source: &'static str,
}

type Label = Arc<str>;

/// Who renews a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenSource {
    /// Somebody else, who gives it to the operator.
    Given,
    /// The operator, by exchange.
    Exchanged,
}

impl TokenSource {
    const ALL: [Self; 2] = [Self::Given, Self::Exchanged];

    fn label(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Exchanged => "exchanged",
        }
    }
}

impl Metrics {
    /// Registers the metrics, once for all accounts.
    pub fn register(registry: &mut Registry) -> Self {
        let families = Families {
            requests: Family::default(),
            request_duration: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 2.0, 15))),
            queue_duration: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.01, 3.0, 12))),
            token_expiry: Family::default(),
            list_entries_unreadable: Family::default(),
        };
        let Families { requests, request_duration, queue_duration, token_expiry, list_entries_unreadable } =
            families.clone();
        registry.register("api_requests", "Requests to Confidence by outcome", requests);
        registry.register("api_request_duration_seconds", "Time until the response of Confidence", request_duration);
        registry.register("account_queue_duration_seconds", "How long calls waited for a permit", queue_duration);
        registry.register(
            "token_expiry_timestamp_seconds",
            "When the account's token ends, as far as that is known, and whether it was given or exchanged",
            token_expiry,
        );
        registry.register(
            "list_entries_unreadable",
            "Entries of lists from Confidence that could not be read and were left out",
            list_entries_unreadable,
        );
        let accounts = Arc::<Accounts>::default();
        registry.register_collector(Box::new(Arc::clone(&accounts)));
        Self { families, accounts }
    }

    /// The metrics of the account with this name, which is the value of the label `account`.
    pub fn account(&self, name: &str) -> AccountMetrics {
        let mut accounts = self.accounts.lock();
        if let Some(account) = accounts.get(name).and_then(Weak::upgrade) {
            return AccountMetrics(account);
        }
        let account = Arc::new(Account {
            name: name.into(),
            families: self.families.clone(),
            accounts: Arc::downgrade(&self.accounts),
            admission: Mutex::default(),
        });
        accounts.insert(Arc::clone(&account.name), Arc::downgrade(&account));
        AccountMetrics(account)
    }
}

impl AccountMetrics {
    /// The account's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Shows how this admission stands.
    pub(super) fn observe(&self, admission: &Arc<Admission>) {
        *self.0.admission.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(admission);
    }

    pub(super) fn request(&self, kind: CallKind, error: Option<Cause>, duration: Duration) {
        let (account, method) = (self.label(), kind.label());
        let outcome = error.map_or(OK, Cause::label);
        self.0.families.requests.get_or_create(&RequestLabels { account: account.clone(), method, outcome }).inc();
        let seconds = duration.as_secs_f64();
        self.0.families.request_duration.get_or_create(&MethodLabels { account, method }).observe(seconds);
    }

    pub(super) fn permit(&self, priority: Priority, waited: Duration) {
        let labels = PriorityLabels { account: self.label(), priority: priority.label() };
        self.0.families.queue_duration.get_or_create(&labels).observe(waited.as_secs_f64());
    }

    pub(super) fn unreadable_entries(&self, count: usize) {
        let counter = self.0.families.list_entries_unreadable.get_or_create(&AccountLabels { account: self.label() });
        counter.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// When a token ends; none where it does not say.
    pub(super) fn token_expiry(&self, source: TokenSource, at: Option<Timestamp>) {
        let labels = TokenLabels { account: self.label(), source: source.label() };
        match at {
            #[allow(clippy::cast_precision_loss)] // whole seconds, far from 2^53
            Some(at) => drop(self.0.families.token_expiry.get_or_create(&labels).set(at.as_second() as f64)),
            None => drop(self.0.families.token_expiry.remove(&labels)),
        }
    }

    fn label(&self) -> Label {
        Arc::clone(&self.0.name)
    }
}

impl Accounts {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Weak<Account>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    fn admission(&self) -> Option<Arc<Admission>> {
        self.admission.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    fn remove_series(&self) {
        let Families { requests, request_duration, queue_duration, token_expiry, list_entries_unreadable } =
            &self.families;
        let account = || Arc::clone(&self.name);
        for method in CallKind::ALL.map(CallKind::label) {
            request_duration.remove(&MethodLabels { account: account(), method });
            for outcome in Cause::ALL.map(Cause::label).into_iter().chain([OK]) {
                requests.remove(&RequestLabels { account: account(), method, outcome });
            }
        }
        for priority in Priority::ALL.map(Priority::label) {
            queue_duration.remove(&PriorityLabels { account: account(), priority });
        }
        for source in TokenSource::ALL.map(TokenSource::label) {
            token_expiry.remove(&TokenLabels { account: account(), source });
        }
        list_entries_unreadable.remove(&AccountLabels { account: account() });
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let Some(accounts) = self.accounts.upgrade() else { return };
        let mut accounts = accounts.lock();
        // An account of the same name may have come meanwhile: the series are its own now.
        if accounts.get(&self.name).is_some_and(|account| account.strong_count() == 0) {
            accounts.remove(&self.name);
            self.remove_series();
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
