//! Failures, sorted by what to do about them.
//!
//! What an answer, or its absence, means is decided in [`judge`], in one place and without I/O; what each [`Cause`] is
//! called, says to a person and asks of the caller is here. When to call again is the caller's to decide, and the gate's.

pub mod judge;
mod retry_after;
mod secrets;

use std::borrow::Cow;

use tokio::time::Instant;

use super::gate::BlockCause;

pub use self::judge::{Effect, Now};
pub use self::retry_after::RETRY_AFTER_RANGE;
pub use self::secrets::Secrets;

/// The longest part of a server's message that is repeated, in characters.
const MAX_DETAIL_LENGTH: usize = 300;

/// What went wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// 400, 422 and other 4xx: the request is wrong.
    InvalidRequest,
    /// 401 that a new token does not mend: the account's credentials are wrong.
    Unauthenticated,
    /// 403: the account may not do this.
    Forbidden,
    /// 404 in the API's own words (`google.rpc.Status`): no such credential.
    NotFound,
    /// 405, 501, a redirect, or a 404 that is not in the API's own words: the server does not offer the call.
    Unsupported,
    /// 409.
    Conflict,
    /// 429: the account is over its rate limit; or nothing was sent, because it was a moment ago.
    RateLimited,
    /// Another 5xx.
    ServerError,
    /// There is no connection to be had: refused, unknown name, or a proxy in between that says no.
    Unreachable,
    /// The server's certificate was not accepted, or TLS failed otherwise.
    TlsFailed,
    /// The connection broke before there was an answer.
    ConnectionLost,
    /// There was no answer in time.
    TimedOut,
    /// The answer was larger than any that the API gives.
    ResponseTooLarge,
    /// The answer was not what the API promises: not JSON, or not of its shape.
    InvalidResponse,
    /// The service is down for the whole account. Nothing was sent, or what was sent failed as all else does.
    ServiceUnavailable,
    /// Nothing was sent, because this replica may not write.
    NotLeader,
    /// Nothing was sent, because what was to be written is no longer wanted.
    Superseded,
}

impl Cause {
    /// The label for metrics and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Unsupported => "unsupported",
            Self::Conflict => "conflict",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::Unreachable => "unreachable",
            Self::TlsFailed => "tls_failed",
            Self::ConnectionLost => "connection_lost",
            Self::TimedOut => "timed_out",
            Self::ResponseTooLarge => "response_too_large",
            Self::InvalidResponse => "invalid_response",
            Self::ServiceUnavailable => "service_unavailable",
            Self::NotLeader => "not_leader",
            Self::Superseded => "superseded",
        }
    }

    /// What happened and what to do, for a person.
    fn sentence(self) -> &'static str {
        match self {
            Self::InvalidRequest => "Confidence refused the request as invalid; correct the spec as it says",
            Self::Unauthenticated => {
                "Confidence does not accept the operator's credentials; renew the token or the client secret that the operator was given"
            }
            Self::Forbidden => {
                "the operator's account may not do this; grant it the scope update:clientcredentials, or name a credential of its own account"
            }
            Self::NotFound => "Confidence does not know this credential; check the two ids in spec.name",
            Self::Unsupported => "the server does not offer this call; check --confidence-url",
            Self::Conflict => "Confidence reports a conflicting change; it will be tried again",
            Self::RateLimited => "the account is over its rate limit; waiting as long as Confidence asks",
            Self::ServerError => "Confidence failed; it will be tried again",
            Self::Unreachable => {
                "Confidence cannot be reached; check --confidence-url, DNS, proxy and network policy; it will be tried again"
            }
            Self::TlsFailed => {
                "no trusted TLS connection to Confidence; check --confidence-url, and --ca-file if a proxy has its own authority"
            }
            Self::ConnectionLost => "the connection to Confidence broke before the answer; it will be tried again",
            Self::TimedOut => "Confidence did not answer in time; it will be tried again",
            Self::ResponseTooLarge => {
                "the answer is larger than any of Confidence's; check what --confidence-url and the proxy lead to"
            }
            Self::InvalidResponse => {
                "the answer is not one of Confidence's; check what --confidence-url and the proxy lead to"
            }
            Self::ServiceUnavailable => {
                "Confidence is unreachable or failing for the whole account; one request in a while finds out when it is back, and work then goes on by itself"
            }
            Self::NotLeader => "another replica may be the leader by now",
            Self::Superseded => "the resource changed while the update waited for its turn",
        }
    }
}

/// What mends a failure. Decided here, and nowhere else: the controller, the report, the events and the metrics follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// A person has to change the resource, or what the account may do: the same call would fail again.
    UserAction,
    /// Another attempt, with the caller's backoff.
    Retry,
    /// The account: nothing can be done for this call alone. `Confidence::account` tells when calls go through again.
    Account,
    /// Nothing: this replica is not the one to act, or the call is no longer wanted.
    None,
}

/// A call that failed. Displays as a sentence for a person: what happened and what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct Error {
    cause: Cause,
    status: Option<u16>,
    /// The server's or the library's words, on one short line.
    detail: String,
    /// What to do, where the cause's own sentence is too general.
    advice: Option<String>,
    retry_at: Option<Instant>,
    outcome_unknown: bool,
    held: Option<BlockCause>,
}

impl Error {
    /// An error with a cause and words of our own.
    pub fn new(cause: Cause, detail: impl AsRef<str>) -> Self {
        Self {
            cause,
            status: None,
            detail: shortened(detail.as_ref()),
            advice: None,
            retry_at: None,
            outcome_unknown: false,
            held: None,
        }
    }

    /// What went wrong.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// What mends it.
    pub fn recovery(&self) -> Recovery {
        match self.cause {
            _ if self.held.is_some() => Recovery::Account,
            Cause::Unauthenticated | Cause::RateLimited | Cause::ServiceUnavailable => Recovery::Account,
            Cause::InvalidRequest | Cause::Forbidden | Cause::NotFound | Cause::Unsupported => Recovery::UserAction,
            Cause::Conflict
            | Cause::ServerError
            | Cause::Unreachable
            | Cause::TlsFailed
            | Cause::ConnectionLost
            | Cause::TimedOut
            | Cause::ResponseTooLarge
            | Cause::InvalidResponse => Recovery::Retry,
            Cause::NotLeader | Cause::Superseded => Recovery::None,
        }
    }

    /// The time that the server asked to be left alone until, within [`RETRY_AFTER_RANGE`].
    pub fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Whether a write may have been carried out all the same, so that it takes a look before the next one.
    pub fn outcome_unknown(&self) -> bool {
        self.outcome_unknown
    }

    /// Why the account is held back, where that is the trouble. The error is then the same for every call of the account
    /// until it opens again, whichever failure began it: it can be told once.
    pub fn blocked(&self) -> Option<BlockCause> {
        self.held
    }

    /// What every call of the account is told while this failure holds it back.
    pub(super) fn for_the_account(&self, hold: BlockCause) -> Self {
        let cause = match hold {
            BlockCause::RateLimited => Cause::RateLimited,
            BlockCause::ServiceUnavailable => Cause::ServiceUnavailable,
            BlockCause::Unauthenticated => Cause::Unauthenticated,
        };
        Self { cause, held: Some(hold), outcome_unknown: false, retry_at: None, ..self.clone() }
    }

    /// The same error for another call, whose outcome may be unknown.
    pub(super) fn with_outcome_of(self, call: &Self) -> Self {
        Self { outcome_unknown: call.outcome_unknown, ..self }
    }

    /// The same error as one of the account's credentials, with what to do about them.
    pub(super) fn unauthenticated(self, advice: String) -> Self {
        Self { cause: Cause::Unauthenticated, advice: Some(advice), outcome_unknown: false, ..self }
    }

    fn sentence(&self) -> String {
        let what = match &self.advice {
            Some(advice) => Cow::Owned(format!("Confidence does not accept the operator's credentials; {advice}")),
            None => Cow::Borrowed(self.cause.sentence()),
        };
        let status = self.status.map(|status| format!("HTTP {status}"));
        let detail = (!self.detail.is_empty()).then(|| self.detail.clone());
        let more: Vec<String> = status.into_iter().chain(detail).collect();
        if more.is_empty() { what.into_owned() } else { format!("{what} ({})", more.join(": ")) }
    }
}

/// What somebody else says, fit for one line of a log or a condition.
fn shortened(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_DETAIL_LENGTH).collect();
    line.trim().to_owned()
}
