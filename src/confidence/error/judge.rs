//! The verdict on a call that did not go well, from what came back and from nothing else.

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::Instant;

use super::retry_after::retry_after;
use super::{Cause, Error, Secrets, shortened};
use crate::confidence::transport::{TransportError, TransportFault};

/// What a call does at the server, if it gets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it may be repeated at any time.
    Read,
    /// It changes something: without a clear answer nobody knows whether it did.
    Write,
}

/// The time of an answer: for waiting, and for comparing with dates.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The monotonic clock.
    pub instant: Instant,
    /// The wall clock.
    pub wall: Timestamp,
}

impl Now {
    /// Looks at both clocks.
    pub fn read() -> Self {
        Self { instant: Instant::now(), wall: Timestamp::now() }
    }
}

impl Error {
    /// The verdict on an answer that claims no success, to a request that held these secrets.
    pub fn of_answer(effect: Effect, answer: &Response<Bytes>, secrets: &Secrets<'_>, now: Now) -> Self {
        let said: Option<RpcStatus> = serde_json::from_slice(answer.body()).ok().filter(RpcStatus::is_one);
        let cause = cause(answer.status(), said.is_some());
        // A gateway's 5xx or 408 tells nothing of what the server behind it did.
        let unclear = matches!(cause, Cause::ServerError | Cause::TimedOut);
        Self {
            status: Some(answer.status().as_u16()),
            detail: shortened(&secrets.hidden_in(said.and_then(|it| it.message).unwrap_or_default())),
            retry_at: retry_after(answer.headers(), now.wall).map(|wait| now.instant + wait),
            outcome_unknown: effect == Effect::Write && unclear,
            ..Self::new(cause, "")
        }
    }

    /// The verdict on a call that got no answer.
    pub fn of_transport(effect: Effect, error: &TransportError) -> Self {
        let (cause, may_be_sent) = match error.fault {
            TransportFault::Refused | TransportFault::Dns | TransportFault::Connect => (Cause::Unreachable, false),
            TransportFault::Tls => (Cause::TlsFailed, false),
            TransportFault::Broken => (Cause::ConnectionLost, true),
            TransportFault::TimedOut => (Cause::TimedOut, true),
            TransportFault::TooLarge => (Cause::ResponseTooLarge, true),
        };
        Self { outcome_unknown: effect == Effect::Write && may_be_sent, ..Self::new(cause, &error.detail) }
    }

    /// The verdict on an answer that claims success and cannot be read.
    pub fn of_unreadable(effect: Effect, detail: impl AsRef<str>) -> Self {
        Self { outcome_unknown: effect == Effect::Write, ..Self::new(Cause::InvalidResponse, detail) }
    }
}

fn cause(status: StatusCode, in_the_apis_words: bool) -> Cause {
    match status.as_u16() {
        401 => Cause::Unauthenticated,
        403 => Cause::Forbidden,
        404 | 410 if in_the_apis_words => Cause::NotFound,
        // A redirect would carry the token to wherever it leads, so none is followed.
        404 | 405 | 410 | 501 | 300..=399 => Cause::Unsupported,
        // A proxy that wants to know who we are: no credentials of the account's help there.
        407 => Cause::Unreachable,
        408 => Cause::TimedOut,
        409 => Cause::Conflict,
        429 => Cause::RateLimited,
        500.. => Cause::ServerError,
        _ => Cause::InvalidRequest,
    }
}

/// `google.rpc.Status` in JSON, as far as it is read.
#[derive(Deserialize)]
struct RpcStatus {
    code: Option<serde_json::Value>,
    message: Option<String>,
}

impl RpcStatus {
    /// A proxy's JSON has no numeric code; problem+json has neither field.
    fn is_one(&self) -> bool {
        self.code.as_ref().is_some_and(serde_json::Value::is_number) && self.message.is_some()
    }
}
