//! The way from a replica to Confidence: the simulator's router, with a wire before it.

use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use confidence_operator::confidence::transport::{LastCheck, Transport, TransportError, TransportFault};
use confidence_simulator::ConnectionReset;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

use crate::judge::{End, Judge, Known, Pace, Process, Sight, TOKEN, Update, labels};
use crate::lifecycle;

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
    /// Whether the server fails, each time in another way.
    pub outage: watch::Receiver<bool>,
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
        let mut call = Call::leaves(self, &request);
        sleep(self.latency()).await;
        if *self.partition.borrow() {
            return Err(call.fails(TransportFault::Connect, "the network is down"));
        }
        if *self.outage.borrow() {
            return self.fail(&mut call).await;
        }
        if request.extensions().get::<LastCheck>().is_some_and(|check| !check.may_write()) {
            return Err(call.fails(TransportFault::Withheld, "another replica may hold the lease by now"));
        }
        // From here on the request is on its way: it arrives even if the one who sent it is gone.
        call.is_on_its_way = true;
        let (process, judge, router) = (self.process.clone(), self.judge.clone(), self.router.clone());
        let (arrives, known) = (sleep(self.latency()), call.known.clone());
        let delivery = tokio::spawn(async move {
            arrives.await;
            deliver(&process, request, &known, &judge, router).await
        });
        let (answer, at) = delivery.await.unwrap().map_err(|error| call.fails(error.fault, &error.detail))?;
        sleep(self.latency()).await;
        if *self.partition.borrow() {
            return Err(call.fails(TransportFault::Broken, "the network went down"));
        }
        call.is_answered(&answer, at);
        Ok(answer)
    }

    /// What becomes of a call in an outage; nothing is done of what it asks for.
    async fn fail(&self, call: &mut Call<'_>) -> Result<Response<Bytes>, TransportError> {
        let dice = self.random.lock().unwrap().u32(0..3);
        match dice {
            0 => Err(call.fails(TransportFault::Refused, "the connection was refused")),
            1 => {
                let answer = Response::builder().status(500).body(Bytes::new()).unwrap();
                call.is_answered(&answer, Instant::now());
                Ok(answer)
            }
            _ => std::future::pending().await,
        }
    }
}

/// A call in hand, and what its process makes of its end. Dropped before it is answered, it was waited for too long, or its
/// process is gone.
struct Call<'a> {
    wire: &'a Wire,
    id: String,
    is_token: bool,
    /// The fields that it writes, if it is an update.
    mask: Option<Vec<String>>,
    /// The attempt that it names, if it creates a credential.
    attempt: Option<String>,
    /// Since when it may have been decided on, and what was known then.
    decided: Instant,
    known: Known,
    left: Instant,
    is_on_its_way: bool,
    is_over: bool,
}

impl<'a> Call<'a> {
    fn leaves(wire: &'a Wire, request: &Request<Bytes>) -> Self {
        let id = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let is_token = id == TOKEN;
        let mask = (request.method() == Method::PATCH).then(|| mask_of(request));
        let attempt = lifecycle::attempt_of(request.method(), request.uri().path(), request.body());
        let mut decided = wire.judge.leaves(&wire.process, is_token);
        if let Some(mask) = &mask {
            decided = wire.judge.repeats(&wire.process, &id, mask).map_or(decided, |first| first.min(decided));
        }
        let known = wire.judge.known(&wire.process, &id, decided);
        let left = Instant::now();
        Self { wire, id, is_token, mask, attempt, decided, known, left, is_on_its_way: false, is_over: false }
    }

    fn fails(&mut self, fault: TransportFault, why: &str) -> TransportError {
        self.end(End::Fault(fault), None);
        TransportError::new(fault, why)
    }

    /// It is over, with this answer if there is one.
    fn end(&mut self, end: End, answer: Option<&Response<Bytes>>) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let Wire { judge, process, .. } = self.wire;
        judge.hears(process, &self.id, end);
        if let (Some(history), Some(attempt)) = (&judge.lifecycle, &self.attempt)
            && (!self.is_on_its_way || matches!(end, End::Answer(200..=407 | 409..=499, _)))
        {
            history.add(lifecycle::Event::PostEnded { attempt: attempt.clone() });
            if answer.is_some_and(|it| it.status().is_success() && tells_secret(it)) {
                history.add(lifecycle::Event::Held { process: process.to_string(), attempt: attempt.clone() });
            }
        }
        if self.is_token {
            judge.turns(process, |turns| turns.token_ends(Instant::now()));
        }
        match answer.map(|it| it.status().as_u16()) {
            Some(429) => judge.turns(process, |turns| turns.slow_down(Pace::Throttled)),
            Some(401 | 500..) | None => judge.turns(process, |turns| turns.slow_down(Pace::Failed)),
            _ => {}
        }
        let Some(mask) = &self.mask else { return };
        // A token that was refused is renewed, and labels that were refused are spelled otherwise: the call is made again.
        let is_repeated = matches!(answer.map(|it| it.status().as_u16()), Some(400 | 401 | 422));
        judge.may_repeat(process, &self.id, is_repeated.then(|| (mask.clone(), self.decided)));
        let is_clear = answer.is_some_and(|it| match it.status().as_u16() {
            200..300 => serde_json::from_slice::<Credential>(it.body()).is_ok(),
            408 | 500.. => false,
            _ => true,
        });
        if self.is_on_its_way && !is_clear {
            judge.loses(process, &self.id, self.left);
            judge.wrote(process, &self.id, &self.known, mask, None);
        }
    }

    /// What the process knows by an answer.
    fn is_answered(&mut self, answer: &Response<Bytes>, at: Instant) {
        self.end(end_of(answer), Some(answer));
        let Wire { judge, process, .. } = self.wire;
        let waits = answer.headers().get("retry-after").and_then(|it| it.to_str().ok()?.parse().ok());
        if let (429 | 503, Some(seconds)) = (answer.status().as_u16(), waits) {
            judge.told_to_wait(process, Duration::from_secs(seconds));
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
            let Some(credential) = shown_as(&credential) else { continue };
            if let Some(mask) = &self.mask {
                judge.wrote(process, id, &self.known, mask, Some(&credential));
            }
            let by_own_write = self.mask.is_some();
            let sight = Sight { credential, asked: self.decided, at, arrived: Instant::now(), by_own_write };
            judge.sees(process, id, sight);
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.end(End::Nothing, None);
    }
}

/// What an answer amounts to, before anything is made of what it says.
fn end_of(answer: &Response<Bytes>) -> End {
    let said: Option<Value> = serde_json::from_slice(answer.body()).ok();
    let has = |field: &str| said.as_ref().is_some_and(|it| !it[field].is_null());
    let is_readable = ["displayName", "clientCredentials", "accessToken"].into_iter().any(has);
    match answer.status().as_u16() {
        200..300 if !is_readable => End::Unreadable,
        code => End::Answer(code, has("code") && has("message")),
    }
}

/// Whether an answer to a POST is all that the operator needs of it: the secret and its own labels.
fn tells_secret(answer: &Response<Bytes>) -> bool {
    let credential: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    credential["clientSecret"]["secret"].is_string() && !labels(&credential["labels"]).is_empty()
}

fn mask_of(request: &Request<Bytes>) -> Vec<String> {
    let parameters = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    let masks = parameters.filter(|(name, _)| name == "updateMask");
    masks.flat_map(|(_, it)| it.split(',').map(str::to_owned).collect::<Vec<_>>()).collect()
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
    const KNOWN: [&str; 6] = ["displayName", "environments", "labels", "sdkType", "updateTime", "lastSeenTime"];
    let mut fields = answer.as_object()?.clone();
    let secret = answer["clientSecret"]["secret"].as_str().map(str::to_owned);
    fields.retain(|field, value| KNOWN.contains(&field.as_str()) && !value.is_null());
    if fields.get("sdkType").is_some_and(|it| it == "SDK_TYPE_UNSPECIFIED") {
        fields.remove("sdkType");
    }
    fields.insert("labels".to_owned(), json!(labels(&answer["labels"])));
    fields.extend(secret.map(|it| ("secret".to_owned(), Value::from(it))));
    serde_json::from_value(Value::Object(fields)).ok()
}

/// The request arrives at the server.
async fn deliver(
    process: &Process,
    request: Request<Bytes>,
    known: &Known,
    judge: &Judge,
    router: Router,
) -> Result<(Response<Bytes>, Instant), TransportError> {
    let line = format!("{} {}", request.method(), request.uri().path_and_query().unwrap());
    if request.method() == Method::PATCH {
        let id = request.uri().path().rsplit('/').next().unwrap();
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        judge.update(process, known, &Update { id, mask: &mask_of(&request), body: &body });
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let history = judge.lifecycle.as_ref().filter(|_| !path.ends_with(TOKEN));
    if let Some(history) = history {
        if matches!(method, Method::POST | Method::DELETE) {
            judge.creates_or_deletes(process, &line);
        }
        history.arrives(&method, &path, request.body());
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
    if let Some(history) = history.filter(|_| parts.status.is_success()) {
        let date = parts.headers.get("date").and_then(|it| httpdate::parse_http_date(it.to_str().ok()?).ok());
        history.is_answered(&method, &path, &body, date);
    }
    Ok((Response::from_parts(parts, body), at))
}

/// For the account's settings: nothing is sent there.
pub const URL: &str = "https://confidence.invalid";
