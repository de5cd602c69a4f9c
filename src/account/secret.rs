//! The account's credentials from its Secret.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use secrecy::SecretString;

use crate::api::account::AccountCredentials;
use crate::confidence::settings::CredentialValues;
use crate::engine::Key;

/// How long reading a Secret may take.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a Secret gave no credentials. Displays as a sentence for a person, and never holds a value.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    /// It is not there, or not all that is needed is in it.
    #[error("{0}")]
    Missing(String),
    /// It could not be read; what was read before still counts.
    #[error("{0}")]
    Unreadable(String),
    /// Whoever reads it may not; what was read before still counts.
    #[error("Secret {0} cannot be read: the operator may not; grant its ServiceAccount get, list and watch on it")]
    Forbidden(Key),
}

/// Which Secret holds the credentials of an account, and under which keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SecretSource {
    /// The Secret.
    pub(super) secret: Key,
    keys: Keys,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Keys {
    Client { id: String, secret: String },
    Token(String),
}

impl SecretSource {
    /// Of the credentials of a spec, in this namespace.
    ///
    /// # Errors
    /// When the spec does not name exactly one, which the CRD forbids.
    pub(super) fn of(credentials: &AccountCredentials, namespace: &str) -> Result<Self, SecretError> {
        let (name, keys) = match (&credentials.client_secret_ref, &credentials.token_secret_ref) {
            (Some(client), None) => {
                let keys = Keys::Client { id: client.client_id_key.clone(), secret: client.client_secret_key.clone() };
                (&client.name, keys)
            }
            (None, Some(token)) => (&token.name, Keys::Token(token.key.clone())),
            _ => {
                let message = "spec.credentials: name exactly one of clientSecretRef and tokenSecretRef";
                return Err(SecretError::Missing(message.to_owned()));
            }
        };
        Ok(Self { secret: Key::new(namespace, name), keys })
    }

    /// What tells a token from others, as its value changes.
    pub(super) fn label(&self) -> String {
        match &self.keys {
            Keys::Client { id, secret } => format!("{}#{id},{secret}", self.secret),
            Keys::Token(key) => format!("{}#{key}", self.secret),
        }
    }

    /// Reads the credentials.
    pub(super) async fn read(&self, client: &Client) -> Result<CredentialValues, SecretError> {
        let api: Api<Secret> = Api::namespaced(client.clone(), &self.secret.namespace);
        let Ok(read) = tokio::time::timeout(READ_TIMEOUT, api.get_opt(&self.secret.name)).await else {
            return Err(self.unreadable("the API server did not return it in time"));
        };
        let found = read.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 403 => SecretError::Forbidden(self.secret.clone()),
            // An answer that cannot be decoded may hold the secret, and kube's error repeats parts of it.
            kube::Error::SerdeError(_) => self.unreadable("the answer of the API server is no Secret"),
            error => self.unreadable(&error.to_string()),
        })?;
        let missing = || SecretError::Missing(format!("there is no Secret {}; create it", self.secret));
        self.values(&found.ok_or_else(missing)?)
    }

    fn values(&self, secret: &Secret) -> Result<CredentialValues, SecretError> {
        Ok(match &self.keys {
            Keys::Token(key) => CredentialValues::Token(self.value(secret, key)?),
            Keys::Client { id, secret: secret_key } => {
                CredentialValues::Client { id: self.value(secret, id)?, secret: self.value(secret, secret_key)? }
            }
        })
    }

    fn value(&self, secret: &Secret, key: &str) -> Result<SecretString, SecretError> {
        let missing = |what| SecretError::Missing(format!("key {key:?} of Secret {} {what}", self.secret));
        let bytes = secret.data.as_ref().and_then(|data| data.get(key));
        let bytes = bytes.ok_or_else(|| missing("does not exist; add it"))?;
        let text =
            str::from_utf8(&bytes.0).map_err(|_| missing("is not text (UTF-8); store the value itself there"))?;
        // An editor or `echo` leaves a newline that is never part of a value.
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(missing("is empty; store the value there")),
            value => Ok(value.into()),
        }
    }

    fn unreadable(&self, why: &str) -> SecretError {
        SecretError::Unreadable(format!("Secret {} cannot be read: {why}", self.secret))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::api::ConfidenceAccountSpec;
    use k8s_openapi::ByteString;
    use secrecy::ExposeSecret;
    use serde_json::json;

    fn read(data: &[(&str, &[u8])]) -> Result<CredentialValues, SecretError> {
        let spec: ConfidenceAccountSpec =
            serde_json::from_value(json!({"credentials": {"clientSecretRef": {"name": "shop"}}})).unwrap();
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec()))).collect();
        let secret = Secret { data: Some(data), ..Secret::default() };
        SecretSource::of(&spec.credentials, "operator").unwrap().values(&secret)
    }

    /// The keys have defaults, and trailing newlines are cut.
    #[test]
    fn default_keys_hold_id_and_secret() {
        let Ok(CredentialValues::Client { id, secret }) = read(&[("clientId", b"me\n"), ("clientSecret", b"hidden")])
        else {
            panic!("no credentials")
        };
        assert_eq!((id.expose_secret(), secret.expose_secret()), ("me", "hidden"));
    }

    /// Half a Secret gives no credentials, and the message names what is missing and no value.
    #[test]
    fn half_a_secret_gives_nothing() {
        let message = read(&[("clientId", b"me")]).unwrap_err().to_string();
        assert_eq!(message, r#"key "clientSecret" of Secret operator/shop does not exist; add it"#);
        let message = read(&[("clientId", b"me"), ("clientSecret", b"hunter2\xff")]).unwrap_err().to_string();
        assert!(message.contains("is not text") && !message.contains("hunter2"), "{message}");
    }
}
