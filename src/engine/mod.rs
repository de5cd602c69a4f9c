//! What any controller needs. Knows Kubernetes, not Confidence, and no kind of resource by name.

pub mod claims;
pub mod events;
pub mod health;
pub mod key;
pub mod leader_election;
pub mod secret_versions;
pub mod status_writer;
pub mod watch;

#[cfg(test)]
pub(crate) mod testing;
