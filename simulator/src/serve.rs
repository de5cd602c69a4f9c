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
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    /// Dropping the sender ends the task.
    Listening { end: oneshot::Sender<()>, task: JoinHandle<()> },
    /// The address is held by a socket that does not listen, so that connections to it are refused and nobody else takes it.
    Away(TcpSocket),
    /// Between two of the others, and after a failure.
    Gone,
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
    ///
    /// # Errors
    /// When the address cannot be held.
    pub async fn pause(&mut self) -> io::Result<()> {
        if let Mode::Listening { end, task } = std::mem::replace(&mut self.mode, Mode::Gone) {
            drop(end);
            // It ends by itself; that it was cancelled by a runtime that ends is as good.
            let _ = task.await;
        }
        self.mode = Mode::Away(bind(self.address)?);
        Ok(())
    }

    /// Listens again, at the same address.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn resume(&mut self) -> io::Result<()> {
        let socket = match std::mem::replace(&mut self.mode, Mode::Gone) {
            listening @ Mode::Listening { .. } => {
                self.mode = listening;
                return Ok(());
            }
            Mode::Away(socket) => socket,
            Mode::Gone => bind(self.address)?,
        };
        self.mode = listening(socket.listen(BACKLOG)?, &self.sim);
        Ok(())
    }

    /// Stops listening and closes all connections.
    pub async fn stop(self) {
        if let Mode::Listening { end, task } = self.mode {
            drop(end);
            let _ = task.await;
        }
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
        let listener = bind(address)?.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok(Running { sim: self.clone(), address, mode: listening(listener, self) })
    }

    /// Listens on a free port of the loopback address.
    ///
    /// # Errors
    /// When none can be had.
    pub async fn start(&self) -> io::Result<Running> {
        self.listen(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of an earlier server at the address, closed but not yet forgotten, must not be in the way.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn listening(listener: TcpListener, simulator: &Simulator) -> Mode {
    let (end, ended) = oneshot::channel();
    Mode::Listening { end, task: tokio::spawn(accept(listener, simulator.router(), ended)) }
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
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
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
