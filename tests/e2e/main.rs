//! End to end: the real binary on a real API server, against the simulator.
//!
//! All tests share one control plane, and each has a namespace, a simulator and an operator of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod conditions;
mod conflict;
mod contracts;
mod faults;
mod program;
mod reconcile;
mod secrets;
mod triggers;
mod validation;
mod world;
