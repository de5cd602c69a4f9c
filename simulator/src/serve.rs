//! The sockets. What the router cannot do, being infallible, is done here: close a connection without an answer.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt;

use crate::config::Config;
use crate::simulator::Simulator;

/// On a response: close the connection instead of sending it. A transport without sockets should fail the same way.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionReset;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// A server that listens. Stops when it is dropped.
#[derive(Debug)]
pub struct Running {
    /// The server behind the socket; it outlives this.
    pub sim: Simulator,
    address: SocketAddr,
    /// None during an outage.
    listening: Option<Listening>,
    /// Bound and never listening: nobody else gets the address between an outage and its end.
    _held: TcpSocket,
}

#[derive(Debug)]
struct Listening {
    /// Dropping it ends the task.
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Listening {
    async fn stop(self) {
        drop(self.end);
        // It ends by itself; that it was cancelled by a runtime that ends is as good.
        let _ = self.task.await;
    }
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An outage: closes all connections and refuses new ones until [`Running::resume`]. The state stays.
    pub async fn pause(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.stop().await;
        }
    }

    /// Listens again, at the same address.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn resume(&mut self) -> io::Result<()> {
        if self.listening.is_none() {
            self.listening = Some(listen(bind(self.address, true)?, &self.sim)?);
        }
        Ok(())
    }

    /// Stops listening and closes all connections.
    pub async fn stop(mut self) {
        self.pause().await;
    }
}

impl Simulator {
    /// A new server that listens.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn serve(config: Config, address: SocketAddr) -> io::Result<Running> {
        Self::new(config).listen(address).await
    }

    /// Listens on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address cannot be had.
    #[allow(clippy::unused_async)] // Needs the runtime that it is awaited on.
    pub async fn listen(&self, address: SocketAddr) -> io::Result<Running> {
        // An address that another server has is refused, although ours could be shared.
        drop(bind(address, false)?);
        let held = bind(address, true)?;
        let address = held.local_addr()?;
        let listening = Some(listen(bind(address, true)?, self)?);
        Ok(Running { sim: self.clone(), address, listening, _held: held })
    }

    /// Listens on a free port of the loopback address.
    ///
    /// # Errors
    /// When none can be had.
    pub async fn start(&self) -> io::Result<Running> {
        self.listen(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of an earlier server at the address, closed but not yet forgotten, must not be in the way.
    socket.set_reuseaddr(true)?;
    // The socket that holds the address must not be in the way of the one that listens.
    socket.set_reuseport(shared)?;
    socket.bind(address)?;
    Ok(socket)
}

fn listen(socket: TcpSocket, simulator: &Simulator) -> io::Result<Listening> {
    let listener = socket.listen(BACKLOG)?;
    let (end, ended) = oneshot::channel();
    Ok(Listening { end, task: tokio::spawn(accept(listener, simulator.router(), ended)) })
}

async fn accept(listener: TcpListener, router: Router, mut ended: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut ended => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(serve_connection(stream, router.clone()))),
                // Out of file descriptors, most likely: some will be closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn serve_connection(stream: TcpStream, router: Router) {
    // Small answers on a connection that is kept: waiting to fill a packet would only add latency.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        Box::pin(answer(router.clone(), request.map(Body::new)))
    });
    // The API's answers have a `Date` of the server's own clock.
    let mut connection = http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(stream), service);
    let end = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let mut stream = connection.into_parts().io.into_inner();
    // Whatever fails here, the connection is over.
    let _ = match end {
        Ok(()) => stream.shutdown().await,
        // Closed with a reset, not in good order: what a caller sees when the other side goes down.
        Err(_) => stream.set_zero_linger(),
    };
}

async fn answer(router: Router, request: Request<Body>) -> Result<Response, io::Error> {
    let response = router.oneshot(request).await.unwrap_or_else(|never: Infallible| match never {});
    match response.extensions().get::<ConnectionReset>() {
        Some(_) => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        None => Ok(response),
    }
}
