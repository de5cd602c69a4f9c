//! Candidates for one Lease, on an API server that keeps it, in simulated time.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use prometheus_client::metrics::counter::Counter;
use serde_json::Value;

use super::*;
use crate::engine::health::Readiness;
use crate::engine::testing::{Answer, Asked, Log, client};

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(30);
const WRITE: Duration = Duration::from_secs(10);

/// The Lease, as the API server has it, and whether it may be written.
#[derive(Default)]
struct Stored {
    lease: Option<Value>,
    version: u64,
    is_read_only: bool,
}

type Server = Arc<Mutex<Stored>>;

fn answer(server: &Server, asked: &Asked) -> Answer {
    let mut stored = server.lock().unwrap();
    if !asked.path.contains("/leases") {
        return Answer::json(&asked.body);
    }
    if asked.method == "GET" {
        return stored.lease.as_ref().map_or_else(|| Answer::refusal(404, "not found"), Answer::json);
    }
    let current = stored.lease.as_ref().map(|lease| lease["metadata"]["resourceVersion"].clone());
    let is_stale = current.is_some_and(|version| version != asked.body["metadata"]["resourceVersion"]);
    if stored.is_read_only {
        return Answer::refusal(403, "cannot update leases");
    }
    if is_stale || asked.method == "PUT" && stored.lease.is_none() {
        return Answer::refusal(409, "changed");
    }
    let mut lease = asked.body.clone();
    if asked.parameter("dryRun").is_none() {
        stored.version += 1;
        lease["metadata"]["resourceVersion"] = stored.version.to_string().into();
        stored.lease = Some(lease.clone());
    }
    Answer::json(&lease)
}

struct Contender {
    candidate: Candidate,
    guard: LeaseGuard,
    readiness: Readiness,
    log: Log,
}

fn contender(instance: &str, server: &Server) -> Contender {
    let server = Arc::clone(server);
    let (client, log) = client(move |asked| Some(answer(&server, asked)));
    let (guard, readiness) = (LeaseGuard::new(WRITE), Readiness::default());
    let recorder = EventRecorder::new(client.clone(), "example.com/operator", instance, Counter::default());
    let requirement = readiness.require("the lease", "not asked for yet");
    let settings = LeaseSettings {
        namespace: "operator".to_owned(),
        name: "blue".to_owned(),
        instance: instance.to_owned(),
        duration: LEASE,
    };
    Contender {
        candidate: Candidate::new(client, settings, guard.clone(), recorder, requirement),
        guard,
        readiness,
        log,
    }
}

/// The first replica ever makes the Lease of the name that it was given, and an event tells who leads.
#[tokio::test(start_paused = true)]
async fn first_replica_leads_at_once() {
    let server = Server::default();
    let mut first = contender("first", &server);
    tokio::time::timeout(SECOND, first.candidate.win()).await.unwrap();
    assert!(first.guard.may_write() && first.readiness.missing().is_empty());
    let log = first.log.lock().unwrap();
    assert!(log[0].path.ends_with("/namespaces/operator/leases/blue"), "{}", log[0].path);
    let event = &log.last().unwrap().body;
    assert_eq!((&event["reason"], &event["regarding"]["name"]), (&"LeaderElection".into(), &"blue".into()));
    assert!(event["note"].as_str().unwrap().ends_with("became the leader"), "{event}");
}

/// A lease that is given back is taken within seconds.
#[tokio::test(start_paused = true)]
async fn released_lease_is_taken_within_seconds() {
    let server = Server::default();
    let (mut first, mut second) = (contender("first", &server), contender("second", &server));
    first.candidate.win().await;
    let waiting = tokio::time::timeout(10 * SECOND, second.candidate.win()).await;
    assert!(waiting.is_err() && !second.guard.may_write());
    first.candidate.release().await;
    tokio::time::timeout(CONTEND_PAUSE * 2, second.candidate.win()).await.unwrap();
    assert!(second.guard.may_write() && !first.guard.may_write());
}

/// A replica that stands by is ready only while it could write the Lease, and says so again when it can.
#[tokio::test(start_paused = true)]
async fn standby_without_right_is_not_ready() {
    let server = Server::default();
    contender("first", &server).candidate.win().await;
    server.lock().unwrap().is_read_only = true;
    let mut second = contender("second", &server);
    let _ = tokio::time::timeout(5 * SECOND, second.candidate.win()).await;
    let missing = second.readiness.missing();
    assert!(missing.concat().contains("cannot update leases"), "{missing:?}");
    server.lock().unwrap().is_read_only = false;
    let _ = tokio::time::timeout(5 * SECOND, second.candidate.win()).await;
    assert!(second.readiness.missing().is_empty());
    assert!(!second.guard.may_write(), "the rehearsal took nothing");
}

/// Somebody deletes the Lease: its holder puts it back, and nobody else may write meanwhile. The holder then hangs, and
/// the Lease is deleted once more: the other one leads only when the holder may certainly write no more.
#[tokio::test(start_paused = true)]
async fn deleted_lease_never_has_two_writers() {
    let server = Server::default();
    let (mut first, mut second) = (contender("first", &server), contender("second", &server));
    first.candidate.win().await;
    let guards = (first.guard.clone(), second.guard.clone());
    let deletions = async {
        for time in 0..1200 {
            if time == 30 || time == 400 {
                server.lock().unwrap().lease = None;
            }
            let both = guards.0.may_write_for(Duration::ZERO) && guards.1.may_write_for(Duration::ZERO);
            assert!(!both, "after {} s", f64::from(time) / 10.0);
            tokio::time::sleep(SECOND / 10).await;
        }
    };
    let holder = async {
        let _ = tokio::time::timeout(39 * SECOND, first.candidate.keep()).await;
        std::future::pending::<()>().await;
    };
    let other = async {
        second.candidate.win().await;
        second.candidate.keep().await;
    };
    tokio::select! {
        () = deletions => {}
        () = holder => {}
        () = other => {}
    }
    assert!(guards.1.may_write(), "the other one leads in the end");
}
