//! The Confidence IAM client: names, wire types, authentication, pacing, and errors sorted by what to do about them.
//!
//! Knows nothing of Kubernetes, so that it can be tested, and read, without it. What the API is, and where each fact comes
//! from, is in the vendor's OpenAPI (`tests/client-credential.openapi.yaml`) and in the docs of the items here.
//!
//! Every call takes the same way: [`client`] says what is asked, `caller` comes in at the [`gate`], gets a token from
//! `auth`, waits for its turn, sends the `request` through the [`transport`], and where that fails, [`error`] says what it
//! means. All time is tokio's and all chance comes from one seed, so that tests can replay whatever happens in here.

mod auth;
mod caller;
pub mod client;
pub mod error;
mod files;
pub mod gate;
pub mod http;
mod labels;
pub mod metrics;
pub mod name;
mod request;
pub mod settings;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod testing;
pub mod token;
pub mod transport;
pub mod wire;

pub use client::{Confidence, Priority, WriteGuard};
pub use error::{Cause, Error, Recovery};
pub use gate::{AccountState, BlockCause};
