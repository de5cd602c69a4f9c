//! How an account stands.

use tokio::time::Instant;

/// Whether calls go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// They do.
    Available,
    /// They do not.
    Blocked {
        /// Not before then. Once it is past, the account waits for the end of one call that is let through.
        until: Instant,
        /// Why.
        cause: BlockCause,
    },
}

/// Why the account is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockCause {
    /// The server says that the account is over its rate limit.
    RateLimited,
    /// The service does not answer, or only with failures.
    ServiceUnavailable,
    /// The server does not accept the account's credentials.
    Unauthenticated,
}

impl BlockCause {
    /// Every cause.
    pub const ALL: [Self; 3] = [Self::RateLimited, Self::ServiceUnavailable, Self::Unauthenticated];

    /// The label for metrics and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::ServiceUnavailable => "service_unavailable",
            Self::Unauthenticated => "unauthenticated",
        }
    }
}
