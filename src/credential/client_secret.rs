//! Reading the Secret that holds a client secret. When the secret is written is decided in [`crate::plan`].

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt};

use super::Failure;
use crate::account::Accounts;
use crate::api::conditions::Reason;
use crate::api::spec::SecretKeyRef;
use crate::engine::{Key, SecretName, SecretVersions, Trigger, WorkQueue};
use crate::plan::DesiredSecret;

/// How long reading a Secret may take: a reconcile holds a slot meanwhile.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads Secrets for resources, and records the version that each resource was served with.
#[derive(Clone)]
pub(super) struct SecretReader {
    client: Client,
    accounts: Accounts,
    versions: Arc<SecretVersions>,
    queue: WorkQueue,
}

impl SecretReader {
    pub(super) fn new(client: Client, accounts: Accounts, versions: Arc<SecretVersions>, queue: WorkQueue) -> Self {
        Self { client, accounts, versions, queue }
    }

    /// Reads the secret that a resource refers to.
    pub(super) async fn read(&self, user: &Key, reference: &SecretKeyRef) -> Result<DesiredSecret, Failure> {
        let secret = SecretName { namespace: Arc::clone(&user.namespace), name: reference.name.as_str().into() };
        self.refuse_secret_of_account(&secret)?;
        let found = self.get(&secret).await?;
        if self.versions.served(user, &secret, found.as_ref().and_then(ResourceExt::resource_version).as_deref()) {
            self.queue.trigger(user, Trigger::DependencyChanged);
        }
        let missing = || {
            let message =
                format!("spec.clientSecret: there is no Secret {secret}; create it, or correct the reference");
            Failure::stalled(Reason::SecretNotFound, message)
        };
        value_of(&found.ok_or_else(missing)?, reference)
    }

    /// Whoever may write resources here must not get the credentials of an account written anywhere.
    fn refuse_secret_of_account(&self, secret: &SecretName) -> Result<(), Failure> {
        match self.accounts.use_secret(secret) {
            Some(false) => Ok(()),
            Some(true) => Err(Failure::stalled(
                Reason::SecretInvalid,
                format!(
                    "spec.clientSecret: Secret {secret} holds the credentials of an account and is used for nothing else; name \
                     another Secret"
                ),
            )),
            None => Err(Failure::retry(
                Reason::SecretUnreadable,
                "spec.clientSecret: the accounts are not listed yet; the Secret is read after that",
            )),
        }
    }

    async fn get(&self, secret: &SecretName) -> Result<Option<Secret>, Failure> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &secret.namespace);
        let Ok(read) = tokio::time::timeout(READ_TIMEOUT, api.get_opt(&secret.name)).await else {
            let message = format!("spec.clientSecret: the API server did not return Secret {secret} in time");
            return Err(Failure::retry(Reason::SecretUnreadable, message));
        };
        read.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 403 => Failure::stalled(
                Reason::SecretUnreadable,
                format!(
                    "spec.clientSecret: the operator may not read Secret {secret}; grant its ServiceAccount get on it"
                ),
            ),
            error => Failure::retry(
                Reason::SecretUnreadable,
                format!("spec.clientSecret: reading Secret {secret} failed: {}", without_body(&error)),
            ),
        })
    }
}

/// An answer that cannot be decoded may hold the secret, and kube's error repeats parts of it.
fn without_body(error: &kube::Error) -> String {
    match error {
        kube::Error::SerdeError(_) => "the answer of the API server is no Secret".to_owned(),
        error => error.to_string(),
    }
}

/// Takes the value out of the Secret. Never says what it found, only what is wrong with it.
pub(crate) fn value_of(secret: &Secret, reference: &SecretKeyRef) -> Result<DesiredSecret, Failure> {
    let invalid = |what: &str| {
        let message = format!("spec.clientSecret: key {:?} of Secret {:?} {what}", reference.key, reference.name);
        Failure::stalled(Reason::SecretInvalid, message)
    };
    let bytes = secret.data.as_ref().and_then(|data| data.get(&reference.key));
    let bytes = bytes.ok_or_else(|| invalid("does not exist; add it, or correct the reference"))?;
    let text = str::from_utf8(&bytes.0).map_err(|_| invalid("is not text (UTF-8); store the secret itself there"))?;
    // An editor or `echo` leaves a newline that is never part of a secret.
    let value = text.trim_end_matches(['\r', '\n']);
    if value.is_empty() {
        return Err(invalid("is empty; store the secret there"));
    }
    Ok(DesiredSecret {
        value: value.into(),
        uid: secret.uid().unwrap_or_default(),
        resource_version: secret.resource_version().unwrap_or_default(),
        key: reference.key.clone(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use secrecy::ExposeSecret;

    fn read(value: &[u8]) -> Result<DesiredSecret, Failure> {
        let data = [("token".to_owned(), ByteString(value.to_vec()))].into();
        let secret = Secret { data: Some(data), ..Secret::default() };
        value_of(&secret, &SecretKeyRef { name: "s".to_owned(), key: "token".to_owned() })
    }

    /// Editors and `echo` add them.
    #[test]
    fn trailing_newlines_are_cut() {
        assert_eq!(read(b" se cret \r\n\n").unwrap().value.expose_secret(), " se cret ");
    }

    /// A value that cannot be a secret stalls the resource, and its bytes are in no message.
    #[test]
    fn empty_or_binary_value_is_invalid_and_hidden() {
        for value in [&b""[..], b"\n", b"hunter2\xff"] {
            let failure = read(value).unwrap_err();
            assert_eq!(failure.reason, Reason::SecretInvalid);
            assert!(!failure.message.contains("hunter2"), "{}", failure.message);
        }
    }
}
