//! Which credential: the two ids that a resource name of Confidence carries.

use std::fmt;
use std::str::FromStr;

/// The most characters that an id may have.
pub const MAX_ID_LENGTH: usize = 128;

/// The name of a client credential.
///
/// Documented as `clients/{client}/credentials/{credential}`; recorded payloads also show
/// `clients/{client}/clientCredentials/{credential}`. Both parse to the same value, so names compare by their two ids,
/// and [`Display`](fmt::Display) always gives the documented form, which is also the path below `/v1/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialName {
    client: Box<str>,
    credential: Box<str>,
}

impl CredentialName {
    /// The id of the client that the credential belongs to.
    pub fn client(&self) -> &str {
        &self.client
    }

    /// The id of the credential within its client.
    pub fn credential(&self) -> &str {
        &self.credential
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "clients/{}/credentials/{}", self.client, self.credential)
    }
}

/// A text that is not the name of a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the name of a credential: expected clients/{{client}}/credentials/{{credential}}, where each id is 1 to \
     {MAX_ID_LENGTH} of A-Z a-z 0-9 . _ ~ - and neither . nor .."
)]
pub struct InvalidName;

impl FromStr for CredentialName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let mut parts = text.split('/');
        let mut next = || parts.next().ok_or(InvalidName);
        let (clients, client, collection, credential) = (next()?, next()?, next()?, next()?);
        let known = clients == "clients" && matches!(collection, "credentials" | "clientCredentials");
        if !known || parts.next().is_some() || !is_id(client) || !is_id(credential) {
            return Err(InvalidName);
        }
        Ok(Self { client: client.into(), credential: credential.into() })
    }
}

/// Whether a text is an id: only characters that stand for themselves in a URL path (RFC 3986, unreserved), and no dot segment: an id can then
/// never lead a request to another path than the one that was meant.
pub(super) fn is_id(text: &str) -> bool {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b'-');
    (1..=MAX_ID_LENGTH).contains(&text.len()) && text.bytes().all(unreserved) && !matches!(text, "." | "..")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_forms_name_the_same_credential() {
        let documented: CredentialName = "clients/c1/credentials/k1".parse().unwrap();
        let recorded: CredentialName = "clients/c1/clientCredentials/k1".parse().unwrap();
        assert_eq!(documented, recorded);
        assert_eq!(recorded.to_string(), "clients/c1/credentials/k1");
        assert_eq!((documented.client(), documented.credential()), ("c1", "k1"));
    }

    #[test]
    fn other_texts_are_no_names() {
        let long = format!("clients/{}/credentials/k", "a".repeat(129));
        for text in [
            "",
            "string",
            "clients/c1",
            "clients//credentials/k",
            "clients/c/credentials/",
            "clients/../credentials/k",
            "clients/c/credentials/.",
            "clients/c/credentials/k/",
            "clients/c/credentials/k?x",
            "/clients/c/credentials/k",
            "clients/c/credential/k",
            "clients/ü/credentials/k",
            "clients/c/credentials/a%2fb",
            long.as_str(),
        ] {
            assert_eq!(text.parse::<CredentialName>(), Err(InvalidName), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn valid_name_survives_printing_and_parsing(client in "[A-Za-z0-9_~-]{1,128}", credential in "[A-Za-z0-9._~-]{3,128}") {
            prop_assume!(client != "." && client != "..");
            let name: CredentialName = format!("clients/{client}/clientCredentials/{credential}").parse().unwrap();
            prop_assert_eq!(name.to_string().parse::<CredentialName>().unwrap(), name);
        }

        #[test]
        fn parsing_never_panics(text in ".*") {
            let _ = text.parse::<CredentialName>();
        }
    }
}
