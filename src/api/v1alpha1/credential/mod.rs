//! The kind `ConfidenceClientCredential`: its spec and its status.
#![allow(clippy::doc_markdown, reason = "kubectl explain shows the comments of fields as they stand")]

pub mod spec;
pub mod status;

mod published_secret;
mod references;
mod rotation;
mod values;

pub use spec::{ConfidenceClientCredential, ConfidenceClientCredentialSpec};
pub use status::ConfidenceClientCredentialStatus;
