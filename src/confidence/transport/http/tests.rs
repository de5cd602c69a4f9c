use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

fn transport() -> HttpTransport {
    let _ = rustls::crypto::ring::default_provider().install_default();
    HttpTransport::new(HttpClient::new(None).unwrap())
}

fn get(url: &str) -> http::Request<Bytes> {
    http::Request::get(url).body(Bytes::new()).unwrap()
}

/// Sends a request to a server that does with the connection, and with the request that it read, as told.
async fn against<F>(
    server: impl FnOnce(TcpStream, String) -> F + Send + 'static,
) -> Result<http::Response<Bytes>, TransportError>
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/clients/c/credentials/k", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let length = stream.read(&mut request).await.unwrap();
        server(stream, String::from_utf8_lossy(&request[..length]).into_owned()).await;
    });
    let answer = transport().send(get(&url)).await;
    serving.abort();
    answer
}

#[tokio::test]
async fn response_is_read_whole() {
    let answer = against(async |mut stream, _| {
        stream.write_all(b"HTTP/1.1 418 x\r\nretry-after: 3\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
    });
    let answer = answer.await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (418, &b"hi"[..]));
    assert_eq!(answer.headers()["retry-after"], "3");
}

#[tokio::test]
async fn html_is_a_response_too() {
    let answer = against(async |mut stream, _| {
        let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>";
        stream.write_all(page.as_bytes()).await.unwrap();
    });
    assert_eq!(answer.await.unwrap().body().as_ref(), b"<html>");
}

#[tokio::test]
async fn program_says_who_it_is() {
    let answer = against(async |mut stream, request: String| {
        let named = request.contains(concat!("user-agent: confidence-operator/", env!("CARGO_PKG_VERSION")));
        let status = if named { 200 } else { 400 };
        stream.write_all(format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n").as_bytes()).await.unwrap();
    });
    assert_eq!(answer.await.unwrap().status(), 200);
}

/// May write so many times.
struct Times(std::sync::atomic::AtomicI32);

impl crate::confidence::WriteGuard for Times {
    fn may_write(&self) -> bool {
        self.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) > 0
    }
}

/// Sends a write over a connection that is kept open by a look before it; answers what the server read of the write.
async fn write(times: i32) -> (String, Result<http::Response<Bytes>, TransportError>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/clients/c/credentials/k", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut text = [0; 1024];
        for body in ["look", "write"] {
            let length = stream.read(&mut text).await.unwrap();
            if body == "write" {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                return String::from_utf8_lossy(&text[..length]).into_owned();
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        }
        unreachable!()
    });
    let transport = transport();
    transport.send(get(&url)).await.unwrap();
    let guard = std::sync::Arc::new(Times(times.into()));
    let request = http::Request::patch(&url).extension(crate::confidence::transport::LastCheck::new(guard));
    let result = transport.send(request.body(Bytes::from_static(b"{\"x\":1}")).unwrap()).await;
    (serving.await.unwrap(), result)
}

#[tokio::test]
async fn write_is_checked_as_it_leaves() {
    let (read, result) = write(2).await;
    assert!(read.ends_with("{\"x\":1}") && read.contains("content-length: 7\r\n"), "{read}");
    result.unwrap();
    let (read, result) = write(1).await;
    assert!(!read.contains("\"x\""), "{read}");
    assert_eq!(result.unwrap_err().fault, TransportFault::Withheld);
}

#[tokio::test]
async fn redirect_is_not_followed() {
    let answer = against(async |mut stream, _| {
        stream
            .write_all(b"HTTP/1.1 307 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
    });
    assert_eq!(answer.await.unwrap().status(), 307);
}

#[tokio::test]
async fn connection_without_a_response_is_broken() {
    let error = against(async |stream, _| drop(stream)).await.unwrap_err();
    assert_eq!(error.fault, TransportFault::Broken, "{error}");
}

#[tokio::test]
async fn reset_connection_is_broken() {
    let error = against(async |stream, _| {
        stream.set_zero_linger().unwrap();
        drop(stream);
    });
    assert_eq!(error.await.unwrap_err().fault, TransportFault::Broken);
}

#[tokio::test]
async fn response_that_breaks_off_is_broken() {
    let error = against(async |mut stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"displ").await.unwrap();
    });
    assert_eq!(error.await.unwrap_err().fault, TransportFault::Broken);
}

#[tokio::test]
async fn endless_response_is_cut_off() {
    let error = against(async |mut stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    });
    assert_eq!(error.await.unwrap_err().fault, TransportFault::TooLarge);
}

#[tokio::test]
async fn refused_connection_repeats_no_url() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/clients/mine", listener.local_addr().unwrap());
    drop(listener);
    let error = transport().send(get(&url)).await.unwrap_err();
    assert_eq!(error.fault, TransportFault::Refused, "{error}");
    assert!(!error.detail.contains("mine"), "{error}");
}

#[tokio::test]
async fn unknown_name_is_a_dns_fault() {
    // RFC 6761: names below .invalid never resolve.
    let error = transport().send(get("http://confidence.invalid/")).await.unwrap_err();
    assert_eq!(error.fault, TransportFault::Dns, "{error}");
}

#[tokio::test]
async fn server_without_tls_is_a_tls_fault() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 plain\r\n\r\n").await.unwrap();
    });
    let error = transport().send(get(&url)).await.unwrap_err();
    serving.await.unwrap();
    assert_eq!(error.fault, TransportFault::Tls, "{error}");
}

#[test]
fn bundle_without_certificates_is_refused() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    assert!(HttpClient::new(Some(b"nothing")).is_err());
}

/// A server whose TLS handshake succeeds, and which then does with the connection as told. Its certificate is in PEM.
async fn tls_against<F>(
    server: impl FnOnce(tokio_rustls::server::TlsStream<TcpStream>) -> F + Send + 'static,
) -> TransportError
where
    F: Future<Output = ()> + Send,
{
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        server(acceptor.accept(stream).await.unwrap()).await;
    });
    let transport = HttpTransport::new(HttpClient::new(Some(certified.cert.pem().as_bytes())).unwrap());
    let error = transport.send(get(&url)).await.unwrap_err();
    serving.await.unwrap();
    error
}

/// The request may have been carried out by then.
#[tokio::test]
async fn tls_that_fails_after_the_request_is_broken() {
    let error = tls_against(async |mut stream| {
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        let (tcp, _) = stream.get_mut();
        tcp.write_all(b"this is no TLS record").await.unwrap();
    });
    assert_eq!(error.await.fault, TransportFault::Broken);
}

/// A connection that somebody cuts in the middle of a response is no end of that response, however the end is marked.
#[tokio::test]
async fn tls_that_is_cut_off_is_broken() {
    for head in ["content-length: 100\r\n\r\n", "connection: close\r\n\r\n"] {
        let error = tls_against(async move |mut stream| {
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}{{}}").as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            // Without the word of TLS that nothing more comes.
            stream.get_mut().0.shutdown().await.unwrap();
        });
        assert_eq!(error.await.fault, TransportFault::Broken, "{head}");
    }
}

/// A server that would speak HTTP/2 is spoken to in HTTP/1.1, where the lease is asked as the body leaves.
#[tokio::test]
async fn http_2_is_not_offered() {
    tls_against(async |mut stream| {
        let mut request = [0; 1024];
        let length = stream.read(&mut request).await.unwrap();
        assert!(request[..length].starts_with(b"GET / HTTP/1.1\r\n"));
        assert_ne!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    })
    .await;
}
