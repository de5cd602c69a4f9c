//! A stateful Confidence IAM server to develop, test and demonstrate against.
//!
//! It knows what the documented API knows and rejects what that would reject, so that what passes here has a chance
//! there; and it misbehaves on request in every way that the real service and what stands before it can. It is a server
//! for tests: what it records holds secrets.
//!
//! `store` is the state and its rules, `wire` how it looks in JSON, `api` the calls, `faults` the misbehaviour, `serve`
//! the sockets, `admin` the same controls over HTTP that a test has in process, `openapi` the vendor's own schema.

pub mod admin;
mod api;
pub mod config;
pub mod faults;
pub mod openapi;
mod serve;
mod simulator;
pub mod store;
mod wire;

pub use api::{Call, CallKind};
pub use config::{Config, Contract, LabelsShape, NameForm, Reading, Secrets, Token};
pub use faults::{Fault, FaultKind};
pub use serve::{ConnectionReset, Running};
pub use simulator::Simulator;
pub use store::Credential;
