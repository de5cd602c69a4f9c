//! A body that asks the lease at the moment at which it is put on the wire.
//!
//! Invariant: no body leaves without the lease (`write_is_checked_as_it_leaves`). It holds over HTTP/1.1 alone.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::confidence::transport::LastCheck;

/// A body, with a check if there is one.
pub(super) fn guarded(bytes: Bytes, check: Option<LastCheck>) -> reqwest::Body {
    match check {
        None => bytes.into(),
        Some(check) => reqwest::Body::wrap(GuardedBody { bytes: Some(bytes), check }),
    }
}

struct GuardedBody {
    bytes: Option<Bytes>,
    check: LastCheck,
}

#[derive(Debug, thiserror::Error)]
#[error("another replica may hold the lease by now")]
pub(super) struct MayNotWrite;

impl Body for GuardedBody {
    type Data = Bytes;
    type Error = MayNotWrite;

    /// A connection that asks for the body writes it at once. A server cannot carry out a request whose body never comes.
    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, MayNotWrite>>> {
        let Some(bytes) = self.bytes.take() else { return Poll::Ready(None) };
        let frame = if self.check.may_write() { Ok(Frame::data(bytes)) } else { Err(MayNotWrite) };
        Poll::Ready(Some(frame))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    /// Exact, so that the length is sent with the request.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
