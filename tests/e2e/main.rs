//! End to end: the real binary on a real API server, against the simulator.
//!
//! All tests share one control plane, and each has a namespace, a simulator and an operator of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::missing_panics_doc, clippy::float_cmp, clippy::too_many_lines, clippy::assigning_clones)]

mod account_objects;
mod accounts;
mod api_proxy;
mod api_server;
mod cli;
mod conditions;
mod conflict;
mod contracts;
mod crash;
mod credentials;
mod crowd;
mod ending;
mod examples;
mod faults;
mod gitops;
mod lifecycle;
mod lifecycle_crash;
mod memory;
mod network;
mod outage;
mod prism;
mod program;
mod reconcile;
mod replicas;
mod rounds;
mod secrets;
mod service_account;
mod takeover;
mod tenancy;
mod throttle;
mod traces;
mod triggers;
mod validation;
mod world;
