//! The Confidence IAM client of one account. Knows nothing of Kubernetes.
//!
//! ```text
//! client ──▶ admission (circuit breaker, queue, rate limiter) ──▶ auth (a token) ──▶ transport ──▶ Confidence
//!        ◀── wire (a value), or error (what happened, and what mends it) ◀──────────────────────┘
//! ```
//! [`Confidence`] has the calls. All time is tokio's and all chance comes from one seed, so that tests can replay whatever
//! happens in here. What the API is, and where each fact comes from, is in the vendor's OpenAPI
//! (`tests/client-credential.openapi.yaml`) and in the docs of the items.

pub mod admission;
mod auth;
pub mod client;
pub mod error;
mod http_date;
pub mod metrics;
pub mod name;
pub mod settings;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod testing;
pub mod transport;
pub mod wire;

pub use admission::{AccountState, Admission, BlockCause, Priority, Requester};
pub use auth::IssuedToken;
pub use client::{Confidence, Response, WriteGuard};
pub use error::{Cause, Error, Recovery};
