//! The transport to a real server: HTTPS by reqwest, with proxies from the environment.

mod client;
mod fault;
mod guarded_body;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{Request, Response};

use self::fault::fault_of;
use super::{LastCheck, MAX_ANSWER_BYTES, Transport, TransportError, TransportFault};

pub use self::client::HttpClient;

/// HTTPS to Confidence.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    client: HttpClient,
}

impl HttpTransport {
    /// A transport through a client, which others may use too.
    pub fn new(client: HttpClient) -> Self {
        Self { client }
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let check: Option<LastCheck> = request.extensions().get().cloned();
        // A request without a body has nothing to hold back later.
        if check.as_ref().is_some_and(|check| !check.may_write()) {
            return Err(TransportError::new(TransportFault::Withheld, ""));
        }
        let request = request.map(|body| guarded_body::guarded(body, check));
        let request = reqwest::Request::try_from(request).map_err(fault_of)?;
        let mut response = self.client.execute(request).await.map_err(fault_of)?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(fault_of)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                let detail = format!("more than {MAX_ANSWER_BYTES} bytes");
                return Err(TransportError::new(TransportFault::TooLarge, detail));
            }
            body.extend_from_slice(&chunk);
        }
        let mut whole = Response::new(body.freeze());
        *whole.status_mut() = response.status();
        *whole.headers_mut() = std::mem::take(response.headers_mut());
        Ok(whole)
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(self.exchange(request))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
