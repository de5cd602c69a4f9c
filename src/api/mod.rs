//! The resources as Kubernetes sees them, by version of the API group.
//!
//! Types and their schema, and nothing that does I/O or decides. The CRDs are generated from here (`cargo xtask generate`).

pub mod v1alpha1;

pub use v1alpha1::*;
