//! What the account's client is told: checked here, once, before anything starts.

use std::path::PathBuf;

use secrecy::SecretString;
use tokio::sync::watch;
use url::{Host, Url};

use super::wire::LabelsShape;

/// Why a setting cannot be used, as a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

impl SettingsError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// How to reach and use an account.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the API is.
    pub url: BaseUrl,
    /// Where tokens are issued, exactly as given; absent means `v1/oauth/token` below the API's URL.
    pub token_url: Option<BaseUrl>,
    /// The account's credentials.
    pub credentials: Credentials,
    /// Where a person keeps the credentials that come from files; absent means in the files.
    pub secret: Option<String>,
    /// The budget of the whole account, token calls included.
    pub requests_per_second: u32,
    /// The shape to write labels in; absent means as the server shows them, or as it turns out.
    pub labels: Option<LabelsShape>,
    /// Makes jitter repeatable, in tests.
    pub seed: Option<u64>,
}

/// Where the account's credentials come from.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A token that stays as it is.
    Token(SecretString),
    /// A file with a token.
    TokenFile(PathBuf),
    /// Files with the id and the secret of an API client, to be exchanged for tokens.
    ClientFiles {
        /// With the id.
        id: PathBuf,
        /// With the secret.
        secret: PathBuf,
    },
    /// Values that change while the program runs.
    Watched {
        /// The values; none while there are none.
        values: watch::Receiver<Option<CredentialValues>>,
        /// What to do when Confidence refuses them or when there are none, for a person: "put … into …".
        advice: String,
    },
}

/// The account's credentials themselves.
#[derive(Clone, Debug)]
pub enum CredentialValues {
    /// A token.
    Token(SecretString),
    /// The id and the secret of an API client, to be exchanged for tokens.
    Client {
        /// The id.
        id: SecretString,
        /// The secret.
        secret: SecretString,
    },
}

/// A URL that requests with a token may be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Takes an `https` URL, or an `http` one that leads to this machine, or, with leave, anywhere.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &str, allow_insecure: bool) -> Result<Self, SettingsError> {
        Self::checked(text, allow_insecure).map_err(SettingsError)
    }

    fn checked(text: &str, allow_insecure: bool) -> Result<Self, String> {
        let url: Url = text.parse().map_err(|error| format!("{text:?} is not a URL: {error}"))?;
        // First, because the other sentences repeat the URL.
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err("a URL with a user, a password, a query or a fragment cannot be used".to_owned());
        }
        match url.scheme() {
            "https" => {}
            "http" if allow_insecure || is_loopback(&url) => {}
            "http" => {
                return Err(format!(
                    "{text:?} would send the token in the clear; use https, or give --allow-insecure-url if that is meant"
                ));
            }
            scheme => return Err(format!("{text:?} has the scheme {scheme:?}; use https")),
        }
        Ok(Self(url))
    }

    /// The URL of a path below this one.
    pub fn join(&self, path: &str) -> String {
        format!("{}/{path}", self.0.as_str().trim_end_matches('/'))
    }

    /// The URL as it was given.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Whether a URL leads to this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_need_no_leave() {
        for url in [
            "https://iam.confidence.dev",
            "https://h/prefix/",
            "http://127.0.0.1:1",
            "http://localhost",
            "http://[::1]:1",
        ] {
            assert!(BaseUrl::parse(url, false).is_ok(), "{url}");
        }
        for url in [
            "http://iam.confidence.dev",
            "http://127.0.0.1.example.com",
            "ftp://h",
            "iam.confidence.dev",
            "https://a:b@h",
            "https://h?x",
        ] {
            assert!(BaseUrl::parse(url, false).is_err(), "{url}");
        }
        assert!(BaseUrl::parse("http://iam.confidence.dev", true).is_ok());
    }

    #[test]
    fn path_is_joined_with_one_slash() {
        for url in ["https://h/p", "https://h/p/"] {
            assert_eq!(BaseUrl::parse(url, false).unwrap().join("v1/x"), "https://h/p/v1/x");
        }
    }
}
