//! A stateful Confidence IAM server to develop, test and demonstrate against.
//!
//! It accepts what the documented API accepts and rejects what that would reject, and it misbehaves on request in every way
//! that the real service and the proxies before it can. It is a server for tests: what it records holds secrets.
//!
//! | to test | use |
//! |---|---|
//! | what the server offers, and in which form | [`Config`] |
//! | a failure, a lost answer, a write that lands late or twice | [`Fault`] |
//! | a LIST or GET that is behind | `list_lag`, `delete_lag_milliseconds` of [`Config`] |
//! | several accounts | [`Account`], [`Simulator::account`] |
//! | what a caller may do with which credential | [`Token`], [`Permission`] |
//! | people who change things in the web console | [`Simulator::edit`], [`Simulator::copy`], [`Simulator::delete`] |
//! | applications that use a secret | [`Simulator::resolve`], `POST /v1/flags:resolve` |
//! | what was called, and what came of it | [`Simulator::calls`], [`Call`] |
//! | each write at the moment when it lands | [`Simulator::on_write`] |
//! | all of it from another process | `admin` |
//!
//! Time is tokio's and nothing is random: under paused time, the same calls get the same answers. The server's clock begins
//! at [`Simulator::starting_at`], shows in the `Date` of each answer, and may be ahead of the host's.

pub mod admin;
mod api;
mod clock;
pub mod config;
pub mod faults;
pub mod openapi;
mod record;
mod serve;
mod simulator;
mod state;
pub mod store;
mod tokens;
mod uses;
mod wire;
mod writes;

pub use config::{
    Account, Config, Contract, DEFAULT_ACCOUNT, LabelsShape, Lag, NameForm, Paging, Permission, Reading, SecretField,
    Secrets, Token,
};
pub use faults::{Answered, Fault, FaultId, FaultKind};
pub use record::{Call, CallKind, Stats};
pub use serve::{ConnectionReset, Running};
pub use simulator::{SOMEBODY_ELSE, Simulator};
pub use store::{Client, Credential};
pub use uses::{UnknownSecret, Use};
pub use writes::Write;
