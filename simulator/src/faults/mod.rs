//! Misbehaviour: which calls it meets, how often, and what it is.
//!
//! A fault acts in place of the server's work (`FaultKind::instead`), in the middle of a write
//! (`FaultKind::not_applied`), on the answer (`FaultKind::spoil`), or on when and how often the call is carried out. Which
//! call meets which fault is decided once, when the call arrives.

mod damage;
mod kind;
mod queue;

use serde::{Deserialize, Serialize};

use crate::record::CallKind;

pub use kind::{Answered, FaultKind};
pub(crate) use queue::Queue;

/// Names a fault, to take it away again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u64);

/// A fault that meets the calls that fit everything said here.
///
/// ```
/// use confidence_simulator::{CallKind, Config, Fault, FaultKind, Simulator};
///
/// let simulator = Simulator::new(Config::default());
/// // The next POST is carried out a minute after its caller lost the connection.
/// let late = FaultKind::LandsLate { milliseconds: 60_000, hangs: false };
/// simulator.fault(Fault::once(late).on(CallKind::Create));
/// // Nobody may list, until this is taken away.
/// let forbidden = simulator.fault(Fault::always(FaultKind::status(403)).on(CallKind::List));
/// assert!(simulator.remove_fault(forbidden));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Only calls of this kind.
    #[serde(default)]
    pub kind: Option<CallKind>,
    /// Only calls with this account.
    #[serde(default)]
    pub account: Option<String>,
    /// Only calls about the client with this id.
    #[serde(default)]
    pub client: Option<String>,
    /// Only calls about the credential with this id.
    #[serde(default)]
    pub credential: Option<String>,
    /// So many calls that would match go by first.
    #[serde(default)]
    pub skip: u32,
    /// So many calls are met; all until it is taken away, where this is absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens.
    pub what: FaultKind,
}

impl Fault {
    /// A fault that meets every call.
    pub fn always(what: FaultKind) -> Self {
        Self { kind: None, account: None, client: None, credential: None, skip: 0, times: None, what }
    }

    /// A fault that meets one call.
    pub fn once(what: FaultKind) -> Self {
        Self::always(what).times(1)
    }

    /// Meets only so many calls.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Lets so many calls go by first.
    #[must_use]
    pub fn skip(self, skip: u32) -> Self {
        Self { skip, ..self }
    }

    /// Meets only calls of a kind.
    #[must_use]
    pub fn on(self, kind: CallKind) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// Meets only calls with an account.
    #[must_use]
    pub fn with_account(self, account: &str) -> Self {
        Self { account: Some(account.to_owned()), ..self }
    }

    /// Meets only calls about a client.
    #[must_use]
    pub fn of_client(self, client: &str) -> Self {
        Self { client: Some(client.to_owned()), ..self }
    }

    /// Meets only calls about a credential.
    #[must_use]
    pub fn about(self, credential: &str) -> Self {
        Self { credential: Some(credential.to_owned()), ..self }
    }
}
