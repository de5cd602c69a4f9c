//! How the server is to behave. All of it can be changed while it runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

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
    /// Whether secrets come back from anything but create.
    pub secrets: Secrets,
    /// Whether credentials can be read.
    pub reading: Reading,
    /// Under the OpenAPI contract: timestamps as `{seconds, nanos}` instead of `{}`.
    pub timestamp_fields: bool,
    /// The bearer tokens that are accepted, and what they are for.
    pub tokens: BTreeMap<String, Token>,
    /// The ids and secrets that are exchanged for tokens.
    pub clients: BTreeMap<String, String>,
    /// How long an exchanged token lives, in seconds.
    pub token_seconds: u64,
    /// How long every answer takes, in milliseconds.
    pub latency_milliseconds: u64,
    /// How many requests a second are answered; the others get 429.
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
            reading: Reading::default(),
            timestamp_fields: false,
            tokens: BTreeMap::from([("test-token".to_owned(), Token::default())]),
            clients: BTreeMap::from([("test-client".to_owned(), "test-client-secret".to_owned())]),
            token_seconds: 86_400,
            latency_milliseconds: 0,
            quota: None,
            quota_retry_after: None,
            max_page_size: 1000,
            paging: Paging::default(),
            record_limit: None,
        }
    }
}

/// A bearer token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Token {
    /// Who writes with it.
    pub identity: String,
    /// What it is for; everything, where this is empty.
    pub scopes: BTreeSet<String>,
}

/// The scope to read credentials.
pub const READ: &str = "read:clientcredentials";
/// The scope to write credentials.
pub const UPDATE: &str = "update:clientcredentials";

impl Default for Token {
    fn default() -> Self {
        Self { identity: "identities/operator".to_owned(), scopes: BTreeSet::new() }
    }
}

impl Token {
    /// Whether it is for that.
    pub fn allows(&self, scope: &str) -> bool {
        self.scopes.is_empty() || self.scopes.contains(scope)
    }
}

/// What is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Contract {
    /// Everything that the vendor's protobufs and recorded payloads show.
    #[default]
    Full,
    /// What the published OpenAPI documents, to the letter, and no more.
    Openapi,
}

/// How labels look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LabelsShape {
    /// One JSON object.
    #[default]
    Object,
    /// An array of maps.
    Array,
}

/// How names look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum NameForm {
    /// `clients/{client}/credentials/{credential}`.
    #[default]
    Credentials,
    /// `clients/{client}/clientCredentials/{credential}`.
    ClientCredentials,
}

/// Whether secrets come back from anything but create.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Secrets {
    /// They do, as in recorded payloads.
    Returned,
    /// They do not, as documented.
    #[default]
    Withheld,
}

/// Whether credentials can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Reading {
    /// They can.
    #[default]
    Offered,
    /// 405.
    MethodNotAllowed,
    /// 501.
    NotImplemented,
    /// 403, whatever the token is for.
    Forbidden,
    /// A 404 that is not the API's own.
    NotFoundHtml,
}

/// What the token of a page remembers. The API promises no snapshot across pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Paging {
    /// The last id: what stays is always seen, once.
    #[default]
    ByKey,
    /// A position: what goes or comes between two pages hides or repeats something else.
    ByOffset,
}
