//! Why a resource has no account.

/// Why a resource has no account. Displays as a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAccount {
    /// The spec names none, and the operator has none of its own.
    #[error("spec.accountRef: the operator runs without an account of its own; name an account here")]
    NoDefault,
    /// The spec names one that does not exist.
    #[error("spec.accountRef: there is no {0}; create it, or correct the reference")]
    NotFound(String),
    /// The operator cannot see accounts of this kind.
    #[error(
        "spec.accountRef: the operator cannot list accounts, so it does not know {0}; ask whoever runs it to grant it the \
         right (chart: accounts.enabled=true)"
    )]
    Unwatched(String),
    /// No grant covers the resource.
    #[error("spec.accountRef: no grant of {0} covers this namespace and client; ask whoever owns the account for one")]
    NotAllowed(String),
    /// Its spec cannot be used.
    #[error("spec.accountRef: {0} cannot be used: {1}")]
    Unusable(String, String),
    /// Nobody can tell yet: the accounts are still being listed.
    #[error("the accounts are not listed yet")]
    Pending,
}
