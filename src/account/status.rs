//! What the status of an account says. Pure.

use jiff::Timestamp;

use crate::api::ConfidenceAccountStatus;
use crate::api::conditions::{Reason, Truth, Type, Verdict, transition};
use crate::confidence::BlockCause;

/// How an account stands, as far as that was observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Confidence accepts its credentials.
    Authenticated,
    /// Confidence refuses them.
    Unauthenticated,
    /// The Secret gives none.
    NoSecret(String),
    /// It is over its rate limit.
    RateLimited,
    /// Confidence does not answer.
    Unavailable,
}

impl From<BlockCause> for Standing {
    fn from(cause: BlockCause) -> Self {
        match cause {
            BlockCause::RateLimited => Self::RateLimited,
            BlockCause::Unauthenticated => Self::Unauthenticated,
            BlockCause::ServiceUnavailable => Self::Unavailable,
        }
    }
}

/// The status after an account was found to stand so. The same as before where nothing changed.
pub(super) fn next_status(
    before: &ConfidenceAccountStatus,
    generation: Option<i64>,
    standing: &Standing,
    now: Timestamp,
) -> ConfidenceAccountStatus {
    let (reason, message) = match standing {
        Standing::Authenticated => (Reason::Authenticated, "Confidence accepts the credentials of the account"),
        Standing::Unauthenticated => (
            Reason::Unauthenticated,
            "Confidence rejects the credentials of the account; put valid ones into the Secret that spec.credentials names",
        ),
        Standing::NoSecret(why) => (Reason::SecretNotFound, why.as_str()),
        Standing::RateLimited => (
            Reason::RateLimited,
            "the account is over its rate limit; the operator waits as long as Confidence asks. If it lasts, lower \
             spec.requestsPerSecond",
        ),
        Standing::Unavailable => (
            Reason::ServiceUnavailable,
            "Confidence is unavailable for the account; the operator probes it periodically and resumes automatically",
        ),
    };
    let truth = if *standing == Standing::Authenticated { Truth::True } else { Truth::False };
    let verdict = Verdict { r#type: Type::Ready, truth, reason, message: message.to_owned() };
    ConfidenceAccountStatus {
        observed_generation: generation,
        conditions: transition(&before.conditions, vec![verdict], generation, now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same standing is no write, whenever it is found; another one is.
    #[test]
    fn same_standing_gives_the_same_status() {
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        let first = next_status(&ConfidenceAccountStatus::default(), Some(1), &Standing::Authenticated, at(10));
        assert_eq!(next_status(&first, Some(1), &Standing::Authenticated, at(20)), first);
        let second = next_status(&first, Some(1), &Standing::Unavailable, at(30));
        assert_eq!((second.conditions[0].status.as_str(), second.observed_generation), ("False", Some(1)));
        assert_ne!(second, first);
    }
}
