//! Failures, sorted by what to do about them. One place decides: [`Error::of_answer`] for what was answered,
//! [`Error::of_transport`] for what was not.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;

use super::transport::{TransportError, TransportFault};

/// The shortest and the longest time that a `Retry-After` is followed for.
pub const RETRY_AFTER_RANGE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// The longest part of a server's message that is repeated.
const MAX_DETAIL_LENGTH: usize = 300;

/// What went wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// 400 or 422: the request is wrong.
    InvalidRequest,
    /// 401 that a new token does not mend: the account's credentials are wrong.
    Unauthenticated,
    /// 403: the account may not do this.
    Forbidden,
    /// 404 in the API's own words: no such credential.
    NotFound,
    /// 405, 501, or a 404 that is not in the API's own words: the server does not offer the call.
    NotOffered,
    /// 409.
    Conflict,
    /// 429: the account is over its rate limit.
    RateLimited,
    /// Another 5xx.
    ServerError,
    /// Nobody answers there: the connection was refused, or the name is unknown.
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
    /// Nothing was sent, because the account is held back.
    AccountHeld,
    /// Nothing was sent, because this replica may not write.
    NotLeader,
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
        }
    }

    /// Whether it tells that the service as a whole may be down, rather than that one request was refused.
    pub fn is_outage(self) -> bool {
        matches!(self, Self::ServerError | Self::Unreachable | Self::TlsFailed | Self::ConnectionLost | Self::TimedOut)
    }
}

/// A call that failed. Displays as a sentence for a person: what happened and what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct Error {
    cause: Cause,
    status: Option<u16>,
    detail: String,
    retry_after: Option<Duration>,
    outcome_unknown: bool,
}

impl Error {
    /// An error with a cause and words of our own.
    pub fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause, status: None, detail: shortened(&detail.into()), retry_after: None, outcome_unknown: false }
    }

    /// What went wrong.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// For how long the server asked to be left alone, within [`RETRY_AFTER_RANGE`].
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether a write may have been carried out all the same, so that it takes a look before the next one.
    pub fn outcome_unknown(&self) -> bool {
        self.outcome_unknown
    }

    /// The verdict on an answer that is no success.
    pub fn of_answer(is_write: bool, status: StatusCode, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Self {
        let said: Option<RpcStatus> = serde_json::from_slice(body).ok().filter(|it: &RpcStatus| it.is_one());
        let cause = match status.as_u16() {
            400 | 422 => Cause::InvalidRequest,
            401 => Cause::Unauthenticated,
            403 => Cause::Forbidden,
            404 if said.is_some() => Cause::NotFound,
            404 | 405 | 501 => Cause::NotOffered,
            409 => Cause::Conflict,
            408 | 429 => Cause::RateLimited,
            500.. => Cause::ServerError,
            300..400 => Cause::NotOffered,
            _ => Cause::InvalidRequest,
        };
        let detail = said.and_then(|it| it.message).unwrap_or_default();
        Self {
            cause,
            status: Some(status.as_u16()),
            detail: shortened(&detail),
            retry_after: retry_after(headers, now),
            outcome_unknown: is_write && cause == Cause::ServerError,
        }
    }

    /// The verdict on a call that got no answer.
    pub fn of_transport(is_write: bool, error: &TransportError) -> Self {
        let (cause, sent) = match error.fault {
            TransportFault::Refused | TransportFault::Connect => (Cause::Unreachable, false),
            TransportFault::Tls => (Cause::TlsFailed, false),
            TransportFault::Broken => (Cause::ConnectionLost, true),
            TransportFault::TimedOut => (Cause::TimedOut, true),
            TransportFault::TooLarge => (Cause::AnswerTooLarge, true),
        };
        Self { outcome_unknown: is_write && sent, ..Self::new(cause, &error.detail) }
    }

    /// The verdict on an answer that claims success and cannot be read.
    pub fn of_unreadable(is_write: bool, detail: impl Into<String>) -> Self {
        Self { outcome_unknown: is_write, ..Self::new(Cause::AnswerUnreadable, detail) }
    }

    fn sentence(&self) -> String {
        let what = match self.cause {
            Cause::InvalidRequest => "Confidence refused the request as invalid; correct the spec as it says",
            Cause::Unauthenticated => {
                "Confidence does not accept the operator's credentials; renew the token or the client secret that the operator was given"
            }
            Cause::Forbidden => {
                "the operator's account may not do this; grant it the scope update:clientcredentials, or name a credential of its own account"
            }
            Cause::NotFound => "Confidence does not know this credential; check the two ids in spec.name",
            Cause::NotOffered => "the server does not offer this call; check --confidence-url",
            Cause::Conflict => "Confidence reports a conflicting change; it will be tried again",
            Cause::RateLimited => "the account is over its rate limit; waiting as long as Confidence asks",
            Cause::ServerError => "Confidence failed; it will be tried again",
            Cause::Unreachable => {
                "Confidence cannot be reached; check --confidence-url, DNS, proxy and network policy; it will be tried again"
            }
            Cause::TlsFailed => {
                "no trusted TLS connection to Confidence; check --confidence-url, and --ca-file if a proxy has its own authority"
            }
            Cause::ConnectionLost => "the connection to Confidence broke before the answer; it will be tried again",
            Cause::TimedOut => "Confidence did not answer in time; it will be tried again",
            Cause::AnswerTooLarge => {
                "the answer is larger than any of Confidence's; check what --confidence-url and the proxy lead to"
            }
            Cause::AnswerUnreadable => {
                "the answer is not one of Confidence's; check what --confidence-url and the proxy lead to"
            }
            Cause::AccountHeld => "no request is made for now",
            Cause::NotLeader => "another replica may be the leader by now",
        };
        let status = self.status.map(|status| format!("HTTP {status}"));
        let detail = (!self.detail.is_empty()).then(|| self.detail.clone());
        let more: Vec<String> = status.into_iter().chain(detail).collect();
        if more.is_empty() { what.to_owned() } else { format!("{what} ({})", more.join(": ")) }
    }
}

/// `google.rpc.Status` in JSON, as far as it is read.
#[derive(Deserialize)]
struct RpcStatus {
    code: Option<serde_json::Value>,
    message: Option<String>,
}

impl RpcStatus {
    /// A proxy's JSON has no numeric code; problem+json has neither field.
    fn is_one(&self) -> bool {
        self.code.as_ref().is_some_and(serde_json::Value::is_number) && self.message.is_some()
    }
}

/// Reads `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3), within a sane range.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(at.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.clamp(RETRY_AFTER_RANGE.0, RETRY_AFTER_RANGE.1))
}

/// What a server says, fit for one line of a log or a condition.
fn shortened(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_DETAIL_LENGTH).collect();
    line.trim().to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn answer(is_write: bool, status: u16, body: &str) -> Error {
        Error::of_answer(is_write, StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes(), now())
    }

    const RPC: &str = r#"{"code":5,"message":"no such thing","details":[]}"#;

    #[test]
    fn each_status_has_its_cause() {
        for (status, cause) in [
            (400, Cause::InvalidRequest),
            (401, Cause::Unauthenticated),
            (403, Cause::Forbidden),
            (404, Cause::NotFound),
            (405, Cause::NotOffered),
            (409, Cause::Conflict),
            (422, Cause::InvalidRequest),
            (429, Cause::RateLimited),
            (500, Cause::ServerError),
            (501, Cause::NotOffered),
            (502, Cause::ServerError),
            (503, Cause::ServerError),
            (307, Cause::NotOffered),
        ] {
            assert_eq!(answer(false, status, RPC).cause(), cause, "{status}");
        }
    }

    #[test]
    fn a_404_of_a_proxy_is_not_a_missing_credential() {
        for body in
            ["", "<html>not found</html>", r#"{"error":"not found"}"#, r#"{"type":"x","title":"y","status":404}"#]
        {
            assert_eq!(answer(false, 404, body).cause(), Cause::NotOffered, "{body}");
        }
    }

    #[test]
    fn only_a_write_that_may_have_been_carried_out_has_an_unknown_outcome() {
        assert!(answer(true, 502, "").outcome_unknown());
        assert!(!answer(false, 502, "").outcome_unknown());
        assert!(!answer(true, 400, RPC).outcome_unknown());
        assert!(!answer(true, 429, RPC).outcome_unknown());
        let transport = |fault| Error::of_transport(true, &TransportError { fault, detail: String::new() });
        assert!(transport(TransportFault::Broken).outcome_unknown());
        assert!(transport(TransportFault::TimedOut).outcome_unknown());
        assert!(!transport(TransportFault::Refused).outcome_unknown());
        assert!(!transport(TransportFault::Tls).outcome_unknown());
        assert!(Error::of_unreadable(true, "x").outcome_unknown());
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_kept_within_a_sane_range() {
        for (text, seconds) in [
            ("7", Some(7)),
            ("0", Some(1)),
            ("86400", Some(300)),
            ("Thu, 01 Jan 2026 00:00:30 GMT", Some(30)),
            ("Thu, 01 Jan 2026 09:00:00 GMT", Some(300)),
            ("Wed, 31 Dec 2025 00:00:00 GMT", Some(1)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = [(header::RETRY_AFTER, text.parse().unwrap())].into_iter().collect();
            let error = Error::of_answer(false, StatusCode::TOO_MANY_REQUESTS, &headers, b"", now());
            assert_eq!(error.retry_after(), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn the_sentence_repeats_the_servers_words_on_one_short_line() {
        let text = answer(true, 400, &format!(r#"{{"code":3,"message":"bad\nname {}"}}"#, "x".repeat(999))).to_string();
        assert!(text.contains("HTTP 400: bad name"), "{text}");
        assert!(!text.contains('\n') && text.len() < 500, "{text}");
    }
}
