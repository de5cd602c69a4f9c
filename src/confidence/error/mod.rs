//! Failures of calls, sorted by what mends them.
//!
//! [`classify`] decides, in one place and without I/O, what an answer or its absence means. [`Cause`] names it,
//! [`Error::recovery`] says what mends it. The caller decides when to call again.

mod cause;
pub mod classify;
mod retry_after;
mod secrets;

use std::borrow::Cow;

use tokio::time::Instant;

use super::admission::BlockCause;

pub use self::cause::{Cause, Recovery};
pub use self::classify::{Effect, Now, RequestContext};
pub use self::retry_after::{MAX_RETRY_AFTER, MIN_RETRY_AFTER};
pub use self::secrets::SentSecrets;

/// The longest part of a server's message that is repeated, in characters.
const MAX_DETAIL_LENGTH: usize = 300;

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
    blocked: Option<BlockCause>,
    is_account_wide: bool,
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
            blocked: None,
            is_account_wide: false,
        }
    }

    /// What went wrong.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// The time that the server asked to be left alone until, see [`MAX_RETRY_AFTER`].
    pub fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Whether a write may have been carried out all the same, so that the credential has to be read before the next one.
    pub fn outcome_unknown(&self) -> bool {
        self.outcome_unknown
    }

    /// Why the account is blocked, where that is the trouble. The error is then the same for every call of the account
    /// until it is available again, whichever failure began it, so it can be reported once.
    pub fn blocked(&self) -> Option<BlockCause> {
        self.blocked
    }

    /// Whether a server or proxy answered at all.
    pub(super) fn is_answered(&self) -> bool {
        self.status.is_some()
    }

    /// Whether the failure says something about the account rather than about the credential of the call: the token call
    /// failed, or the server said when to come back.
    pub(super) fn is_account_wide(&self) -> bool {
        self.is_account_wide || self.retry_at.is_some()
    }

    /// The same error as one that every call of the account would meet.
    pub(super) fn account_wide(self) -> Self {
        Self { is_account_wide: true, ..self }
    }

    /// What every call of the account is told while this failure blocks it.
    pub(super) fn as_blocking(&self, blocked: BlockCause) -> Self {
        let cause = match blocked {
            BlockCause::RateLimited => Cause::RateLimited,
            BlockCause::ServiceUnavailable => Cause::ServiceUnavailable,
            BlockCause::Unauthenticated => Cause::Unauthenticated,
        };
        // The server's words may be about the one credential of this call, and every resource would repeat them.
        let detail = if self.is_account_wide || self.status.is_none() { self.detail.clone() } else { String::new() };
        Self { cause, blocked: Some(blocked), outcome_unknown: false, retry_at: None, detail, ..self.clone() }
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

/// Somebody else's words, fit for one line of a log or a condition.
fn shortened(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_DETAIL_LENGTH).collect();
    line.trim().to_owned()
}
