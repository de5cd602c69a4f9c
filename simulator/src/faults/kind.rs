//! What a fault does to a call.

use std::time::Duration;

use axum::http::{StatusCode, header};
use serde::{Deserialize, Serialize};

use super::damage;
use crate::api::{Answer, Reply};
use crate::config::Contract;
use crate::record::Call;

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
    /// The connection is reset, or there is never an answer; the call is carried out later, wherever its caller is then.
    LandsLate {
        /// How much later, in milliseconds.
        milliseconds: u64,
        /// Whether the caller waits in vain, instead of a reset.
        #[serde(default)]
        hangs: bool,
    },
    /// A proxy sends the call twice: it is carried out, and once more.
    Repeated {
        /// How much later it is carried out once more, in milliseconds.
        #[serde(default)]
        milliseconds: u64,
        /// Which of the two answers the caller gets.
        #[serde(default)]
        answered: Answered,
    },
    /// The caller is sent elsewhere, before anything is done.
    Redirect {
        /// The HTTP status.
        code: u16,
        /// The `Location` header.
        location: String,
    },
    /// The call is carried out; the answer, or each entry of the page, lacks these fields.
    Without {
        /// Their names in JSON, such as `clientSecret`.
        fields: Vec<String>,
    },
    /// The call is carried out; one entry of the page has a `displayName` that is no text.
    UnreadableEntry {
        /// The place of the entry, from 0.
        #[serde(default)]
        index: usize,
    },
    /// The call is carried out; the answer has no `Date`.
    WithoutDate,
}

/// Which answer comes of a call that a proxy sends twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answered {
    /// The first: the caller goes on before the call is carried out once more.
    First,
    /// The second: the proxy lost the first.
    #[default]
    Second,
}

impl FaultKind {
    /// A status without `Retry-After`.
    pub fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None }
    }

    /// What happens in place of the server's work.
    pub(crate) fn instead(&self, call: &Call, contract: Contract) -> Option<Reply> {
        Some(match self {
            Self::Echo { code } => {
                let said = format!("refused: {} {}", call.token.as_deref().unwrap_or_default(), call.body);
                Reply::Answer(Answer::error(contract, status(*code), &said))
            }
            Self::Status { code, retry_after } => {
                let answer = Answer::error(contract, status(*code), "a fault that was asked for");
                Reply::Answer(answer.with_retry_after(retry_after.as_deref()))
            }
            Self::Html { code } => Reply::Answer(Answer::html(status(*code))),
            Self::Empty { code } => Reply::Answer(Answer::empty(status(*code))),
            Self::Redirect { code, location } => {
                let answer = Answer::empty(status(*code));
                Reply::Answer(answer.with_header(header::LOCATION, location.clone()))
            }
            Self::Reset => Reply::Reset,
            Self::Hang => Reply::Hang,
            _ => return None,
        })
    }

    /// The fields that a write leaves alone, as paths of the mask.
    pub(crate) fn not_applied(&self) -> &[String] {
        match self {
            Self::NotTaken { fields } => fields,
            _ => &[],
        }
    }

    /// What becomes of the server's answer.
    pub(crate) fn spoil(&self, answer: Answer) -> Reply {
        match self {
            Self::ResetAfter => Reply::Reset,
            Self::HangAfter => Reply::Hang,
            _ => Reply::Answer(damage::damage(self, answer)),
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
