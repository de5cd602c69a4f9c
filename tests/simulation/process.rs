//! A process of the operator: the real replica over the in-memory API server and the wire.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use confidence_operator::account::{Account, Accounts, DEFAULT_ACCOUNT};
use confidence_operator::confidence::Confidence;
use confidence_operator::confidence::metrics::Metrics;
use confidence_operator::confidence::settings::{BaseUrl, Credentials, Settings as AccountSettings};
use confidence_operator::confidence::transport::REQUEST_TIMEOUT;
use confidence_operator::credential::{ObserveMode, Settings};
use confidence_operator::engine::events::EventRecorder;
use confidence_operator::engine::health::{Progress, Readiness};
use confidence_operator::engine::leader_election::{Candidate, LeaseGuard, LeaseSettings};
use confidence_operator::metrics::ControllerMetrics;
use confidence_operator::replica::Replica;
use confidence_simulator::Simulator;
use http::{Request, Response};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use crate::account::{URL, Wire};
use crate::api::{ApiServer, Fate, Lost, Trouble, failure};
use crate::judge::{Found, Judge, Process, RATE};

/// How often the replicas of the schedules look for drift.
pub const INTERVAL: Duration = Duration::from_secs(30);

/// How finely they tell when a credential was last seen.
pub const LAST_SEEN_RESOLUTION: Duration = Duration::from_mins(1);

/// The lease of those that are elected.
pub const LEASE: Duration = Duration::from_secs(20);

/// What a process finds when it starts.
#[derive(Clone)]
pub struct Place {
    pub api: ApiServer,
    /// Confidence.
    pub router: Router,
    pub judge: Judge,
    pub elected: bool,
    /// Which installation of the operator it is.
    pub instance: &'static str,
    pub observe: ObserveMode,
    pub credentials: Credentials,
    /// How often to look for drift, and how finely to tell when a credential was last seen.
    pub interval: Duration,
    pub last_seen_resolution: Duration,
    pub watch_secrets: bool,
    pub trouble: Trouble,
    pub partition: watch::Sender<bool>,
    /// Whether Confidence fails, each time in another way.
    pub outage: watch::Sender<bool>,
}

impl Place {
    /// A place in working order, with a token.
    pub fn new(api: &ApiServer, simulator: &Simulator, judge: &Judge, seed: u64) -> Self {
        Self {
            api: api.clone(),
            router: simulator.router(),
            judge: judge.clone(),
            elected: false,
            instance: "simulation",
            observe: ObserveMode::Auto,
            credentials: Credentials::Token("test-token".into()),
            interval: INTERVAL,
            last_seen_resolution: LAST_SEEN_RESOLUTION,
            watch_secrets: true,
            trouble: Trouble::new(seed),
            partition: watch::channel(false).0,
            outage: watch::channel(false).0,
        }
    }
}

/// Runs one process until it is told to stop, ends by itself, or is dropped, which is a crash.
pub async fn run(process: Process, seed: u64, place: Place, stop: watch::Receiver<bool>) -> bool {
    let mut registry = Registry::default();
    let guard = if place.elected { LeaseGuard::new(REQUEST_TIMEOUT) } else { LeaseGuard::always() };
    let wire = Wire {
        process: process.clone(),
        router: place.router.clone(),
        judge: place.judge.clone(),
        random: Mutex::new(fastrand::Rng::with_seed(seed)),
        partition: place.partition.subscribe(),
        outage: place.outage.subscribe(),
    };
    let account = AccountSettings {
        url: BaseUrl::parse(URL, false).unwrap(),
        token_url: None,
        credentials: place.credentials.clone(),
        secret: None,
        requests_per_second: RATE,
        labels: None,
        seed: Some(seed),
    };
    let metrics = Metrics::register(&mut registry).account("default");
    let client = client(process.clone(), &place);
    let readiness = Readiness::default();
    let counted = ControllerMetrics::register(&mut registry);
    let events = EventRecorder::new(client.clone(), "simulation", process.instance(), Counter::default());
    let lease = LeaseSettings {
        namespace: "operator".to_owned(),
        name: "confidence-operator".to_owned(),
        instance: process.instance(),
        duration: LEASE,
    };
    let candidate = || {
        let requirement = readiness.require("the lease", "not asked for yet");
        Candidate::new(client.clone(), lease, guard.clone(), events.clone(), requirement)
    };
    let confidence = Confidence::new(account, Arc::new(wire), Arc::new(guard.clone()), metrics).unwrap();
    let replica = Replica {
        lease: place.elected.then(candidate),
        accounts: Accounts::of_default(Account::new(DEFAULT_ACCOUNT, URL, confidence)),
        own_namespace: "operator".into(),
        guard: guard.clone(),
        events: events.clone(),
        operator: None,
        client,
        settings: Settings {
            interval: place.interval,
            observe: place.observe,
            last_seen_resolution: place.last_seen_resolution,
            namespaces: Vec::new(),
            watch_secrets: place.watch_secrets,
            min_interval: Duration::from_secs(1),
            instance_id: Some(place.instance.to_owned()),
            seed: Some(seed),
        },
        metrics: counted,
        progress: Progress::default(),
        readiness: readiness.clone(),
    };
    replica.run(stop).await
}

/// A Kubernetes client of this process.
fn client(process: Process, place: &Place) -> kube::Client {
    let place = place.clone();
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        let (process, place) = (process.clone(), place.clone());
        async move { ask(&process, request, &place).await }
    });
    kube::Client::new(service, "operator")
}

/// Asks the API server. What a process learns of a Secret by that, the judge is told.
async fn ask(process: &Process, request: Request<kube::client::Body>, place: &Place) -> Result<Response<Body>, Lost> {
    let metadata_only = request.headers().get("accept").is_some_and(|it| it.to_str().unwrap().contains("as=Partial"));
    let secret = request.uri().path().split_once("/secrets/").map(|(_, name)| name.to_owned());
    let is_read = !metadata_only && request.method() == http::Method::GET;
    let Some(secret) = secret.filter(|_| is_read) else { return send(process, request, place).await };
    let mut asks = Asks { process, place, secret: &secret, found: Found::NoAnswer };
    let (parts, body) = send(process, request, place).await?.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await?;
    asks.found = match parts.status.as_u16() {
        200 => {
            let object: serde_json::Value = serde_json::from_slice(&body)?;
            Found::Version(object["metadata"]["resourceVersion"].as_str().unwrap().to_owned())
        }
        404 => Found::Nothing,
        _ => Found::NoAnswer,
    };
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// A Secret that is asked for. Nothing comes of it, as long as nothing else is said.
struct Asks<'a> {
    process: &'a Process,
    place: &'a Place,
    secret: &'a str,
    found: Found,
}

impl Drop for Asks<'_> {
    fn drop(&mut self) {
        self.place.judge.asks_for_secret(self.process, self.secret, self.found.clone());
    }
}

async fn send(process: &Process, request: Request<kube::client::Body>, place: &Place) -> Result<Response<Body>, Lost> {
    tokio::time::sleep(place.trouble.latency()).await;
    let fate = if *place.partition.borrow() { Fate::LostBefore } else { place.trouble.fate() };
    match fate {
        Fate::Fine | Fate::LostAfter => {}
        Fate::LostBefore => return Err("the request was lost".into()),
        Fate::Refused(code) => {
            let body = failure(code, "Trouble").to_string();
            return Ok(Response::builder().status(code).body(Body::from(body))?);
        }
        Fate::Hangs => {
            tokio::time::sleep(crate::api::READ_TIMEOUT).await;
            return Err("nothing came for too long".into());
        }
    }
    let answer = place.api.answer(request, &place.trouble, |write| place.judge.write(process, &write)).await?;
    tokio::time::sleep(place.trouble.latency()).await;
    if fate == Fate::LostAfter || *place.partition.borrow() {
        return Err("the answer was lost".into());
    }
    Ok(answer)
}
