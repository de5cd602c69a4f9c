//! The account's token: given, from a file or a watch, or exchanged for an id and a secret.
//!
//! ```text
//! source (fixed token, files, watched values) ──▶ token ───────────────────────▶ Auth::token
//!                                             └─▶ id and secret ──▶ cache ──▶ ┘
//! ```
//! The executor calls [`Auth::token`] before each request and [`Auth::after_refusal`] once after a 401.

mod cache;
mod files;
mod source;
mod token;

use secrecy::SecretString;
use tokio::sync::watch;

use self::cache::{ApiClient, TokenCache};
use self::source::{CredentialSource, Snapshot};
use super::error::{Cause, Error};
use super::settings::{CredentialValues, Credentials, SettingsError};

pub(super) use self::files::READ_INTERVAL;
pub use self::token::IssuedToken;
pub(super) use self::token::{exchange_body, expiry};

/// A token, and which one.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) value: SecretString,
    /// Which token of the exchange: a caller whose token is older than the current one need not ask for a new one.
    number: u64,
    /// Which version of the credentials it came from.
    version: u64,
}

/// Makes the token call. It needs a permit like any other call, so the executor makes it.
pub(super) trait ExchangeToken: Sync {
    fn exchange(
        &self,
        id: &SecretString,
        secret: &SecretString,
    ) -> impl Future<Output = Result<IssuedToken, Error>> + Send;
}

/// How a token is had.
enum Origin {
    Given(Token),
    Exchanged(ApiClient),
}

/// Gives tokens.
#[derive(Debug)]
pub(super) struct Auth {
    source: CredentialSource,
    cache: TokenCache,
    /// What to do when the server refuses the credentials, for a person.
    advice: String,
}

impl Auth {
    /// # Errors
    /// When a file cannot be used.
    pub(super) fn new(credentials: &Credentials, secret: Option<&str>) -> Result<Self, SettingsError> {
        let source = CredentialSource::new(credentials)?;
        Ok(Self { source, cache: TokenCache::default(), advice: advice(credentials, secret) })
    }

    /// A token to try a call with.
    pub(super) async fn token(&self, endpoint: &impl ExchangeToken) -> Result<Token, Error> {
        match self.origin(self.source.snapshot())? {
            Origin::Given(token) => Ok(token),
            Origin::Exchanged(client) => {
                self.cache.token(&client, endpoint).await.map_err(|error| self.failed_exchange(error))
            }
        }
    }

    /// Another token than one that was refused, where there is one to be had.
    ///
    /// # Errors
    /// That there is none, with what to do about it; or why the exchange failed.
    pub(super) async fn after_refusal(
        &self,
        refused: &Token,
        refusal: Error,
        endpoint: &impl ExchangeToken,
    ) -> Result<Token, Error> {
        match self.origin(self.source.read_again())? {
            Origin::Given(token) if token.version == refused.version => Err(self.refused(refusal)),
            Origin::Given(token) => Ok(token),
            Origin::Exchanged(client) => {
                let other = self.cache.other_than(refused, &client, endpoint).await;
                other.map_err(|error| self.failed_exchange(error))?.ok_or_else(|| self.refused(refusal))
            }
        }
    }

    /// The error of a call whose token was refused and that no other token could mend.
    pub(super) fn refused(&self, refusal: Error) -> Error {
        if refusal.blocked().is_some() { refusal } else { refusal.unauthenticated(self.advice.clone()) }
    }

    /// The token that somebody gave, if one was.
    pub(super) fn given(&self) -> Option<SecretString> {
        match self.source.snapshot().values {
            Some(CredentialValues::Token(token)) => Some(token),
            _ => None,
        }
    }

    /// Moves when the credentials do; none where they cannot.
    pub(super) fn version(&self) -> Option<u64> {
        (!self.source.is_fixed()).then(|| self.source.snapshot().version)
    }

    /// News of the credentials, where somebody else watches them.
    pub(super) fn news(&self) -> Option<watch::Receiver<Option<CredentialValues>>> {
        self.source.news()
    }

    fn origin(&self, snapshot: Snapshot) -> Result<Origin, Error> {
        let version = snapshot.version;
        match snapshot.values {
            Some(CredentialValues::Token(value)) => Ok(Origin::Given(Token { value, number: 0, version })),
            Some(CredentialValues::Client { id, secret }) => Ok(Origin::Exchanged(ApiClient { id, secret, version })),
            None => Err(Error::new(Cause::Unauthenticated, "").unauthenticated(self.advice.clone()).account_wide()),
        }
    }

    /// Without a token no call of the account can go out. A token endpoint says no with 400, 401, 403 or 404 (RFC 6749,
    /// 5.2): all of them mean the credentials.
    fn failed_exchange(&self, error: Error) -> Error {
        let says_no = matches!(
            error.cause(),
            Cause::InvalidRequest | Cause::Unauthenticated | Cause::Forbidden | Cause::NotFound
        );
        match (error.blocked(), says_no) {
            (Some(_), _) => error,
            (None, true) => error.unauthenticated(self.advice.clone()).account_wide(),
            (None, false) => error.account_wide(),
        }
    }
}

fn advice(credentials: &Credentials, secret: Option<&str>) -> String {
    match (credentials, secret) {
        (Credentials::Token(_), _) => {
            "set CONFIDENCE_TOKEN to a valid token and start again, or use --token-file".to_owned()
        }
        (Credentials::TokenFile(_), Some(secret)) => format!("put a valid token into Secret {secret}"),
        (Credentials::TokenFile(path), None) => format!("put a valid token into {} (--token-file)", path.display()),
        (Credentials::ClientFiles { .. }, Some(secret)) => {
            format!("put the id and secret of a valid API client into Secret {secret}")
        }
        (Credentials::ClientFiles { id, secret }, None) => format!(
            "put the id and secret of a valid API client into {} (--client-id-file) and {} (--client-secret-file)",
            id.display(),
            secret.display()
        ),
        (Credentials::Watched { advice, .. }, _) => advice.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
