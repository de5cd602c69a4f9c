//! What went wrong, and what mends it.

use super::Error;

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
    /// The server does not offer the call.
    Unsupported,
    /// 409.
    Conflict,
    /// 429: too many requests; or nothing was sent, because the account was told so a moment ago.
    RateLimited,
    /// Another 5xx, or another failure that passes.
    ServerError,
    /// No connection could be made: refused, unknown name, or a proxy in between that says no.
    Unreachable,
    /// The server's certificate was not accepted, or the TLS handshake failed otherwise.
    TlsFailed,
    /// The connection broke before there was an answer.
    ConnectionLost,
    /// There was no answer in time.
    TimedOut,
    /// The answer was larger than any that the API gives.
    ResponseTooLarge,
    /// The answer was not one of the API's: an HTML page, JSON of another shape, a proxy's refusal.
    InvalidResponse,
    /// The service is down for the whole account. Nothing was sent, or the request failed as all others do.
    ServiceUnavailable,
    /// Nothing was sent, because this replica may not write.
    NotLeader,
    /// Nothing was sent, because the write is no longer wanted.
    Superseded,
    /// Nothing was sent, or a read was dropped, because the program stops.
    Stopping,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 18] = [
        Self::InvalidRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Unsupported,
        Self::Conflict,
        Self::RateLimited,
        Self::ServerError,
        Self::Unreachable,
        Self::TlsFailed,
        Self::ConnectionLost,
        Self::TimedOut,
        Self::ResponseTooLarge,
        Self::InvalidResponse,
        Self::ServiceUnavailable,
        Self::NotLeader,
        Self::Superseded,
        Self::Stopping,
    ];

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
            Self::Stopping => "stopping",
        }
    }

    /// What happened and what to do, for a person.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::InvalidRequest => "Confidence refused the request as invalid; correct the spec",
            Self::Unauthenticated => {
                "Confidence does not accept the operator's credentials; renew the token or the client secret that the operator was given"
            }
            Self::Forbidden => {
                "the operator's account may not do this; grant it the scope update:clientcredentials, or name a credential of its own account"
            }
            Self::NotFound => "Confidence does not know this credential; check the two ids in spec.name",
            Self::Unsupported => "the server does not offer this call; check --confidence-url",
            Self::Conflict => "Confidence reports a conflicting change; the operator tries again",
            Self::RateLimited => "Confidence reports too many requests; the operator waits as long as Confidence asks",
            Self::ServerError => "Confidence failed; the operator tries again",
            Self::Unreachable => {
                "Confidence cannot be reached; check --confidence-url, DNS, proxy and network policy; the operator tries again"
            }
            Self::TlsFailed => {
                "no trusted TLS connection to Confidence; check --confidence-url, and --ca-file if a proxy has its own authority"
            }
            Self::ConnectionLost => "the connection to Confidence broke before the answer; the operator tries again",
            Self::TimedOut => "Confidence did not answer in time; the operator tries again",
            Self::ResponseTooLarge => {
                "the answer is larger than any of Confidence's; check what --confidence-url and the proxy lead to"
            }
            Self::InvalidResponse => {
                "the answer is not one of Confidence's; check what --confidence-url and the proxy lead to"
            }
            Self::ServiceUnavailable => {
                "Confidence is unavailable for the whole account; the operator probes it periodically and resumes automatically"
            }
            Self::NotLeader => "another replica may be the leader by now",
            Self::Superseded => "the resource changed while the write waited for its permit",
            Self::Stopping => "the operator is stopping",
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
    /// The account is blocked: nothing can be done for this call alone. `Confidence::account` tells when it is available.
    Account,
    /// Nothing: this replica is not the one to act, or the call is no longer wanted.
    None,
}

impl Error {
    /// What mends it.
    pub fn recovery(&self) -> Recovery {
        match self.cause {
            _ if self.blocked.is_some() => Recovery::Account,
            Cause::InvalidRequest | Cause::Forbidden | Cause::NotFound | Cause::Unsupported => Recovery::UserAction,
            Cause::Unauthenticated
            | Cause::RateLimited
            | Cause::ServiceUnavailable
            | Cause::Conflict
            | Cause::ServerError
            | Cause::Unreachable
            | Cause::TlsFailed
            | Cause::ConnectionLost
            | Cause::TimedOut
            | Cause::ResponseTooLarge
            | Cause::InvalidResponse => Recovery::Retry,
            Cause::NotLeader | Cause::Superseded | Cause::Stopping => Recovery::None,
        }
    }
}
