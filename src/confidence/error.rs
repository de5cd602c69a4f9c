//! Failures, sorted by what to do about them.
//!
//! What an answer, or its absence, means is decided in [`judge`], in one place and without I/O; what each [`Cause`] is
//! called, says to a person and asks of the caller is here. When to call again is the caller's to decide, and the gate's.

pub mod judge;
mod retry_after;
mod secrets;

use std::borrow::Cow;

use tokio::time::Instant;

use super::gate::HoldCause;

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
    NotOffered,
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
    AnswerTooLarge,
    /// The answer was not what the API promises: not JSON, or not of its shape.
    AnswerUnreadable,
    /// The service is down for the whole account. Nothing was sent, or what was sent failed as all else does.
    AccountHeld,
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
            Self::NotOffered => "not_offered",
            Self::Conflict => "conflict",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::Unreachable => "unreachable",
            Self::TlsFailed => "tls_failed",
            Self::ConnectionLost => "connection_lost",
            Self::TimedOut => "timed_out",
            Self::AnswerTooLarge => "answer_too_large",
            Self::AnswerUnreadable => "answer_unreadable",
            Self::AccountHeld => "account_held",
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
            Self::NotOffered => "the server does not offer this call; check --confidence-url",
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
            Self::AnswerTooLarge => {
                "the answer is larger than any of Confidence's; check what --confidence-url and the proxy lead to"
            }
            Self::AnswerUnreadable => {
                "the answer is not one of Confidence's; check what --confidence-url and the proxy lead to"
            }
            Self::AccountHeld => {
                "Confidence is unreachable or failing for the whole account; one request in a while finds out when it is back, and work then goes on by itself"
            }
            Self::NotLeader => "another replica may be the leader by now",
            Self::Superseded => "the resource changed while the update waited for its turn",
        }
    }
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Try again, with the caller's backoff.
    RetrySoon,
    /// Try again, not before this time, which the server named.
    RetryAt(Instant),
    /// Nothing can be done for this call alone: the account is held back. `Confidence::account` tells when it opens.
    WaitForAccount,
    /// A person has to renew the account's credentials; `Confidence::account` tells when that seems to have happened.
    FixCredentials,
    /// A person has to change the resource or what the account may do: the same call would fail again.
    FixResource,
    /// The write may have been carried out: look before writing again.
    LookFirst,
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
    held: Option<HoldCause>,
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

    /// What to do about it.
    pub fn remedy(&self) -> Remedy {
        match self.cause {
            Cause::Unauthenticated => Remedy::FixCredentials,
            Cause::RateLimited | Cause::AccountHeld => Remedy::WaitForAccount,
            _ if self.held.is_some() => Remedy::WaitForAccount,
            _ if self.outcome_unknown => Remedy::LookFirst,
            Cause::InvalidRequest | Cause::Forbidden | Cause::NotFound | Cause::NotOffered => Remedy::FixResource,
            _ => self.retry_at.map_or(Remedy::RetrySoon, Remedy::RetryAt),
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
    pub fn held(&self) -> Option<HoldCause> {
        self.held
    }

    /// What every call of the account is told while this failure holds it back.
    pub(super) fn for_the_account(&self, hold: HoldCause) -> Self {
        let cause = match hold {
            HoldCause::Throttled => Cause::RateLimited,
            HoldCause::Down => Cause::AccountHeld,
            HoldCause::Unauthenticated => Cause::Unauthenticated,
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
