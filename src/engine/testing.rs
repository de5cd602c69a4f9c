//! An API server that a test answers for, request by request.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex, Once};

use axum::body::Body;
use futures::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use serde_json::{Value, json};

/// What the API server is asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub body: Value,
}

impl Asked {
    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next()
    }

    /// Whether it is a watch.
    pub fn is_watch(&self) -> bool {
        self.parameter("watch").is_some()
    }
}

/// What it answers.
pub struct Answer {
    code: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: Body,
}

impl Answer {
    pub fn json(value: &Value) -> Self {
        Self { code: 200, headers: Vec::new(), body: Body::from(value.to_string()) }
    }

    pub fn text(text: String) -> Self {
        Self { body: Body::from(text), ..Self::json(&Value::Null) }
    }

    /// A refusal in the API server's words.
    pub fn refusal(code: u16, message: &str) -> Self {
        let reason = if code == 404 { "NotFound" } else { "Refused" };
        let status = json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message});
        Self { code, ..Self::json(&status) }
    }

    /// A refusal for now, as the API server words it.
    pub fn throttled(seconds: u32) -> Self {
        let details = json!({"retryAfterSeconds": seconds});
        let status = json!({"kind": "Status", "status": "Failure", "code": 429, "reason": "TooManyRequests", "details": details});
        Self { code: 429, ..Self::json(&status) }
    }

    pub fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The lines of a watch, which then stays open.
    pub fn watch(lines: &[Value]) -> Self {
        Self { body: Body::from_stream(text_of(lines).chain(stream::pending())), ..Self::json(&Value::Null) }
    }

    /// The lines of a watch, which then ends.
    pub fn ended_watch(lines: &[Value]) -> Self {
        Self { body: Body::from_stream(text_of(lines)), ..Self::json(&Value::Null) }
    }
}

fn text_of(lines: &[Value]) -> impl futures::Stream<Item = io::Result<String>> + use<> {
    stream::iter(lines.iter().map(|line| Ok(format!("{line}\n"))).collect::<Vec<_>>())
}

thread_local! {
    static LOGGED: RefCell<Option<Rc<RefCell<Vec<u8>>>>> = const { RefCell::new(None) };
}

/// The lines that this thread logs from now on until this is dropped, at WARN and above.
///
/// One subscriber serves all threads: with one for each test, a callsite that another thread meets first may stay silent.
pub struct Warnings(Rc<RefCell<Vec<u8>>>);

impl Warnings {
    pub fn begin() -> Self {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            let log = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(|| LogOfThread);
            tracing::subscriber::set_global_default(log.finish()).unwrap();
        });
        tracing::callsite::rebuild_interest_cache();
        let logged = Rc::default();
        LOGGED.set(Some(Rc::clone(&logged)));
        Self(logged)
    }

    pub fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.borrow().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Drop for Warnings {
    fn drop(&mut self) {
        LOGGED.set(None);
    }
}

struct LogOfThread;

impl io::Write for LogOfThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow(|logged| logged.iter().for_each(|it| it.borrow_mut().extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What was asked, in order.
pub type Log = Arc<Mutex<Vec<Asked>>>;

/// A client of an API server that answers like this; `None` where it cannot be reached.
pub fn client(answer: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> (Client, Log) {
    let log = Log::default();
    let (seen, answer) = (Arc::clone(&log), Arc::new(answer));
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let asked = Asked {
                method: parts.method.to_string(),
                path: parts.uri.path().to_owned(),
                query: parts.uri.query().unwrap_or_default().to_owned(),
                body: serde_json::from_slice(&body).unwrap_or(Value::Null),
            };
            seen.lock().unwrap().push(asked.clone());
            let Answer { code, headers, body } = answer(&asked).ok_or_else(|| io::Error::other("unreachable"))?;
            let response = Response::builder().status(code);
            let response = headers.into_iter().fold(response, |response, (name, value)| response.header(name, value));
            Ok::<_, io::Error>(response.body(body).unwrap())
        }
    });
    (Client::new(service, "default"), log)
}
