//! The Confidence IAM client: names, wire types, authentication, pacing, and errors sorted by what to do about them.
//!
//! Knows nothing of Kubernetes, so that it can be tested, and read, without it. What the API is, and where each fact comes
//! from, is in the vendor's OpenAPI (`tests/client-credential.openapi.yaml`) and in the docs of the items here.
//!
//! Every call takes the same way through [`client`]: a token from [`auth`], a place in the queue of [`gate`], the
//! [`transport`], and, where it fails, a verdict by [`error`].

pub mod auth;
pub mod client;
pub mod error;
pub mod gate;
pub mod http;
pub mod metrics;
pub mod name;
pub mod settings;
pub mod transport;
pub mod wire;

pub use client::{Confidence, Urgency, WriteGuard};
pub use error::{Cause, Error};
pub use gate::{AccountState, HoldCause};
