//! What a response that claims no success means, or the lack of a response; from nothing but that response.
//!
//! Confidence answers failures as `google.rpc.Status`. Its `code` is read first, because the HTTP status may be a proxy's.
//! A response in other words is a proxy's failure that passes, unless the URL never gave a good answer: then the URL is
//! probably wrong, and a person has to look.

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::Instant;

use super::retry_after::retry_after;
use super::{Cause, Error, SentSecrets, shortened};
use crate::confidence::transport::{TransportError, TransportFault};

/// What a call does at the server, if it gets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it may be repeated at any time.
    Read,
    /// It changes something: without a clear answer nobody knows whether it did.
    Write,
}

/// What the classification has to know of the request.
#[derive(Clone, Copy, Debug)]
pub struct RequestContext<'a> {
    /// What the call does at the server.
    pub effect: Effect,
    /// Whether the server is known to offer the call: it gave a good answer before.
    pub is_proven: bool,
    /// The secrets that the request carried.
    pub secrets: SentSecrets<'a>,
}

/// The time of a response: for waiting, and for comparing with dates.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The monotonic clock.
    pub instant: Instant,
    /// The wall clock.
    pub wall: Timestamp,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Self {
        Self { instant: Instant::now(), wall: Timestamp::now() }
    }
}

impl Error {
    /// What a response that claims no success means.
    pub fn from_response(request: RequestContext<'_>, response: &Response<Bytes>, now: Now) -> Self {
        let said = RpcStatus::read(response.body());
        let cause = match &said {
            Some(said) => cause_of_code(said.code).unwrap_or_else(|| cause_of_status(response.status())),
            None if is_always_clear(response.status()) || is_oauth_error(response.body()) || !request.is_proven => {
                cause_of_status(response.status())
            }
            None => Cause::InvalidResponse,
        };
        let detail = shortened(&said.and_then(|it| it.message).unwrap_or_default());
        let detail = if request.secrets.allow(&detail) { detail } else { String::new() };
        Self {
            status: Some(response.status().as_u16()),
            retry_at: retry_after(response.headers(), now.wall).map(|wait| now.instant + wait),
            // A proxy's failure tells nothing of what the server behind it did.
            outcome_unknown: request.effect == Effect::Write
                && matches!(cause, Cause::ServerError | Cause::TimedOut | Cause::InvalidResponse),
            ..Self::new(cause, detail)
        }
    }

    /// What a call that got no response means.
    pub fn from_transport(effect: Effect, error: &TransportError) -> Self {
        let (cause, may_be_sent) = match error.fault {
            TransportFault::Refused | TransportFault::Dns | TransportFault::Connect => (Cause::Unreachable, false),
            TransportFault::Tls => (Cause::TlsFailed, false),
            TransportFault::Withheld => (Cause::NotLeader, false),
            TransportFault::Broken => (Cause::ConnectionLost, true),
            TransportFault::TimedOut => (Cause::TimedOut, true),
            TransportFault::TooLarge => (Cause::ResponseTooLarge, true),
        };
        Self { outcome_unknown: effect == Effect::Write && may_be_sent, ..Self::new(cause, &error.detail) }
    }

    /// What a response that claims success and cannot be read means.
    pub fn from_unreadable(effect: Effect, status: StatusCode, detail: &str) -> Self {
        Self {
            status: Some(status.as_u16()),
            outcome_unknown: effect == Effect::Write,
            ..Self::new(Cause::InvalidResponse, detail)
        }
    }
}

/// The meaning of a code of `google.rpc.Code` (google/rpc/code.proto). UNKNOWN says nothing: the HTTP status does.
fn cause_of_code(code: i64) -> Option<Cause> {
    match code {
        // CANCELLED, INTERNAL, UNAVAILABLE, DATA_LOSS
        1 | 13 | 14 | 15 => Some(Cause::ServerError),
        // INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE
        3 | 9 | 11 => Some(Cause::InvalidRequest),
        // DEADLINE_EXCEEDED
        4 => Some(Cause::TimedOut),
        // NOT_FOUND
        5 => Some(Cause::NotFound),
        // ALREADY_EXISTS, ABORTED
        6 | 10 => Some(Cause::Conflict),
        // PERMISSION_DENIED
        7 => Some(Cause::Forbidden),
        // RESOURCE_EXHAUSTED
        8 => Some(Cause::RateLimited),
        // UNIMPLEMENTED
        12 => Some(Cause::Unsupported),
        // UNAUTHENTICATED
        16 => Some(Cause::Unauthenticated),
        _ => None,
    }
}

/// Whether a status means the same whoever answers: HTTP defines it for proxies too, or no proxy has it.
fn is_always_clear(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 407 | 408 | 421 | 422 | 423 | 425 | 429 | 499 | 500 | 502..)
}

fn cause_of_status(status: StatusCode) -> Cause {
    match status.as_u16() {
        401 => Cause::Unauthenticated,
        403 => Cause::Forbidden,
        // A redirect would carry the token to wherever it leads, so none is followed. A 404 without `google.rpc.Status`
        // is about the path and not about the credential.
        404 | 405 | 410 | 501 | 300..=399 => Cause::Unsupported,
        // A proxy that asks who we are: the account's credentials are of no use there.
        407 => Cause::Unreachable,
        408 | 504 => Cause::TimedOut,
        409 => Cause::Conflict,
        429 => Cause::RateLimited,
        // Misdirected, locked, too early, closed by the client: all of them pass (RFC 9110, RFC 4918, RFC 8470, nginx).
        421 | 423 | 425 | 499 | 500.. => Cause::ServerError,
        _ => Cause::InvalidRequest,
    }
}

/// `google.rpc.Status` in JSON, as far as it is read. Protobuf's JSON leaves an empty message out.
#[derive(Deserialize)]
struct RpcStatus {
    code: i64,
    message: Option<String>,
}

impl RpcStatus {
    /// The highest code of `google.rpc.Code`. A proxy repeats the HTTP status instead.
    const MAX_CODE: i64 = 16;

    fn read(body: &[u8]) -> Option<Self> {
        let status: Self = serde_json::from_slice(body).ok()?;
        (1..=Self::MAX_CODE).contains(&status.code).then_some(status)
    }
}

/// Whether a token endpoint refused the account's credentials in its own words (RFC 6749, 5.2).
fn is_oauth_error(body: &[u8]) -> bool {
    const CODES: [&str; 6] = [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    ];
    #[derive(Deserialize)]
    struct OauthError<'a> {
        error: &'a str,
    }
    serde_json::from_slice(body).is_ok_and(|it: OauthError<'_>| CODES.contains(&it.error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
