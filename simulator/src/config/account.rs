//! Who may call, and what for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// An account beside the default one: its callers and its pace. Its credentials are its own, whatever their names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Account {
    /// The bearer tokens that are accepted, and what they are for.
    pub tokens: BTreeMap<String, Token>,
    /// The API clients: ids, and the secrets that are exchanged for tokens.
    pub clients: BTreeMap<String, String>,
    /// The rights of an exchanged token, by the id of the API client. A client that is not named has all rights.
    pub issued: BTreeMap<String, Token>,
    /// How many requests a second are answered; the others get 429.
    pub quota: Option<u32>,
    /// `Retry-After` of those.
    pub quota_retry_after: Option<String>,
}

impl Account {
    /// An account with one token, which is for everything.
    pub fn with_token(text: &str) -> Self {
        Self { tokens: BTreeMap::from([(text.to_owned(), Token::default())]), ..Self::default() }
    }

    /// An account with one API client, whose tokens are for everything.
    pub fn with_client(id: &str, secret: &str) -> Self {
        Self { clients: BTreeMap::from([(id.to_owned(), secret.to_owned())]), ..Self::default() }
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
    /// What of that it may do with single credentials, by their ids; `*` stands for all that are not named.
    pub permissions: BTreeMap<String, Permission>,
}

/// What a token may do with a credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Permission {
    /// Everything.
    #[default]
    Full,
    /// Read it; a write is 403.
    ReadOnly,
    /// Write it; a GET is 403, and no LIST has it.
    WriteOnly,
    /// Nothing: each call is 403, and no LIST has it.
    Forbidden,
    /// Nothing, and it looks as if there were none: each call is 404, and no LIST has it.
    Hidden,
}

/// The scope to read credentials.
pub const READ: &str = "read:clientcredentials";
/// The scope to create credentials.
pub const CREATE: &str = "create:clientcredentials";
/// The scope to update and delete credentials.
pub const UPDATE: &str = "update:clientcredentials";

impl Default for Token {
    fn default() -> Self {
        Self { identity: "identities/operator".to_owned(), scopes: BTreeSet::new(), permissions: BTreeMap::new() }
    }
}

impl Token {
    /// A token for some scopes alone.
    pub fn with_scopes<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Self {
        Self { scopes: scopes.into_iter().map(str::to_owned).collect(), ..Self::default() }
    }

    /// The token with another permission for a credential; `*` stands for all that are not named.
    #[must_use]
    pub fn with_permission(mut self, credential: &str, permission: Permission) -> Self {
        self.permissions.insert(credential.to_owned(), permission);
        self
    }

    /// Whether it is for that.
    pub fn allows(&self, scope: &str) -> bool {
        self.scopes.is_empty() || self.scopes.contains(scope)
    }

    /// What it may do with a credential, by its id.
    pub fn permission(&self, credential: &str) -> Permission {
        let named = self.permissions.get(credential).or_else(|| self.permissions.get("*"));
        named.copied().unwrap_or_default()
    }
}

impl Permission {
    /// Whether GET and LIST show the credential.
    pub fn may_read(self) -> bool {
        matches!(self, Self::Full | Self::ReadOnly)
    }

    /// Whether the credential may be updated and deleted.
    pub fn may_write(self) -> bool {
        matches!(self, Self::Full | Self::WriteOnly)
    }
}
