//! Misbehaviour: which calls it meets, how often, and what it is.
//!
//! A fault acts at one of three moments: in place of the server's work (`FaultKind::instead`), in the middle of a write
//! (`FaultKind::not_taken`), or on the answer (`FaultKind::spoil`). Which call meets which fault is decided once, when
//! the call arrives.

mod damage;
mod queue;

use std::time::Duration;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::api::{Answer, Ending};
use crate::config::Contract;
use crate::record::{Call, CallKind};

pub(crate) use queue::Queue;

/// Names a fault, to take it away again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u64);

/// A fault that meets the calls that fit everything said here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Only calls of this kind.
    #[serde(default)]
    pub kind: Option<CallKind>,
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

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum FaultKind {
    /// This status, with a `google.rpc.Status`, before anything is done.
    Status {
        /// The HTTP status.
        code: u16,
        /// The `Retry-After` header, as it is.
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// The connection is reset before anything is done, even before the body is read.
    Reset,
    /// The call is carried out, and the connection is reset before the answer.
    ResetAfter,
    /// Nothing is done, and there is never an answer.
    Hang,
    /// The call is carried out, and there is never an answer.
    HangAfter,
    /// A page of HTML, with this status, before anything is done.
    Html {
        /// The HTTP status.
        code: u16,
    },
    /// This status, with a `google.rpc.Status` whose message repeats the token and the body, before anything is done.
    Echo {
        /// The HTTP status.
        code: u16,
    },
    /// No body, with this status, before anything is done.
    Empty {
        /// The HTTP status.
        code: u16,
    },
    /// The call is carried out; the answer breaks off in the middle of the JSON.
    BrokenJson,
    /// The call is carried out; the answer is JSON of another shape.
    WrongShape,
    /// The call is carried out; the answer is this large.
    Huge {
        /// In bytes.
        bytes: usize,
    },
    /// The call is carried out; the answer has fields and an SDK type that nobody knows.
    Unknown,
    /// The call is answered with success, but these fields (paths of the mask) keep their values.
    NotTaken {
        /// The paths.
        fields: Vec<String>,
    },
    /// The call takes this much longer.
    Slow {
        /// In milliseconds.
        milliseconds: u64,
    },
    /// The call is carried out; the name in the answer is none.
    BadName,
}

impl Fault {
    /// A fault that meets every call.
    pub fn always(what: FaultKind) -> Self {
        Self { kind: None, client: None, credential: None, skip: 0, times: None, what }
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

impl FaultKind {
    /// A status without `Retry-After`.
    pub fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None }
    }

    /// What happens in place of the server's work.
    pub(crate) fn instead(&self, call: &Call, contract: Contract) -> Option<Ending> {
        Some(match self {
            Self::Echo { code } => {
                let said = format!("refused: {} {}", call.token.as_deref().unwrap_or_default(), call.body);
                Ending::Answer(Answer::error(contract, status(*code), &said))
            }
            Self::Status { code, retry_after } => {
                let answer = Answer::error(contract, status(*code), "a fault that was asked for");
                Ending::Answer(answer.with_retry_after(retry_after.as_deref()))
            }
            Self::Html { code } => Ending::Answer(Answer::html(status(*code))),
            Self::Empty { code } => Ending::Answer(Answer::empty(status(*code))),
            Self::Reset => Ending::Reset,
            Self::Hang => Ending::Hang,
            _ => return None,
        })
    }

    /// The fields that a write leaves alone, as paths of the mask.
    pub(crate) fn not_taken(&self) -> &[String] {
        match self {
            Self::NotTaken { fields } => fields,
            _ => &[],
        }
    }

    /// What becomes of the server's answer.
    pub(crate) fn spoil(&self, answer: Answer) -> Ending {
        match self {
            Self::ResetAfter => Ending::Reset,
            Self::HangAfter => Ending::Hang,
            _ => Ending::Answer(damage::damage(self, answer)),
        }
    }

    /// How much longer than usual the call takes.
    pub(crate) fn delay(&self) -> Duration {
        match self {
            Self::Slow { milliseconds } => Duration::from_millis(*milliseconds),
            _ => Duration::ZERO,
        }
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
