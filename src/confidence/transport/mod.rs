//! How a request gets to the server and the response back: the only I/O of this folder, behind a trait, so that tests can
//! put a server in its place that runs in the same thread and the same time. [`HttpTransport`] is the real one.

mod http;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response};
use bytes::Bytes;
use futures::future::BoxFuture;

use super::client::WriteGuard;

pub use self::http::{HttpClient, HttpTransport};

/// The largest answer that is read: far above any that the API gives, far below what would hurt.
pub const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// How long a request may take, from the connection to the end of the answer. The client sees to it, for every transport.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends one request and reads one response, whole and not beyond [`MAX_ANSWER_BYTES`]. Retries nothing, follows no
/// redirect. May be dropped at any time, and the request with it. Asks the [`LastCheck`] of a request that has one as late
/// as it can, and answers [`TransportFault::Withheld`] where it says no.
pub trait Transport: Send + Sync {
    /// Sends the request.
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>>;
}

/// An extension of a request that writes: the transport asks it once more when the body is about to leave. A connection may
/// have had to be made until then, or the process may have been stopped and continued.
#[derive(Clone)]
pub struct LastCheck(Arc<dyn WriteGuard>);

impl LastCheck {
    /// A check that asks the guard.
    pub fn new(guard: Arc<dyn WriteGuard>) -> Self {
        Self(guard)
    }

    /// Whether the body may leave.
    pub fn may_write(&self) -> bool {
        self.0.may_write()
    }
}

impl fmt::Debug for LastCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastCheck").finish_non_exhaustive()
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct TransportError {
    /// What it means.
    pub fault: TransportFault,
    /// The words of the library, for a person.
    pub detail: String,
}

impl TransportError {
    /// A fault and the words for it.
    pub fn new(fault: TransportFault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into() }
    }
}

/// What the lack of an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportFault {
    /// The connection was refused: nothing was sent.
    Refused,
    /// The name of the server is unknown: nothing was sent.
    Dns,
    /// There was no connection for another reason: nothing was sent.
    Connect,
    /// The TLS handshake failed: nothing was sent.
    Tls,
    /// The [`LastCheck`] said no: the request was not sent in full.
    Withheld,
    /// The connection broke; the request may have been carried out.
    Broken,
    /// There was no answer in time; the request may have been carried out.
    TimedOut,
    /// The answer is larger than [`MAX_ANSWER_BYTES`].
    TooLarge,
}
