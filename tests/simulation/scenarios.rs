//! Stories that are told once, not drawn: one replica, the same judge, the same paused time.

mod foreign_secret;
mod not_taken;
mod outage;
mod stalled;

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use confidence_operator::api::{ConfidenceClientCredential, RECONCILE_REQUESTED_AT};
use confidence_operator::confidence::settings::Credentials;
use confidence_operator::credential::ObserveMode;
use confidence_simulator::{Config, Simulator, Token};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::account::CLIENT;
use crate::api::{ApiServer, Kind};
use crate::history::SecretVersion;
use crate::judge::Judge;
use crate::process::Place;
use crate::record::Record;
use crate::replicas::Replicas;

/// Everything that a story needs.
struct Stage {
    api: ApiServer,
    simulator: Simulator,
    judge: Judge,
    replicas: Replicas,
}

/// Tells a story in a runtime of its own, in paused time.
fn tell(story: impl Future<Output = ()>) {
    fastrand::seed(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, story);
}

impl Stage {
    /// One replica that looks by reading, at that interval.
    fn new(interval: Duration, credentials: Credentials) -> Self {
        let api = ApiServer::new();
        let simulator = Simulator::starting_at(Config::default(), Timestamp::from_second(1_700_000_000).unwrap());
        let observe = ObserveMode::Read;
        let judge = Judge::new(Record::new(), api.clone(), false, observe);
        let _router: Router = simulator.router();
        let place = Place {
            observe,
            credentials,
            interval,
            last_seen_resolution: Duration::from_hours(1),
            ..Place::new(&api, &simulator, &judge, 1)
        };
        Self { api, simulator, judge, replicas: Replicas::new([place], fastrand::Rng::with_seed(1)) }
    }

    async fn pass(&mut self, time: Duration) {
        self.replicas.pass(time).await;
        let wrong = self.judge.record.first_wrong();
        assert!(wrong.is_none(), "{}\n{}", wrong.unwrap_or_default(), self.judge.record.lines().join("\n"));
    }

    /// Passes time until something is so; tells how long it took.
    async fn until(&mut self, what: &str, most: Duration, is_so: impl Fn(&Self) -> bool) -> Duration {
        let began = Instant::now();
        let step = (most / 100).max(Duration::from_millis(20));
        while !is_so(self) {
            assert!(began.elapsed() < most, "not within {most:?}: {what}\n{}", self.judge.record.lines().join("\n"));
            self.pass(step).await;
        }
        began.elapsed()
    }

    /// Somebody applies a resource that names the credential with its own name as id.
    fn apply(&self, name: &str, spec: Value) {
        let mut spec = spec;
        spec["name"] = json!(format!("clients/{CLIENT}/credentials/{name}"));
        let object = self.api.with(|store| {
            store.put(Kind::Resource, name, &json!({"spec": spec}));
            store.get(Kind::Resource, name).cloned().unwrap()
        });
        let object: ConfidenceClientCredential = serde_json::from_value(object).unwrap();
        self.judge.history(|history| history.note(name, &object));
    }

    fn annotate(&self, name: &str, value: &str) {
        self.api.with(|store| {
            let mut object = store.get(Kind::Resource, name).cloned().unwrap();
            object["metadata"]["annotations"] = json!({RECONCILE_REQUESTED_AT: value});
            store.replace(Kind::Resource, name, object);
        });
    }

    fn put_secret(&self, name: &str, secret: &str) {
        let data = json!({"data": {"secret": k8s_openapi::ByteString(secret.as_bytes().to_vec())}});
        let version = self.api.with(|store| {
            store.put(Kind::Secret, name, &data);
            let object = store.get(Kind::Secret, name).unwrap();
            object["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
        });
        let version = SecretVersion { version, value: secret.to_owned() };
        self.judge.history(|history| history.note_secret(name, version));
    }

    /// The reasons of Ready of all resources.
    fn reasons(&self) -> BTreeSet<String> {
        let reason = |object: &Value| {
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let ready = conditions.iter().find(|it| it["type"] == "Ready").cloned().unwrap_or_default();
            ready["reason"].as_str().unwrap_or("none").to_owned()
        };
        self.api.with(|store| store.list(Kind::Resource).map(reason).collect())
    }

    fn says(&self, reason: &str) -> bool {
        self.reasons() == BTreeSet::from([reason.to_owned()])
    }
}

/// A token that may do only this.
fn token(scope: &str) -> Token {
    Token { scopes: BTreeSet::from([scope.to_owned()]), ..Token::default() }
}
