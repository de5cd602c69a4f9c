//! Whether a resource may write its credential: the account is granted to it, and no other resource holds the credential.

use std::sync::Arc;

use super::watched::claimed;
use super::{Failure, Reconciler, resolve};
use crate::account::Account;
use crate::api::ConfidenceClientCredential;
use crate::api::conditions::Reason;
use crate::engine::{Key, Standing};

impl Reconciler {
    /// Whether a resource may still use this account: grants are taken away while a write waits for its permit.
    pub(super) fn may_use(&self, object: &ConfidenceClientCredential, account: Option<&Arc<Account>>) -> bool {
        object.spec.account_ref.is_none()
            || resolve::account_of(&self.accounts, object)
                .is_ok_and(|granted| account.is_some_and(|account| Arc::ptr_eq(account, &granted)))
    }

    /// Two resources that name one credential would overwrite each other for ever: one of them owns it.
    pub(super) fn check_ownership(&self, object: &ConfidenceClientCredential, key: &Key) -> Result<(), Failure> {
        let name = resolve::credential_name(&object.spec)?;
        let account = resolve::account_of(&self.accounts, object)?;
        let message = match self.claims.standing(key, &claimed(&account.url, &name)) {
            Standing::Owner => return Ok(()),
            Standing::Rival { owner } if owner.namespace == key.namespace => format!(
                "{} names the same credential and holds it; delete one of the two, or name another credential in this one",
                owner.name
            ),
            // Nothing is said of a resource that belongs to somebody else.
            Standing::Rival { .. } => {
                "a resource in another namespace holds this credential; name another credential, or ask whoever runs the \
                 operator which one it is. When that resource is deleted, this one takes over after ten minutes"
                    .to_owned()
            }
            Standing::Vacant { .. } => {
                "the resource that held this credential is gone; this one takes over ten minutes later, unless that one comes \
                 back"
                    .to_owned()
            }
        };
        // The owner writes the credential meanwhile: what this one observed of it counts no more.
        self.cache.invalidate(key);
        Err(Failure::stalled(Reason::Conflict, message))
    }
}
