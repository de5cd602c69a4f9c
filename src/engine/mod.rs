//! What any controller needs. Knows Kubernetes, not Confidence, and no kind of resource by name.

pub mod claims;
pub mod events;
pub mod health;
pub mod key;
pub mod leader_election;
pub mod secret_versions;
pub mod status_writer;
#[cfg(test)]
pub(crate) mod testing;
pub mod watch;
pub mod work_queue;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use self::claims::{Claim, Claims, Standing};
pub use self::events::{EventDraft, EventRecorder};
pub use self::key::Key;
pub use self::leader_election::LeaseGuard;
pub use self::secret_versions::{SecretName, SecretVersions};
pub use self::status_writer::{AttemptId, PendingStatus, StatusOrigin, StatusWriter};
pub use self::watch::{WatchEvent, Watched};
pub use self::work_queue::{Attempt, Next, Priority, Revision, Trigger, WorkQueue, backoff};

/// The name that the operator's writes carry in `managedFields`.
pub const FIELD_MANAGER: &str = "confidence-operator";

/// Locks what no holder leaves half-changed: a panic elsewhere does not spoil it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
