//! The resource as Kubernetes sees it: its spec, its status, its conditions, and the names that belong to them.
//!
//! Types and their schema, and nothing that does I/O or decides. The CRD is generated from here (`cargo xtask generate`).
//!
//! Reading is lenient where the schema is strict: an object that an older program cannot read would stop its whole watch,
//! so values that a newer CRD may allow are read as "unknown" and reported on the one resource that has them.

pub mod conditions;
pub mod durations;
pub mod spec;
pub mod status;

pub use spec::{ConfidenceClientCredential, ConfidenceClientCredentialSpec};
pub use status::ConfidenceClientCredentialStatus;

/// The API group.
pub const GROUP: &str = "iam.confidence.dev";

/// Asks for a look at once, with any new value; `status.lastHandledReconcileAt` echoes it (as in Flux).
pub const RECONCILE_REQUESTED_AT: &str = "iam.confidence.dev/reconcile-requested-at";

/// What the keys of the operator's own labels at Confidence begin with: they are never drift, and every update carries them.
pub const OWN_LABEL_PREFIX: &str = "confidence-operator-";
