//! What a reconcile came to: the types from which, and from which alone, a status is made.

use std::time::Duration;

use super::lifecycle::Life;
use crate::api::conditions::Reason;
use crate::api::status::ObservedSecret;
use crate::confidence::wire::{ClientCredential, Field};
use crate::confidence::{BlockCause, Cause, Error, Recovery};
use crate::metrics::HasOutcome;
use crate::plan::{FieldChange, InvalidSpec, Method, Observation, Plan, PlannedUpdate};

/// The end of one reconcile.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The spec asks to make no call.
    Suspended,
    /// The credential was observed and, where that was wanted, brought in line.
    Applied(Box<Applied>),
    /// The same of a credential that the operator created, and how its life stands.
    Living(Box<Applied>, Box<Life>),
    /// The resource is being deleted, and the operator has done its part.
    Released,
    /// The reconcile ended early.
    Failed(Failure),
}

/// What was last observed of the credential, and what was written.
///
/// Invariant: it comes from an observation or from the response to an update, never from hope. Its fields are private, and
/// these two are its constructors.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    credential: ClientCredential,
    method: Method,
    drifted: Vec<FieldChange>,
    remaining: Vec<Field>,
    written: Option<String>,
    is_report: bool,
    secret: Option<ObservedSecret>,
}

impl Applied {
    /// Nothing was written yet: what the plan names differs.
    pub(super) fn observed(
        observed: Observation,
        plan: &Plan,
        is_report: bool,
        secret: Option<ObservedSecret>,
    ) -> Self {
        Self {
            credential: observed.credential,
            method: observed.method,
            drifted: plan.changes().to_vec(),
            remaining: plan.fields(),
            written: None,
            is_report,
            secret,
        }
    }

    /// An update was answered, and the plan for the response is at hand: what it still names was not applied.
    pub(super) fn answered(
        self,
        response: ClientCredential,
        update: &PlannedUpdate,
        plan: &Plan,
        secret: Option<ObservedSecret>,
    ) -> Self {
        let remaining = plan.fields();
        let mask = update.request().mask();
        // An update of which nothing was applied is no news: repeated at each interval, it would cost a status write each.
        let is_applied = mask.iter().any(|field| !remaining.contains(field));
        let new = plan.changes().iter().filter(|change| !mask.contains(&change.field)).cloned();
        Self {
            credential: response,
            drifted: self.drifted.into_iter().chain(new).collect(),
            remaining,
            written: if is_applied { Some(update.request().update_mask()) } else { self.written },
            secret,
            ..self
        }
    }

    /// The credential as the server last answered it.
    pub(crate) fn credential(&self) -> &ClientCredential {
        &self.credential
    }

    /// How it was observed before anything was written.
    pub(crate) fn method(&self) -> Method {
        self.method
    }

    /// The managed fields that differed when it was observed.
    pub(crate) fn drifted(&self) -> &[FieldChange] {
        &self.drifted
    }

    /// What somebody else changed: a certain difference, where the same spec and Secret were in sync before. Under `Report`,
    /// every certain difference is worth telling.
    pub(crate) fn is_foreign(&self, change: &FieldChange, was_in_sync: bool) -> bool {
        change.is_certain && (self.is_report || (was_in_sync && !change.is_own))
    }

    /// The managed fields that differ now: reported only, or not applied.
    pub(crate) fn remaining(&self) -> &[Field] {
        &self.remaining
    }

    /// The update mask of the last write of which something was applied.
    pub(crate) fn written(&self) -> Option<&str> {
        self.written.as_deref()
    }

    /// Whether drift is reported and not corrected.
    pub(crate) fn is_report(&self) -> bool {
        self.is_report
    }

    /// Whether nothing is left to be done.
    pub(crate) fn is_converged(&self) -> bool {
        self.remaining.is_empty() || self.is_report
    }

    /// The version of the Secret that is known to be at Confidence.
    pub(crate) fn secret(&self) -> Option<&ObservedSecret> {
        self.secret.as_ref()
    }
}

/// Why a reconcile ended early, and what mends it.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    /// What happened and what to do, for a person.
    pub(crate) message: String,
    pub(crate) recovery: Recovery,
    /// When to try again, where it is known; else after a backoff.
    pub(crate) retry_after: Option<Duration>,
    /// What had been observed and written before.
    pub(crate) before: Option<Box<Applied>>,
    /// Whether it concerns the successor or the predecessor of a created credential alone: that one is published and in sync.
    pub(crate) is_beside: bool,
}

impl Failure {
    /// A person has to act.
    pub(crate) fn stalled(reason: Reason, message: impl Into<String>) -> Self {
        Self { recovery: Recovery::UserAction, ..Self::retry(reason, message) }
    }

    /// Another attempt may succeed.
    pub(crate) fn retry(reason: Reason, message: impl Into<String>) -> Self {
        let (message, recovery) = (message.into(), Recovery::Retry);
        Self { reason, message, recovery, retry_after: None, before: None, is_beside: false }
    }

    /// The resource is gone or another one, or it is not known yet what it may use: nothing is to be said.
    pub(crate) fn abandoned() -> Self {
        Self { recovery: Recovery::None, ..Self::retry(Reason::ServiceUnavailable, "the resource is gone") }
    }

    /// Whether something was written before the failure, which has to be recorded whatever came after.
    pub(crate) fn has_written(&self) -> bool {
        self.before.as_ref().is_some_and(|it| it.written.is_some())
    }

    /// Adds what had been observed and written before the failure.
    pub(super) fn after(self, applied: Applied) -> Self {
        Self { before: Some(Box::new(applied)), ..self }
    }

    /// The failure beside a credential that is published and in sync.
    pub(super) fn beside(self, current: Applied) -> Self {
        let before = self.before.or_else(|| Some(Box::new(current)));
        Self { before, is_beside: true, ..self }
    }
}

impl From<InvalidSpec> for Failure {
    fn from(error: InvalidSpec) -> Self {
        Self::stalled(Reason::InvalidSpec, error.to_string())
    }
}

/// What an error of the account's client means to one resource.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let reason = error.blocked().map_or_else(|| reason_of(error.cause()), reason_of_block);
        Self { recovery: error.recovery(), ..Self::retry(reason, error.to_string()) }
    }
}

/// The reason that tells of a blocked account.
pub(crate) fn reason_of_block(cause: BlockCause) -> Reason {
    match cause {
        BlockCause::RateLimited => Reason::RateLimited,
        BlockCause::Unauthenticated => Reason::Unauthenticated,
        BlockCause::ServiceUnavailable => Reason::ServiceUnavailable,
    }
}

fn reason_of(cause: Cause) -> Reason {
    match cause {
        Cause::InvalidRequest => Reason::Rejected,
        Cause::Forbidden => Reason::Forbidden,
        Cause::NotFound => Reason::CredentialNotFound,
        Cause::Unsupported => Reason::Unsupported,
        Cause::Conflict | Cause::ServerError => Reason::ServerError,
        Cause::Unreachable => Reason::Unreachable,
        Cause::TlsFailed => Reason::TlsFailed,
        Cause::ConnectionLost => Reason::ConnectionLost,
        Cause::TimedOut => Reason::TimedOut,
        Cause::ResponseTooLarge | Cause::InvalidResponse => Reason::InvalidResponse,
        Cause::RateLimited => Reason::RateLimited,
        Cause::Unauthenticated => Reason::Unauthenticated,
        Cause::ServiceUnavailable | Cause::NotLeader | Cause::Superseded | Cause::Stopping => {
            Reason::ServiceUnavailable
        }
    }
}

impl Outcome {
    /// What was observed and written, also where the reconcile ended early.
    pub(crate) fn applied(&self) -> Option<&Applied> {
        match self {
            Self::Suspended | Self::Released => None,
            Self::Applied(applied) | Self::Living(applied, _) => Some(applied),
            Self::Failed(failure) => failure.before.as_deref(),
        }
    }
}

impl HasOutcome for Outcome {
    fn label(&self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::Released => "released",
            Self::Applied(applied) | Self::Living(applied, _) => match applied {
                applied if applied.written.is_some() => "updated",
                applied if applied.remaining.is_empty() => "in_sync",
                applied if applied.is_report => "drift_reported",
                _ => "not_applied",
            },
            Self::Failed(failure) => match failure.recovery {
                Recovery::UserAction => "stalled",
                Recovery::Retry => "failed",
                Recovery::Account => "account_blocked",
                Recovery::None => "abandoned",
            },
        }
    }
}
