//! Version `v1alpha1` of the API group: the kinds, their specs and statuses, and the names that belong to them.
//!
//! Reading is lenient where the schema is strict: one object that this program cannot decode would stop its whole watch.
//! So a value that a newer CRD may allow is read as `Unknown` and reported on the one resource that has it.

pub mod account;
pub mod conditions;
pub mod crds;
pub mod credential;
pub mod durations;
mod rules;

pub use account::{
    ClusterConfidenceAccount, ClusterConfidenceAccountSpec, ConfidenceAccount, ConfidenceAccountSpec,
    ConfidenceAccountStatus,
};
pub use crds::crds;
pub use credential::{
    ConfidenceClientCredential, ConfidenceClientCredentialSpec, ConfidenceClientCredentialStatus, spec, status,
};

/// The API group.
pub const GROUP: &str = "iam.confidence.dev";

/// The annotation that asks for a reconcile at once, with any new value; `status.lastHandledReconcileAt` echoes it (as in
/// Flux).
pub const RECONCILE_REQUESTED_AT: &str = "iam.confidence.dev/reconcile-requested-at";

/// The annotation that asks for one rotation, with any new value; `status.rotation.lastHandledRotateAt` echoes it.
pub const ROTATE_REQUESTED_AT: &str = "iam.confidence.dev/rotate-requested-at";

/// The annotation that names a superseded credential, which may then be deleted although it is in use.
pub const RETIRE: &str = "iam.confidence.dev/retire";

/// The most characters of a value of [`RECONCILE_REQUESTED_AT`] and [`ROTATE_REQUESTED_AT`]. A longer value counts as
/// absent.
pub const MAX_REQUEST_LENGTH: usize = 128;

/// The annotation that the operator writes before each POST: `<n>-<nonce>`. It triggers no reconcile.
pub const ATTEMPT: &str = "iam.confidence.dev/attempt";

/// The finalizer of a resource whose deletion deletes its credential.
pub const FINALIZER: &str = "iam.confidence.dev/credential";

/// How the keys of the operator's own labels at Confidence begin. No manifest may use them, and they are never drift.
pub const OWN_LABEL_PREFIX: &str = "confidence-operator-";

/// The annotations of a published Secret, by which the operator knows that it wrote it, and for which credential.
pub mod secret_annotations {
    /// The resource that the Secret belongs to: `<namespace>/<name>/<uid>`.
    pub const OWNER: &str = "iam.confidence.dev/owner";
    /// The instance of the operator that wrote it.
    pub const INSTANCE: &str = "iam.confidence.dev/instance";
    /// The name of the credential whose secret it holds.
    pub const CREDENTIAL: &str = "iam.confidence.dev/credential";
    /// The attempt that created the credential: `<n>-<nonce>`, as in [`ATTEMPT`](super::ATTEMPT).
    pub const ATTEMPT: &str = "iam.confidence.dev/attempt";
    /// When this credential was published here first, by the server's clock.
    pub const PUBLISHED_AT: &str = "iam.confidence.dev/published-at";
}
