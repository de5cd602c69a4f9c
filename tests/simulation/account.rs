//! The way from a replica to Confidence: the simulator's router, with a wire before it.

use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use confidence_operator::confidence::transport::{LastCheck, Transport, TransportError, TransportFault};
use confidence_simulator::ConnectionReset;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

use crate::history::Sights;
use crate::judge::{Judge, Process};

/// The client of all credentials.
pub const CLIENT: &str = "shop";

/// The way of one process.
pub struct Wire {
    pub process: Process,
    /// The server.
    pub router: Router,
    pub judge: Judge,
    pub random: Mutex<fastrand::Rng>,
    /// Whether nothing gets through.
    pub partition: watch::Receiver<bool>,
}

impl Transport for Wire {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(self.exchange(request))
    }
}

impl Wire {
    fn latency(&self) -> Duration {
        Duration::from_millis(self.random.lock().unwrap().u64(1..40))
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.judge.leaves(&self.process);
        sleep(self.latency()).await;
        if *self.partition.borrow() {
            return Err(TransportError::new(TransportFault::Connect, "the network is down"));
        }
        if request.extensions().get::<LastCheck>().is_some_and(|check| !check.may_write()) {
            return Err(TransportError::new(TransportFault::Broken, "another replica may hold the lease by now"));
        }
        let updates = request.method() == Method::PATCH;
        let id = request.uri().path().rsplit('/').next().unwrap().to_owned();
        // From here on the request is on its way: it arrives even if the one who sent it is gone.
        let (process, judge, router) = (self.process.clone(), self.judge.clone(), self.router.clone());
        let arrives = sleep(self.latency());
        let known = self.judge.sights(&self.process, &id);
        let delivery = tokio::spawn(async move {
            arrives.await;
            deliver(&process, request, &known, &judge, router).await
        });
        let lost = Lost::unless_answered(self, updates, &id);
        let (answer, at) = delivery.await.unwrap()?;
        sleep(self.latency()).await;
        if *self.partition.borrow() {
            return Err(TransportError::new(TransportFault::Broken, "the network went down"));
        }
        if !answer.status().is_success() || serde_json::from_slice::<Credential>(answer.body()).is_ok() {
            lost.found();
        }
        self.note(updates, &answer, at);
        Ok(answer)
    }

    /// What the process knows by this answer.
    fn note(&self, updates: bool, answer: &Response<Bytes>, at: Instant) {
        let waits = answer.headers().get("retry-after").and_then(|it| it.to_str().ok()?.parse().ok());
        if let (429 | 503, Some(seconds)) = (answer.status().as_u16(), waits) {
            self.judge.told_to_wait(&self.process, Duration::from_secs(seconds));
        }
        if !answer.status().is_success() {
            return;
        }
        let Ok(body) = serde_json::from_slice::<Value>(answer.body()) else { return };
        let shown = match body["credentials"].as_array().or(body["clientCredentials"].as_array()) {
            Some(page) => page.clone(),
            None => vec![body],
        };
        for credential in shown {
            let Some(id) = credential["name"].as_str().and_then(|it| it.rsplit('/').next()) else { continue };
            if let Some(seen) = shown_as(&credential) {
                self.judge.sees(&self.process, id, seen, at, updates);
            }
        }
    }
}

/// An update that is on its way. Dropped before it is answered, by a failure or because nobody waits any longer, it is lost.
struct Lost<'a> {
    wire: &'a Wire,
    id: Option<&'a str>,
    at: Instant,
}

impl<'a> Lost<'a> {
    fn unless_answered(wire: &'a Wire, updates: bool, id: &'a str) -> Self {
        Self { wire, id: updates.then_some(id), at: Instant::now() }
    }

    fn found(mut self) {
        self.id = None;
    }
}

impl Drop for Lost<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.wire.judge.loses(&self.wire.process, id, self.at);
        }
    }
}

/// What every answer with a credential has.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credential {
    #[allow(dead_code)] // that it is there is what counts
    display_name: String,
}

/// The credential that an answer shows.
fn shown_as(answer: &Value) -> Option<confidence_simulator::Credential> {
    const KNOWN: [&str; 5] = ["displayName", "environments", "labels", "sdkType", "updateTime"];
    let mut fields = answer.as_object()?.clone();
    fields.retain(|field, value| KNOWN.contains(&field.as_str()) && !value.is_null());
    if fields.get("sdkType").is_some_and(|it| it == "SDK_TYPE_UNSPECIFIED") {
        fields.remove("sdkType");
    }
    serde_json::from_value(Value::Object(fields)).ok()
}

/// The request arrives at the server.
async fn deliver(
    process: &Process,
    request: Request<Bytes>,
    known: &Sights,
    judge: &Judge,
    router: Router,
) -> Result<(Response<Bytes>, Instant), TransportError> {
    let line = format!("{} {}", request.method(), request.uri().path_and_query().unwrap());
    if request.method() == Method::PATCH {
        let id = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let mask: url::form_urlencoded::Parse<'_> =
            url::form_urlencoded::parse(request.uri().query().unwrap().as_bytes());
        let mask: Vec<String> = mask
            .filter(|(name, _)| name == "updateMask")
            .flat_map(|(_, it)| it.split(',').map(str::to_owned).collect::<Vec<_>>())
            .collect();
        judge.update(process, &id, known, &mask, &serde_json::from_slice(request.body()).unwrap());
    }
    let at = Instant::now();
    let answer = router.oneshot(request.map(Body::from)).await.unwrap_or_else(|never| match never {});
    let reset = answer.extensions().get::<ConnectionReset>().is_some();
    let told = if reset { "reset".to_owned() } else { answer.status().as_u16().to_string() };
    judge.record.tell(format_args!("{process} {line} -> {told}"));
    if reset {
        return Err(TransportError::new(TransportFault::Broken, "the connection was reset"));
    }
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX)
        .await
        .map_err(|error| TransportError::new(TransportFault::Broken, error.to_string()))?;
    Ok((Response::from_parts(parts, body), at))
}

/// For the account's settings: nothing is sent there.
pub const URL: &str = "https://confidence.invalid";
