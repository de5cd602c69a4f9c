//! The kind `ConfidenceClientCredential`: its spec and its status.

pub mod spec;
pub mod status;

mod published_secret;
mod references;
mod rotation;
mod values;

pub use spec::{ConfidenceClientCredential, ConfidenceClientCredentialSpec};
pub use status::ConfidenceClientCredentialStatus;
