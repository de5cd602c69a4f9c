//! What a pass came to: the types from which, and from which alone, a status is made.

use crate::api::conditions::Reason;
use crate::api::status::ObservedSecret;
use crate::confidence::wire::{ClientCredential, Field};
use crate::confidence::{BlockCause, Cause, Error};
use crate::metrics::HasOutcome;
use crate::plan::Look;

/// The end of one pass over one resource.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// Nobody looked, because the spec asks not to.
    Suspended,
    /// The credential was seen and, where that was wanted, brought in line.
    Applied(Box<Applied>),
    /// The pass ended early.
    Failed(Problem),
}

/// What was last seen of the credential, and what was done about it.
#[derive(Clone, Debug)]
pub(super) struct Applied {
    /// The credential as the server last answered it.
    pub(super) credential: ClientCredential,
    /// How it was looked at before anything was written.
    pub(super) look: Look,
    /// The managed fields that differed when it was looked at.
    pub(super) drifted: Vec<Field>,
    /// The managed fields that differ now: reported only, or not taken.
    pub(super) differs: Vec<Field>,
    /// The write, if there was one that took.
    pub(super) written: Option<Written>,
    /// Whether drift is told and not corrected.
    pub(super) report_only: bool,
    /// Which version of the Secret is known to be at Confidence.
    pub(super) secret: Option<ObservedSecret>,
}

/// A write that the server took.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// The mask, as it was sent.
    pub(super) update_mask: String,
}

/// Why a pass ended early, and who can help.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) reason: Reason,
    /// What happened and what to do, for a person.
    pub(super) message: String,
    pub(super) help: Help,
    /// What had been seen and done before.
    pub(super) before: Option<Box<Applied>>,
}

/// Who can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Help {
    /// Only a person.
    Person,
    /// Time: another try.
    Time,
    /// The account: nothing can be done for this resource alone.
    Account,
    /// Nobody needs to: this replica is not the one to act, and says nothing.
    Nobody,
}

impl Problem {
    /// Only a person can help.
    pub(super) fn stalled(reason: Reason, message: String) -> Self {
        Self { reason, message, help: Help::Person, before: None }
    }

    /// Another try may help.
    pub(super) fn retrying(reason: Reason, message: String) -> Self {
        Self { reason, message, help: Help::Time, before: None }
    }

    /// Whether something was written before the problem, which has to be recorded whatever came after.
    pub(super) fn has_written(&self) -> bool {
        self.before.as_ref().is_some_and(|it| it.written.is_some())
    }

    /// Adds what had been seen and done before the problem.
    pub(super) fn after(self, applied: Applied) -> Self {
        Self { before: Some(Box::new(applied)), ..self }
    }
}

/// What an error of the account's client means to one resource.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (reason, help) = match (error.blocked(), error.cause()) {
            (Some(BlockCause::RateLimited), _) => (Reason::RateLimited, Help::Account),
            (Some(BlockCause::Unauthenticated), _) => (Reason::Unauthenticated, Help::Account),
            (Some(BlockCause::ServiceUnavailable), _) => (Reason::ServiceUnavailable, Help::Account),
            (None, cause) => of_one_call(cause),
        };
        Self { reason, message: error.to_string(), help, before: None }
    }
}

/// What a failure means that did not close the account's gate.
fn of_one_call(cause: Cause) -> (Reason, Help) {
    match cause {
        Cause::InvalidRequest => (Reason::Rejected, Help::Person),
        Cause::Forbidden => (Reason::Forbidden, Help::Person),
        Cause::NotFound => (Reason::CredentialNotFound, Help::Person),
        Cause::Unsupported => (Reason::Unsupported, Help::Person),
        Cause::Conflict | Cause::ServerError => (Reason::ServerError, Help::Time),
        Cause::Unreachable => (Reason::Unreachable, Help::Time),
        Cause::TlsFailed => (Reason::TlsFailed, Help::Time),
        Cause::ConnectionLost => (Reason::ConnectionLost, Help::Time),
        Cause::TimedOut => (Reason::TimedOut, Help::Time),
        Cause::ResponseTooLarge | Cause::InvalidResponse => (Reason::InvalidResponse, Help::Time),
        Cause::RateLimited => (Reason::RateLimited, Help::Account),
        Cause::Unauthenticated => (Reason::Unauthenticated, Help::Account),
        Cause::ServiceUnavailable => (Reason::ServiceUnavailable, Help::Account),
        Cause::NotLeader | Cause::Superseded => (Reason::ServiceUnavailable, Help::Nobody),
    }
}

impl HasOutcome for Outcome {
    fn label(&self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::Applied(applied) if applied.written.is_some() => "updated",
            Self::Applied(applied) if applied.differs.is_empty() => "in_sync",
            Self::Applied(applied) if applied.report_only => "reported",
            Self::Applied(_) => "not_taken",
            Self::Failed(problem) => match problem.help {
                Help::Person => "stalled",
                Help::Time => "failed",
                Help::Account => "held",
                Help::Nobody => "abandoned",
            },
        }
    }
}
