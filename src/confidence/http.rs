//! The transport to a real server: HTTPS by reqwest, with proxies from the environment.

mod guarded;

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use reqwest::redirect;

use super::transport::{MAX_ANSWER_BYTES, Transport, TransportError, TransportFault};

/// A part of the request's time: what is over by then was surely not sent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Shorter than what proxies and NAT gateways use: a connection that they dropped would cost a write its clear outcome.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections that are kept after a burst, where the server does not speak HTTP/2: each has its buffers.
const IDLE_CONNECTIONS: usize = 16;

/// HTTPS, with connections kept open between requests. There is no way to switch the verification of certificates off.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    client: reqwest::Client,
}

impl HttpTransport {
    /// A transport that trusts the system's authorities and those of `extra_ca`, a bundle in PEM.
    ///
    /// # Errors
    /// A sentence for a person, when the bundle cannot be read.
    pub fn new(extra_ca: Option<&[u8]>) -> Result<Self, String> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            // A redirect would carry the token to wherever it leads.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("confidence-operator/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = extra_ca {
            let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| error.to_string())?;
            if certificates.is_empty() {
                return Err("there is no certificate in PEM in it".to_owned());
            }
            builder = builder.tls_certs_merge(certificates);
        }
        builder.build().map(|client| Self { client }).map_err(|error| in_full(&error))
    }

    async fn exchange(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let check = request.extensions().get().cloned();
        let request = request.map(|body| guarded::body(body, check));
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        let mut answer = self.client.execute(request).await.map_err(failed)?;
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(TransportError::new(
                    TransportFault::TooLarge,
                    format!("more than {MAX_ANSWER_BYTES} bytes"),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        let mut whole = http::Response::new(body.freeze());
        *whole.status_mut() = answer.status();
        *whole.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(whole)
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(self.exchange(request))
    }
}

/// What an error of reqwest's means. Its words go without the URL: the caller knows which credential it asked for, and a
/// failure of the whole account is told to all others too.
fn failed(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    let fault = if is_tls(&error) {
        TransportFault::Tls
    } else if io_kind(&error) == Some(io::ErrorKind::ConnectionRefused) {
        TransportFault::Refused
    } else if error.is_connect() && is_dns(&error) {
        TransportFault::Dns
    } else if error.is_connect() {
        TransportFault::Connect
    } else if error.is_timeout() {
        TransportFault::TimedOut
    } else {
        TransportFault::Broken
    };
    TransportError::new(fault, in_full(&error))
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    chain(error).filter_map(|it| it.downcast_ref::<io::Error>()).map(io::Error::kind).last()
}

/// hyper-util keeps the type of this error to itself; its words have been these since hyper 0.14.
fn is_dns(error: &reqwest::Error) -> bool {
    chain(error).any(|it| it.to_string().starts_with("dns error"))
}

fn is_tls(error: &reqwest::Error) -> bool {
    chain(error).any(|it| it.is::<rustls::Error>() || it.downcast_ref::<io::Error>().is_some_and(holds_tls))
}

/// An `io::Error` is no link of the chain to what it wraps, and hyper-rustls wraps one in another.
fn holds_tls(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>() || inner.downcast_ref::<io::Error>().is_some_and(holds_tls))
}

/// The words of the whole chain: reqwest's own say only that sending failed.
fn in_full(error: &(dyn StdError + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for text in chain(error).map(ToString::to_string) {
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
