//! A body that asks, at the moment at which it is put on the wire, whether it still may.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::confidence::transport::LastCheck;

/// A body, with a check if there is one.
pub(super) fn body(bytes: Bytes, check: Option<LastCheck>) -> reqwest::Body {
    match check {
        None => bytes.into(),
        Some(check) => reqwest::Body::wrap(Guarded { bytes: Some(bytes), check }),
    }
}

struct Guarded {
    bytes: Option<Bytes>,
    check: LastCheck,
}

#[derive(Debug, thiserror::Error)]
#[error("another replica may hold the lease by now")]
struct MayNotWrite;

impl Body for Guarded {
    type Data = Bytes;
    type Error = MayNotWrite;

    /// A connection that asks for the body writes it in the same breath. A request whose body never comes is none.
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
