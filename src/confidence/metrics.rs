//! What the clients of accounts count. Labels are bounded; the series of an account end with it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::admission::{AccountState, Admission, BlockCause, Priority};
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

impl Collector for Accounts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let blocked: Family<CauseLabels, Gauge> = Family::default();
        let rate: Family<AccountLabels, Gauge<f64, AtomicU64>> = Family::default();
        let depth: Family<PriorityLabels, Gauge> = Family::default();
        let accounts: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        for account in accounts {
            let Some(snapshot) = account.admission().map(|it| it.snapshot()) else { continue };
            let label = || Arc::clone(&account.name);
            for cause in BlockCause::ALL {
                let is_it = matches!(snapshot.state, AccountState::Blocked { cause: it, .. } if it == cause);
                let labels = CauseLabels { account: label(), cause: cause.label() };
                blocked.get_or_create(&labels).set(i64::from(is_it));
            }
            rate.get_or_create(&AccountLabels { account: label() }).set(snapshot.requests_per_second);
            for priority in Priority::ALL {
                let waiting = match priority {
                    Priority::Interactive => snapshot.interactive,
                    Priority::Background => snapshot.background,
                };
                let labels = PriorityLabels { account: label(), priority: priority.label() };
                depth.get_or_create(&labels).set(i64::try_from(waiting).unwrap_or(i64::MAX));
            }
        }
        write(&mut encoder, "account_blocked", "Whether the account is blocked, and why (0 or 1)", &blocked)?;
        write(
            &mut encoder,
            "account_rate_limit_requests_per_second",
            "The requests a second that the account makes at most",
            &rate,
        )?;
        write(&mut encoder, "account_queue_depth", "Calls that wait for a permit", &depth)
    }
}

fn write<S, M, C>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    family: &Family<S, M, C>,
) -> Result<(), fmt::Error>
where
    Family<S, M, C>: EncodeMetric,
    C: MetricConstructor<M>,
{
    // The registry ends a help text with a full stop; a collector does it itself.
    family.encode(encoder.encode_descriptor(name, &format!("{help}."), None, family.metric_type())?)
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
mod tests {
    use super::*;

    fn text(registry: &Registry) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
        text
    }

    #[tokio::test(start_paused = true)]
    async fn series_carry_their_account_and_end_with_it() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let (a, b) = (metrics.account("a"), metrics.account("b"));
        let admission = Arc::new(Admission::new(20, Some(7)));
        for account in [&a, &b] {
            account.observe(&admission);
            account.request(CallKind::Get, Some(Cause::NotFound), Duration::ZERO);
            account.permit(Priority::Interactive, Duration::ZERO);
            account.token_expiry(TokenSource::Given, Some(Timestamp::UNIX_EPOCH));
            account.unreadable_entries(3);
        }
        for series in [
            r#"account_blocked{account="a",cause="rate_limited"} 0"#,
            r#"account_rate_limit_requests_per_second{account="b"} 20.0"#,
            r#"account_queue_depth{account="a",priority="background"} 0"#,
            r#"account_queue_duration_seconds_count{account="b",priority="interactive"} 1"#,
            r#"api_requests_total{account="a",method="get",outcome="not_found"} 1"#,
            r#"api_request_duration_seconds_count{account="a",method="get"} 1"#,
            r#"token_expiry_timestamp_seconds{account="a",source="given"} 0.0"#,
            r#"list_entries_unreadable_total{account="b"} 3"#,
            "# HELP account_blocked Whether the account is blocked, and why (0 or 1).\n",
            "# HELP api_requests Requests to Confidence by outcome.\n",
        ] {
            assert!(text(&registry).contains(series), "{series} in\n{}", text(&registry));
        }
        let clone = a.clone();
        drop(a);
        assert!(text(&registry).contains(r#"account="a""#));
        drop(clone);
        assert!(!text(&registry).contains(r#"account="a""#), "{}", text(&registry));
        assert!(text(&registry).contains(r#"account="b""#));
    }
}
