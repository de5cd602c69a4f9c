//! What any controller needs. Knows Kubernetes, not Confidence, and no kind of resource by name.

pub mod health;
pub mod leader_election;
