//! The transport to a real server: HTTPS by reqwest, with proxies from the environment.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use reqwest::redirect;

use super::transport::{MAX_ANSWER_BYTES, Transport, TransportError, TransportFault};

/// How long a request may take, from the connection to the end of the answer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

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
            .timeout(REQUEST_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
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
        let request = reqwest::Request::try_from(request).map_err(|error| failed(&error))?;
        let mut answer = self.client.execute(request).await.map_err(|error| failed(&error))?;
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                let detail = format!("more than {MAX_ANSWER_BYTES} bytes");
                return Err(TransportError { fault: TransportFault::TooLarge, detail });
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

fn failed(error: &reqwest::Error) -> TransportError {
    let fault = if is_tls(error) {
        TransportFault::Tls
    } else if io_kind(error) == Some(io::ErrorKind::ConnectionRefused) {
        TransportFault::Refused
    } else if error.is_connect() {
        TransportFault::Connect
    } else if error.is_timeout() {
        TransportFault::TimedOut
    } else {
        TransportFault::Broken
    };
    TransportError { fault, detail: in_full(error) }
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    chain(error).filter_map(|it| it.downcast_ref::<io::Error>()).map(io::Error::kind).last()
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

/// The words of the whole chain: reqwest's own say only that sending failed. They name the URL, which holds no secret.
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
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    /// Sends a request to a server that does with the connection as told.
    async fn against<F>(
        server: impl FnOnce(TcpStream) -> F + Send + 'static,
    ) -> Result<http::Response<Bytes>, TransportError>
    where
        F: Future<Output = ()> + Send,
    {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await.unwrap();
            server(stream).await;
        });
        let request = http::Request::get(url).body(Bytes::new()).unwrap();
        let answer = HttpTransport::new(None).unwrap().send(request).await;
        serving.abort();
        answer
    }

    #[tokio::test]
    async fn an_answer_is_read_whole() {
        let answer = against(async |mut stream| {
            stream.write_all(b"HTTP/1.1 418 x\r\nretry-after: 3\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
        });
        let answer = answer.await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (418, &b"hi"[..]));
        assert_eq!(answer.headers()["retry-after"], "3");
    }

    #[tokio::test]
    async fn a_connection_that_ends_without_an_answer_is_broken() {
        let error = against(async |stream| drop(stream)).await.unwrap_err();
        assert_eq!(error.fault, TransportFault::Broken, "{error}");
    }

    #[tokio::test]
    async fn an_answer_without_end_is_cut_off() {
        let error = against(async |mut stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            while stream.write_all(&[b'x'; 65536]).await.is_ok() {}
        });
        assert_eq!(error.await.unwrap_err().fault, TransportFault::TooLarge);
    }

    #[tokio::test]
    async fn nobody_listening_is_refused() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let request = http::Request::get(url).body(Bytes::new()).unwrap();
        let error = HttpTransport::new(None).unwrap().send(request).await.unwrap_err();
        assert_eq!(error.fault, TransportFault::Refused, "{error}");
    }

    #[tokio::test]
    async fn a_server_that_speaks_no_tls_is_a_tls_failure() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 plain\r\n\r\n").await.unwrap();
        });
        let request = http::Request::get(url).body(Bytes::new()).unwrap();
        let error = HttpTransport::new(None).unwrap().send(request).await.unwrap_err();
        serving.await.unwrap();
        assert_eq!(error.fault, TransportFault::Tls, "{error}");
    }

    #[test]
    fn a_bundle_without_certificates_is_refused() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        assert!(HttpTransport::new(Some(b"nothing")).is_err());
    }
}
