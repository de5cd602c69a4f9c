//! What the ends of calls say of the account, and when they say enough.

use std::time::Duration;

use tokio::time::Instant;

use super::BlockCause;
use crate::confidence::error::{Cause, Error};

/// So many failures in a row are an outage, if they are about several credentials: one credential that always fails is
/// that credential's trouble.
const MIN_FAILURES: u32 = 5;

/// So many in a row are an outage where no connection can be made: that has nothing to do with any credential.
const MIN_FAILED_CONNECTIONS: u32 = 3;

/// Refusals of two credentials further apart than this have nothing to do with each other.
const MAX_REFUSAL_GAP: Duration = Duration::from_mins(1);

/// What a call's end says of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// The service lives.
    Alive,
    /// There was no answer, or none of the service's.
    Failed,
    /// The service lives and refuses, for a reason that may be the account's.
    Refused(BlockCause),
    /// Nothing: nothing was sent.
    Nothing,
}

impl Signal {
    pub(super) fn of(result: Result<(), &Error>) -> Self {
        let Err(error) = result else { return Self::Alive };
        match error.cause() {
            _ if error.blocked().is_some() => Self::Nothing,
            Cause::ServiceUnavailable | Cause::NotLeader | Cause::Superseded | Cause::Stopping => Self::Nothing,
            Cause::RateLimited => Self::Refused(BlockCause::RateLimited),
            Cause::Unauthenticated => Self::Refused(BlockCause::Unauthenticated),
            Cause::ServerError
            | Cause::Unreachable
            | Cause::TlsFailed
            | Cause::ConnectionLost
            | Cause::TimedOut
            | Cause::ResponseTooLarge
            | Cause::InvalidResponse => Self::Failed,
            Cause::InvalidRequest | Cause::Forbidden | Cause::NotFound | Cause::Unsupported | Cause::Conflict => {
                Self::Alive
            }
        }
    }
}

/// Failures in a row.
#[derive(Debug, Default)]
pub(super) struct Failures {
    count: u32,
    failed_connections: u32,
    /// What the first one was about.
    about: Option<String>,
    are_about_several: bool,
}

impl Failures {
    /// Counts a failure; `true` if they are an outage.
    pub(super) fn add(&mut self, error: &Error, about: &str) -> bool {
        self.count += 1;
        let is_connected = !matches!(error.cause(), Cause::Unreachable | Cause::TlsFailed);
        self.failed_connections = if is_connected { 0 } else { self.failed_connections + 1 };
        let first = self.about.get_or_insert_with(|| about.to_owned());
        self.are_about_several |= first != about;
        self.failed_connections >= MIN_FAILED_CONNECTIONS || (self.count >= MIN_FAILURES && self.are_about_several)
    }
}

/// The last refusal, to be confirmed by another credential's.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    last: Option<Refusal>,
}

#[derive(Debug)]
struct Refusal {
    cause: BlockCause,
    about: String,
    at: Instant,
}

impl Refusals {
    /// Counts a refusal; `true` if it confirms one of another credential.
    pub(super) fn add(&mut self, cause: BlockCause, about: &str, now: Instant) -> bool {
        let confirms = self.last.as_ref().is_some_and(|last| {
            last.cause == cause && last.about != about && now.saturating_duration_since(last.at) <= MAX_REFUSAL_GAP
        });
        self.last = (!confirms).then(|| Refusal { cause, about: about.to_owned(), at: now });
        confirms
    }

    /// A call about something succeeded: its refusal is over.
    pub(super) fn forget(&mut self, about: &str) {
        self.last.take_if(|last| last.about == about);
    }
}
