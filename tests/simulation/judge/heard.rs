//! What one process was told when it asked, and what reasons that gives: for the credential that it asked about, and for the
//! whole account.

use confidence_operator::confidence::transport::TransportFault;
use tokio::time::Instant;

/// The end of a call.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// An answer with this status, and whether it is a `google.rpc.Status`.
    Answer(u16, bool),
    /// An answer that claims success and is none of the API's.
    Unreadable,
    Fault(TransportFault),
    /// Nothing came for as long as anybody waits.
    Nothing,
}

impl End {
    /// Whether it is not in the words of the API: then it is a failure that passes, unless the URL never gave a good answer.
    fn may_be_a_proxys(self) -> bool {
        matches!(self, Self::Answer(300..=499 | 501, false))
            && !matches!(self, Self::Answer(401 | 408 | 422 | 429 | 499, _))
    }
}

/// The id of token calls.
pub const TOKEN: &str = "token";

/// The ends of all calls of a process that were not as wanted.
#[derive(Debug, Default)]
pub struct Heard {
    all: Vec<(Instant, String, End)>,
}

impl Heard {
    pub fn add(&mut self, id: &str, end: End) {
        if !matches!(end, End::Answer(200..300, _)) {
            self.all.push((Instant::now(), id.to_owned(), end));
        }
    }

    /// Whether there is ground for a reason: in a call about the credential since then, or, for one of the account, in any.
    pub fn gives(&self, reason: &str, id: &str, since: Option<Instant>) -> bool {
        self.all.iter().any(|(at, about, end)| {
            let is_own = about == id || about == TOKEN;
            let is_recent = since.is_none_or(|since| *at >= since);
            let gives = |own| own == reason || (reason == "InvalidResponse" && end.may_be_a_proxys());
            (is_own && is_recent && gives(of_a_credential(*end)))
                || of_the_account(about, *end) == Some(reason)
                || (reason == "ServiceUnavailable" && end.may_be_a_proxys())
        })
    }

    /// Whether the server has refused to let the account read.
    pub fn reading_was_refused(&self) -> bool {
        let refused = |end: &End| matches!(of_a_credential(*end), "Forbidden" | "Unsupported");
        self.all.iter().any(|(_, about, end)| about != TOKEN && refused(end))
    }
}

fn of_a_credential(end: End) -> &'static str {
    match end {
        End::Answer(401, _) => "Unauthenticated",
        End::Answer(403, _) => "Forbidden",
        End::Answer(404 | 410, true) => "CredentialNotFound",
        End::Answer(404 | 405 | 410 | 501, _) => "Unsupported",
        End::Answer(429, _) => "RateLimited",
        End::Answer(408, _) | End::Nothing | End::Fault(TransportFault::TimedOut) => "TimedOut",
        End::Answer(409 | 500.., _) => "ServerError",
        End::Answer(..) => "Rejected",
        End::Unreadable | End::Fault(TransportFault::TooLarge) => "InvalidResponse",
        End::Fault(TransportFault::Broken) => "ConnectionLost",
        End::Fault(TransportFault::Tls) => "TlsFailed",
        End::Fault(_) => "Unreachable",
    }
}

fn of_the_account(about: &str, end: End) -> Option<&'static str> {
    Some(match end {
        End::Answer(401, _) => "Unauthenticated",
        // Whatever a token call is refused with, it is the credentials that are refused.
        End::Answer(400 | 403 | 404 | 422, _) if about == TOKEN => "Unauthenticated",
        End::Answer(429, _) => "RateLimited",
        End::Answer(408 | 500.., _) | End::Unreadable | End::Fault(_) | End::Nothing => "ServiceUnavailable",
        End::Answer(..) => return None,
    })
}
