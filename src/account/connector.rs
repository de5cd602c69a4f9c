//! Makes the clients of account resources, and lets those for one API client at one URL share a budget.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use secrecy::ExposeSecret;
use tokio::sync::watch;

use super::Account;
use super::secret::SecretSource;
use crate::confidence::metrics::Metrics;
use crate::confidence::settings::{BaseUrl, CredentialValues, Credentials, Settings};
use crate::confidence::transport::Transport;
use crate::confidence::wire::LabelsShape;
use crate::confidence::{Admission, Confidence, WriteGuard};
use crate::engine::lock;

/// Makes the clients of account resources from what they share.
pub struct Connector {
    /// How Confidence is reached.
    pub transport: Arc<dyn Transport>,
    /// Asked before each write.
    pub guard: Arc<dyn WriteGuard>,
    /// Counts the calls of each account.
    pub metrics: Metrics,
    /// Whether an account may have an `http` URL that leads to another machine.
    pub allow_insecure_url: bool,
    /// The budget of an account that does not say.
    pub requests_per_second: u32,
    /// The shape to write labels in; none: as it turns out.
    pub labels: Option<LabelsShape>,
    /// The budgets that somebody uses.
    pub budgets: Budgets,
}

/// Who has a budget.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum BudgetKey {
    /// An API client has it: its URL and its id.
    Client(String, String),
    /// A token has it: its URL and the key of its Secret.
    Token(String, String),
    /// One account has it, whose API client is not known yet.
    Own(Arc<str>),
}

impl BudgetKey {
    /// Of the credentials that a Secret holds.
    pub(super) fn of(url: &str, source: &SecretSource, values: &CredentialValues) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        match values {
            CredentialValues::Client { id, .. } => Self::Client(url, id.expose_secret().to_owned()),
            CredentialValues::Token(_) => Self::Token(url, source.label()),
        }
    }
}

/// The budgets that somebody uses, by whose they are.
#[derive(Debug, Default)]
pub struct Budgets(Mutex<HashMap<BudgetKey, Weak<Budget>>>);

#[derive(Debug)]
struct Budget {
    admission: Arc<Admission>,
    shares: Mutex<Shares>,
}

#[derive(Debug, Default)]
struct Shares {
    next: u64,
    per_second: HashMap<u64, u32>,
}

/// The part of an account in a budget. The lowest of all parts counts.
#[derive(Debug)]
pub(super) struct BudgetShare {
    budget: Arc<Budget>,
    id: u64,
}

/// What one account's client needs to be made.
pub(super) struct Plan<'a> {
    pub(super) name: &'a Arc<str>,
    pub(super) url: &'a str,
    pub(super) requests_per_second: Option<u32>,
    pub(super) key: BudgetKey,
    pub(super) values: watch::Receiver<Option<CredentialValues>>,
    pub(super) advice: String,
}

impl Connector {
    /// The client of an account, and its share of the budget.
    ///
    /// # Errors
    /// Why the account cannot be used, for a person.
    pub(super) fn connect(&self, plan: Plan<'_>) -> Result<(Account, BudgetShare), String> {
        let url = BaseUrl::parse(plan.url, self.allow_insecure_url).map_err(|error| error.to_string())?;
        let per_second = self.per_second(plan.requests_per_second);
        let share = self.budgets.share(plan.key, per_second);
        let settings = Settings {
            url: url.clone(),
            token_url: None,
            credentials: Credentials::Watched { values: plan.values, advice: plan.advice },
            secret: None,
            requests_per_second: per_second,
            labels: self.labels,
            seed: None,
        };
        let confidence = Confidence::with_admission(
            settings,
            Arc::clone(&share.budget.admission),
            Arc::clone(&self.transport),
            Arc::clone(&self.guard),
            self.metrics.account(plan.name),
        );
        let confidence = confidence.map_err(|error| error.to_string())?;
        Ok((Account::new(plan.name, url.as_str(), confidence), share))
    }

    /// The budget that an account asks for.
    pub(super) fn per_second(&self, asked: Option<u32>) -> u32 {
        asked.unwrap_or(self.requests_per_second)
    }
}

impl Budgets {
    fn share(&self, key: BudgetKey, per_second: u32) -> BudgetShare {
        let mut budgets = lock(&self.0);
        budgets.retain(|_, budget| budget.strong_count() > 0);
        let budget = budgets.get(&key).and_then(Weak::upgrade).unwrap_or_else(|| {
            let admission = Arc::new(Admission::new(per_second, None));
            Arc::new(Budget { admission, shares: Mutex::default() })
        });
        budgets.insert(key, Arc::downgrade(&budget));
        let id = {
            let mut shares = lock(&budget.shares);
            shares.next += 1;
            shares.next
        };
        let share = BudgetShare { budget, id };
        share.set(per_second);
        share
    }
}

impl BudgetShare {
    /// The account asks for this budget now.
    pub(super) fn set(&self, per_second: u32) {
        let mut shares = lock(&self.budget.shares);
        if shares.per_second.insert(self.id, per_second) != Some(per_second) {
            self.budget.apply(&shares);
        }
    }
}

impl Drop for BudgetShare {
    fn drop(&mut self) {
        let mut shares = lock(&self.budget.shares);
        shares.per_second.remove(&self.id);
        self.budget.apply(&shares);
    }
}

impl Budget {
    fn apply(&self, shares: &Shares) {
        if let Some(lowest) = shares.per_second.values().min() {
            self.admission.set_requests_per_second(*lowest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> BudgetKey {
        BudgetKey::Client("https://iam.confidence.dev".to_owned(), id.to_owned())
    }

    fn lowest(share: &BudgetShare) -> Option<u32> {
        lock(&share.budget.shares).per_second.values().min().copied()
    }

    /// Two accounts for one API client have one budget, the lower; when that one goes, the other has its own again.
    #[tokio::test]
    async fn one_api_client_shares_lowest_budget() {
        let budgets = Budgets::default();
        let first = budgets.share(key("a"), 20);
        let second = budgets.share(key("a"), 5);
        let other = budgets.share(key("b"), 50);
        assert!(Arc::ptr_eq(&first.budget.admission, &second.budget.admission));
        assert!(!Arc::ptr_eq(&first.budget.admission, &other.budget.admission));
        assert_eq!((lowest(&first), lowest(&other)), (Some(5), Some(50)));
        second.set(8);
        assert_eq!(lowest(&first), Some(8));
        drop(second);
        assert_eq!(lowest(&first), Some(20));
    }
}
