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

/// Completes the spec of a resource that adopts a credential.
pub(super) async fn resolve(
    object: &ConfidenceClientCredential,
    attempt: &Attempt,
    accounts: &Accounts,
    secrets: &SecretReader,
) -> Result<Resolved, Failure> {
    let spec = &object.spec;
    let account = accounts.find(spec.account_ref.as_ref())?;
    let mut desired = Desired::from_spec(spec)?;
    if let Some(source) = &spec.client_secret {
        desired.client_secret = Some(secrets.read(&attempt.key, &source.secret_key_ref).await?);
    }
    Ok(Resolved { account, name: credential_name(spec)?, desired, policy: spec.drift_policy })
}

impl From<NoAccount> for Failure {
    fn from(error: NoAccount) -> Self {
        Self::stalled(Reason::AccountNotFound, error.to_string())
    }
}
