//! What the account's client is told: checked here, once, before anything starts.

use std::path::PathBuf;

use secrecy::SecretString;
use url::{Host, Url};

use super::wire::LabelsShape;

/// How to reach and use an account.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the API is.
    pub url: BaseUrl,
    /// Where tokens are issued; below the API's URL where it is not said.
    pub token_url: Option<BaseUrl>,
    /// The account's credentials.
    pub credentials: Credentials,
    /// The budget of the whole account, token calls included.
    pub requests_per_second: u32,
    /// The shape to write labels in; none: as the server shows them, or as it turns out.
    pub labels: Option<LabelsShape>,
    /// Makes jitter repeatable, in tests.
    pub seed: Option<u64>,
}

/// The account's credentials.
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
}

/// A URL that requests with a token may be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Takes an `https` URL, or an `http` one that leads to this machine, or, with leave, anywhere.
    ///
    /// # Errors
    /// A sentence for a person.
    pub fn parse(text: &str, allow_insecure: bool) -> Result<Self, String> {
        let url: Url = text.parse().map_err(|error| format!("{text:?} is not a URL: {error}"))?;
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
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err("a URL with a user, a password, a query or a fragment cannot be used".to_owned());
        }
        Ok(Self(url))
    }

    /// The URL of a path below this one.
    pub fn join(&self, path: &str) -> String {
        format!("{}/{path}", self.as_str())
    }

    /// The URL without a slash at its end.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

fn is_loopback(url: &Url) -> bool {
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
    fn https_and_loopback_are_taken_and_cleartext_only_with_leave() {
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
    fn a_path_is_joined_with_one_slash() {
        for url in ["https://h/p", "https://h/p/"] {
            assert_eq!(BaseUrl::parse(url, false).unwrap().join("v1/x"), "https://h/p/v1/x");
        }
    }
}
