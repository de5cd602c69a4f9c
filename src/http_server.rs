//! `/livez`, `/readyz` and `/metrics`.
//!
//! Served with hyper itself, because axum's own server bounds neither the connections nor how long one may be silent.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::engine::health::{Progress, Readiness};

/// Two probes and a few scrapers need no more.
const LIMITS: Limits = Limits { connections: 64, silence: Duration::from_secs(10), life: Duration::from_mins(1) };

/// The pause after a connection that could not be accepted, for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// So that nobody keeps the probes out.
#[derive(Clone, Copy)]
struct Limits {
    /// Connections at the same time.
    connections: usize,
    /// How long a connection may be silent before a request is complete.
    silence: Duration,
    /// How long a connection may last, and a response that is then on its way another `silence`: else whoever reads slowly,
    /// or not at all, keeps it for ever.
    life: Duration,
}

/// Makes the text of `/metrics`, in the format of `OpenMetrics`.
pub type Scrape = Arc<dyn Fn() -> Result<String, fmt::Error> + Send + Sync>;

/// What the endpoints tell of.
#[derive(Clone)]
pub struct Endpoints {
    /// For `/metrics`.
    pub scrape: Scrape,
    /// For `/livez`.
    pub progress: Progress,
    /// For `/readyz`.
    pub readiness: Readiness,
}

/// Takes the port, so that one that is taken is found out before anything starts. `[::]` takes IPv4 too, and falls back to
/// `0.0.0.0` where there is no IPv6.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error) => match fallback(address, error.kind()) {
            Some(address) => TcpListener::bind(address).await,
            None => Err(error),
        },
        bound => bound,
    }
}

fn fallback(address: SocketAddr, error: io::ErrorKind) -> Option<SocketAddr> {
    let is_unspecified = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let is_of_the_port = matches!(error, io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied);
    (is_unspecified && !is_of_the_port).then(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
}

/// Serves for as long as it is polled.
pub async fn serve(listener: TcpListener, endpoints: Endpoints) {
    serve_within(LIMITS, listener, endpoints).await;
}

async fn serve_within(limits: Limits, listener: TcpListener, endpoints: Endpoints) {
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(endpoints);
    let free = Arc::new(Semaphore::new(limits.connections));
    // The semaphore is never closed.
    while let Ok(permit) = Arc::clone(&free).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = serve_connection(stream, router.clone(), limits);
                drop(tokio::spawn(async move {
                    connection.await;
                    drop(permit);
                }));
            }
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, router: Router, limits: Limits) {
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.silence)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
    );
    let mut ended = timeout(limits.life, connection.as_mut()).await;
    if ended.is_err() {
        connection.as_mut().graceful_shutdown();
        ended = timeout(limits.silence, connection).await;
    }
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection to the endpoints broke"),
        Err(_) => tracing::debug!("a connection to the endpoints was closed, because nobody read the response"),
    }
}

async fn livez(State(endpoints): State<Endpoints>) -> impl IntoResponse {
    match endpoints.progress.wedged_for() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(time) => {
            let text = format!("wedged: attempts are in progress, and none has finished for {} s\n", time.as_secs());
            (StatusCode::INTERNAL_SERVER_ERROR, text)
        }
    }
}

async fn readyz(State(endpoints): State<Endpoints>) -> impl IntoResponse {
    let missing = endpoints.readiness.missing();
    if missing.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready\n{}\n", missing.join("\n")))
}

async fn metrics(State(endpoints): State<Endpoints>) -> impl IntoResponse {
    match (endpoints.scrape)() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            (StatusCode::OK, [(header::CONTENT_TYPE, kind)], text)
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], format!("{error}\n")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn server(limits: Limits) -> (SocketAddr, Readiness, tokio::task::JoinHandle<()>) {
        server_of(limits, "# EOF\n".to_owned()).await
    }

    async fn server_of(limits: Limits, metrics: String) -> (SocketAddr, Readiness, tokio::task::JoinHandle<()>) {
        let readiness = Readiness::default();
        let endpoints = Endpoints {
            scrape: Arc::new(move || Ok(metrics.clone())),
            progress: Progress::default(),
            readiness: readiness.clone(),
        };
        let listener = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        (address, readiness, tokio::spawn(serve_within(limits, listener, endpoints)))
    }

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// A kubelet reads in the answer what the pod lacks.
    #[tokio::test]
    async fn readyz_names_what_is_missing() {
        let (address, readiness, serving) = server(LIMITS).await;
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        readiness.require("the lease", "forbidden");
        let answer = get(address, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("the lease: forbidden"), "{answer}");
        assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/metrics").await.ends_with("# EOF\n"));
        serving.abort();
    }

    /// Whoever opens connections and says nothing does not keep the probes out: the silent ones are closed.
    #[tokio::test]
    async fn silent_connections_do_not_block_probes() {
        let limits = Limits { connections: 1, silence: Duration::from_millis(100), ..LIMITS };
        let (address, _, serving) = server(limits).await;
        let silent = TcpStream::connect(address).await.unwrap();
        let probe = tokio::time::timeout(Duration::from_secs(10), get(address, "/livez")).await;
        assert!(probe.unwrap().starts_with("HTTP/1.1 200"));
        drop(silent);
        serving.abort();
    }

    /// Nor does whoever sends a request byte by byte, or asks and never reads the response.
    #[tokio::test]
    async fn slow_clients_do_not_block_probes() {
        let short = Duration::from_millis(100);
        let limits = Limits { connections: 1, silence: short, life: short };
        // More than the buffers of both ends hold.
        let (address, _, serving) = server_of(limits, "x".repeat(64 << 20)).await;
        for request in ["GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "GET /metrics HTTP/1.1\r\nHo"] {
            let mut slow = TcpStream::connect(address).await.unwrap();
            slow.write_all(request.as_bytes()).await.unwrap();
            let probe = tokio::time::timeout(Duration::from_secs(10), get(address, "/livez")).await;
            assert!(probe.unwrap().starts_with("HTTP/1.1 200"), "{request}");
            drop(slow);
        }
        serving.abort();
    }

    /// Where IPv6 is off, the default address means all of IPv4; a port that is taken stays an error.
    #[test]
    fn bind_falls_back_where_ipv6_is_off() {
        let any: SocketAddr = "[::]:8080".parse().unwrap();
        assert_eq!(fallback(any, io::ErrorKind::Unsupported), "0.0.0.0:8080".parse().ok());
        assert_eq!(fallback(any, io::ErrorKind::AddrInUse), None);
        assert_eq!(fallback("[::1]:8080".parse().unwrap(), io::ErrorKind::Unsupported), None);
    }
}
