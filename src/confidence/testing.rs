//! A server for tests: a function in place of the transport, in tokio's paused time, that writes down what it was asked.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use prometheus_client::registry::Registry;
use tokio::time::{Duration, Instant};

use super::client::{Confidence, WriteGuard};
use super::metrics::{AccountMetrics, Metrics};
use super::name::CredentialName;
use super::settings::{BaseUrl, Credentials, Settings};
use super::transport::{Transport, TransportError, TransportFault};

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) at: Instant,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) token: String,
    pub(super) body: String,
}

/// What the server does with a request.
pub(super) enum Answer {
    Give(u16, &'static [(&'static str, &'static str)], String),
    Fail(TransportFault),
    /// Never an answer.
    Hang,
    /// An answer after a while.
    Later(Duration, Box<Answer>),
}

pub(super) const CREDENTIAL: &str = r#"{"displayName":"x"}"#;

impl Answer {
    pub(super) fn ok() -> Self {
        Self::json(200, CREDENTIAL)
    }

    pub(super) fn json(status: u16, body: &str) -> Self {
        Self::Give(status, &[], body.to_owned())
    }

    /// A failure in Confidence's words. UNKNOWN, so that the status decides.
    pub(super) fn status(status: u16) -> Self {
        Self::json(status, r#"{"code":2,"message":"so it is"}"#)
    }

    /// A failure in the words of something else.
    pub(super) fn html(status: u16) -> Self {
        Self::json(status, "<html>default backend</html>")
    }

    /// 429 or 503 with `Retry-After`.
    pub(super) fn later(status: u16, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self::Give(status, headers, String::new())
    }

    pub(super) fn token(token: &str, life: u64) -> Self {
        Self::json(200, &format!(r#"{{"accessToken":"{token}","expiresIn":"{life}"}}"#))
    }
}

type Script = dyn Fn(&Seen, usize) -> Answer + Send + Sync;

/// The server. The script gets each request and its number, from 0.
pub(super) struct Server {
    seen: Mutex<Vec<Seen>>,
    script: Box<Script>,
}

impl Server {
    pub(super) fn new(script: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { seen: Mutex::default(), script: Box::new(script) })
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub(super) fn count_of(&self, path: &str) -> usize {
        self.seen().iter().filter(|it| it.path.contains(path)).count()
    }
}

impl Transport for Server {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        let header = |name| request.headers().get(name).map(|it| it.to_str().unwrap().to_owned()).unwrap_or_default();
        let seen = Seen {
            at: Instant::now(),
            method: request.method().to_string(),
            path: request.uri().path_and_query().unwrap().to_string(),
            token: header("authorization"),
            body: String::from_utf8(request.body().to_vec()).unwrap(),
        };
        let number = {
            let mut all = self.seen.lock().unwrap();
            all.push(seen.clone());
            all.len() - 1
        };
        Box::pin(carry_out((self.script)(&seen, number)))
    }
}

async fn carry_out(mut answer: Answer) -> Result<Response<Bytes>, TransportError> {
    loop {
        answer = match answer {
            Answer::Give(status, headers, body) => {
                let builder = headers.iter().fold(Response::builder().status(status), |it, (k, v)| it.header(*k, *v));
                return Ok(builder.body(Bytes::from(body)).unwrap());
            }
            Answer::Fail(fault) => return Err(TransportError::new(fault, "scripted")),
            Answer::Hang => std::future::pending().await,
            Answer::Later(wait, then) => {
                tokio::time::sleep(wait).await;
                *then
            }
        };
    }
}

/// A guard that says yes or no as the test likes.
#[derive(Debug, Default)]
pub(super) struct Lease(pub(super) std::sync::atomic::AtomicBool);

impl WriteGuard for Lease {
    fn may_write(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

pub(super) fn settings(credentials: Credentials, requests_per_second: u32) -> Settings {
    Settings {
        url: BaseUrl::parse("https://confidence.test", false).unwrap(),
        token_url: None,
        credentials,
        secret: None,
        requests_per_second,
        labels: None,
        seed: Some(7),
    }
}

pub(super) fn metrics() -> AccountMetrics {
    Metrics::register(&mut Registry::default()).account("test")
}

/// A client of the server with a token that stays, and a lease.
pub(super) fn client(server: &Arc<Server>, requests_per_second: u32) -> Confidence {
    with_settings(server, settings(Credentials::Token("given".into()), requests_per_second))
}

pub(super) fn with_settings(server: &Arc<Server>, settings: Settings) -> Confidence {
    let lease = Arc::new(Lease(true.into()));
    Confidence::new(settings, server.clone(), lease, metrics()).unwrap()
}

pub(super) fn name(number: usize) -> CredentialName {
    format!("clients/c/credentials/k{number}").parse().unwrap()
}
