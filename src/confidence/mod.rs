//! The Confidence IAM client: names, wire types, authentication, pacing, and errors sorted by what to do about them.
//!
//! Knows nothing of Kubernetes, so that it can be tested, and read, without it. What the API is, and where each fact comes
//! from, is in the vendor's OpenAPI (`tests/client-credential.openapi.yaml`) and in the docs of the items here.

pub mod name;
pub mod wire;
