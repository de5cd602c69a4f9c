//! First stage: from the spec, its account and the Secret that it names, to what is asked of the credential.

use std::sync::Arc;

use super::Failure;
use super::client_secret::SecretReader;
use crate::account::{Account, Accounts, NoAccount};
use crate::api::conditions::Reason;
use crate::api::spec::DriftPolicy;
use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialSpec};
use crate::confidence::name::CredentialName;
use crate::engine::Attempt;
use crate::plan::{Desired, InvalidSpec};

/// What the resource asks for, complete and usable.
pub(super) struct Resolved {
    pub(super) account: Arc<Account>,
    pub(super) name: CredentialName,
    pub(super) desired: Desired,
    pub(super) policy: DriftPolicy,
}

/// The credential that a spec names.
pub(super) fn credential_name(spec: &ConfidenceClientCredentialSpec) -> Result<CredentialName, InvalidSpec> {
    let name = spec.name.as_deref().ok_or_else(|| InvalidSpec::new("spec.name", "is missing"))?;
    name.parse().map_err(|error: crate::confidence::name::InvalidName| InvalidSpec::new("spec.name", error.to_string()))
}

/// The credential that a resource manages: the one that its spec names, or the one that the operator created for it.
pub(super) fn managed_name(object: &ConfidenceClientCredential) -> Option<CredentialName> {
    if object.spec.client.is_some() {
        return object.status.as_ref()?.name.as_deref()?.parse().ok();
    }
    credential_name(&object.spec).ok()
}

/// The id of the client that a resource's credential is of; empty where the spec names none.
pub(crate) fn client_of(spec: &ConfidenceClientCredentialSpec) -> String {
    let created = spec.client.as_deref().map(|client| client.strip_prefix("clients/").unwrap_or(client).to_owned());
    created.or_else(|| Some(credential_name(spec).ok()?.client().to_owned())).unwrap_or_default()
}

/// The account that a resource may use.
pub(super) fn account_of(accounts: &Accounts, object: &ConfidenceClientCredential) -> Result<Arc<Account>, NoAccount> {
    let spec = &object.spec;
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    accounts.find(namespace, spec.account_ref.as_ref(), &client_of(spec))
}

/// Completes the spec of a resource that adopts a credential.
pub(super) async fn resolve(
    object: &ConfidenceClientCredential,
    attempt: &Attempt,
    accounts: &Accounts,
    secrets: &SecretReader,
) -> Result<Resolved, Failure> {
    let spec = &object.spec;
    let account = account_of(accounts, object)?;
    let mut desired = Desired::from_spec(spec)?;
    if let Some(source) = &spec.client_secret {
        desired.client_secret = Some(secrets.read(&attempt.key, &source.secret_key_ref).await?);
    }
    Ok(Resolved { account, name: credential_name(spec)?, desired, policy: spec.drift_policy })
}

impl From<NoAccount> for Failure {
    fn from(error: NoAccount) -> Self {
        match error {
            // It is known within seconds, and nothing is to be said of the resource until then.
            NoAccount::Pending => Self::abandoned(),
            NoAccount::NotAllowed(_) => Self::stalled(Reason::NotAllowedByAccount, error.to_string()),
            NoAccount::NoDefault | NoAccount::NotFound(_) | NoAccount::Unwatched(_) | NoAccount::Unusable(..) => {
                Self::stalled(Reason::AccountNotFound, error.to_string())
            }
        }
    }
}
