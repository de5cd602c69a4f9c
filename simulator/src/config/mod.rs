//! How the server behaves as long as nobody changes it: what is offered, in which form, to whom, and how late. All of it
//! can be changed while it runs. What happens to single calls is a [`Fault`](crate::Fault).

mod account;
mod forms;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use account::{Account, CREATE, Permission, READ, Token, UPDATE};
pub use forms::{Contract, LabelsShape, Lag, NameForm, Paging, Reading, SecretField, Secrets};

/// The account of the tokens, API clients and credentials that name no other.
pub const DEFAULT_ACCOUNT: &str = "default";

/// How the server is to behave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Config {
    /// What is offered.
    pub contract: Contract,
    /// How labels are answered, and which form of them is accepted. Under the OpenAPI contract they are arrays.
    pub labels: LabelsShape,
    /// Accept labels in both forms.
    pub lenient_labels: bool,
    /// How names are answered.
    pub names: NameForm,
    /// Which answers carry the secret.
    pub secrets: Secrets,
    /// Where the answer to a create carries it.
    pub secret_field: SecretField,
    /// Whether credentials can be read.
    pub reading: Reading,
    /// Under the OpenAPI contract: timestamps as `{seconds, nanos}` instead of `{}`.
    pub timestamp_fields: bool,
    /// The digits after the second in the times of GET and LIST.
    pub read_time_digits: u8,
    /// The digits after the second in the times of POST and PATCH.
    pub write_time_digits: u8,
    /// Labels whose keys begin so are dropped from every POST and PATCH, in silence; the empty prefix drops all.
    pub dropped_labels: Vec<String>,
    /// How long LIST does not show what was written.
    pub list_lag: Lag,
    /// How long GET still finds a credential that was deleted, in milliseconds.
    pub delete_lag_milliseconds: u64,
    /// How long after a use `lastSeenTime` tells of it, in milliseconds.
    pub seen_delay_milliseconds: u64,
    /// Uses are reported together at each multiple of this time, in milliseconds; one by one, where it is 0.
    pub seen_batch_milliseconds: u64,
    /// How far the server's clock is ahead of the one that it began with, in milliseconds.
    pub clock_skew_milliseconds: i64,
    /// The bearer tokens of the default account that are accepted, and what they are for.
    pub tokens: BTreeMap<String, Token>,
    /// The API clients of the default account: ids, and the secrets that are exchanged for tokens.
    pub clients: BTreeMap<String, String>,
    /// The rights of an exchanged token, by the id of the API client. A client that is not named has all rights.
    pub issued: BTreeMap<String, Token>,
    /// The accounts beside the default one, by name. They share nothing but this server.
    pub accounts: BTreeMap<String, Account>,
    /// How long an exchanged token lives, in seconds.
    pub token_seconds: u64,
    /// How long every answer takes, in milliseconds.
    pub latency_milliseconds: u64,
    /// How many requests of the default account are answered in a second; the others get 429.
    pub quota: Option<u32>,
    /// `Retry-After` of those.
    pub quota_retry_after: Option<String>,
    /// The most credentials on a page, and how many are on one where no size is asked for.
    pub max_page_size: usize,
    /// What the token of a page remembers.
    pub paging: Paging,
    /// How many calls the record keeps, the newest; all, where this is absent.
    pub record_limit: Option<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            contract: Contract::default(),
            labels: LabelsShape::default(),
            lenient_labels: false,
            names: NameForm::default(),
            secrets: Secrets::default(),
            secret_field: SecretField::default(),
            reading: Reading::default(),
            timestamp_fields: false,
            read_time_digits: 6,
            write_time_digits: 6,
            dropped_labels: Vec::new(),
            list_lag: Lag::default(),
            delete_lag_milliseconds: 0,
            seen_delay_milliseconds: 0,
            seen_batch_milliseconds: 0,
            clock_skew_milliseconds: 0,
            tokens: BTreeMap::from([("test-token".to_owned(), Token::default())]),
            clients: BTreeMap::from([("test-client".to_owned(), "test-client-secret".to_owned())]),
            issued: BTreeMap::new(),
            accounts: BTreeMap::new(),
            token_seconds: 86_400,
            latency_milliseconds: 0,
            quota: None,
            quota_retry_after: None,
            max_page_size: 100,
            paging: Paging::default(),
            record_limit: None,
        }
    }
}

impl Config {
    /// The account and the meaning of a configured token.
    pub(crate) fn token(&self, text: &str) -> Option<(&str, &Token)> {
        let default = self.tokens.get(text).map(|token| (DEFAULT_ACCOUNT, token));
        let others =
            || self.accounts.iter().find_map(|(name, it)| it.tokens.get(text).map(|token| (name.as_str(), token)));
        default.or_else(others)
    }

    /// The account of an API client.
    pub(crate) fn account_of_client(&self, id: &str) -> Option<&str> {
        let others = || self.accounts.iter().find(|(_, it)| it.clients.contains_key(id)).map(|(name, _)| name.as_str());
        self.clients.get(id).map(|_| DEFAULT_ACCOUNT).or_else(others)
    }

    /// What an API client gets for its secret; nothing, where the secret is wrong.
    pub(crate) fn exchanged(&self, account: &str, id: &str, secret: &str) -> Option<Token> {
        let (clients, issued) = match self.accounts.get(account) {
            Some(account) => (&account.clients, &account.issued),
            None => (&self.clients, &self.issued),
        };
        let is_right = clients.get(id).is_some_and(|it| it == secret);
        is_right.then(|| issued.get(id).cloned().unwrap_or_default())
    }

    /// How many requests an account may make in a second, and the `Retry-After` of the others.
    pub(crate) fn quota_of(&self, account: &str) -> (Option<u32>, Option<&str>) {
        match self.accounts.get(account) {
            Some(account) => (account.quota, account.quota_retry_after.as_deref()),
            None => (self.quota, self.quota_retry_after.as_deref()),
        }
    }
}
