//! A stateful Confidence IAM server to develop, test and demonstrate against.
//!
//! It knows what the documented API knows and rejects what that would reject, so that what passes here has a chance
//! there; and it misbehaves on request in every way that the real service and what stands before it can. It is a server
//! for tests: what it records holds secrets.
//!
//! `config` is what kind of server it is, `store` the credentials and the rules of a write, `wire` how they look in JSON,
//! `api` the calls, `faults` the misbehaviour, `record` what was received, `state` all of it behind one lock, `simulator`
//! the handle and controls of a test, `admin` the same controls over HTTP, `serve` the sockets, `openapi` the vendor's own
//! schema.
//!
//! Time is tokio's and nothing is random: under paused time, the same calls get the same answers.

pub mod admin;
mod api;
pub mod config;
pub mod faults;
pub mod openapi;
mod record;
mod serve;
mod simulator;
mod state;
pub mod store;
mod wire;

pub use config::{Config, Contract, LabelsShape, NameForm, Paging, Reading, Secrets, Token};
pub use faults::{Fault, FaultId, FaultKind};
pub use record::{Call, CallKind, Stats};
pub use serve::{ConnectionReset, Running};
pub use simulator::{SOMEBODY_ELSE, Simulator};
pub use store::Credential;
