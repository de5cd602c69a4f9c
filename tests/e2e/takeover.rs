//! Replicas that follow each other while a hundred resources are edited all the time: writers never overlap.

use std::sync::Arc;
use std::time::{Duration, Instant};

use confidence_simulator::{Call, CallKind, Config, Simulator, Token};
use serde_json::json;
use testbed::Process;
use tokio::sync::watch;

use crate::crowd::Crowd;
use crate::world::{PATIENCE, World, status};

const RESOURCES: usize = 100;

/// The time between two edits.
const EDIT: Duration = Duration::from_millis(25);

/// The replicas, in the order in which they lead. Each has a token of its own, so that the server's log tells who wrote.
const REPLICAS: [&str; 4] = ["first", "second", "third", "fourth"];

/// Time for a lease of 15 s to run out, and then some.
const LEASE_OVER: Duration = Duration::from_secs(40);

fn replica(world: &World, name: &str) -> Process {
    std::fs::write(world.file(name), name).unwrap();
    let program = world.program().arg("--token-file").arg(world.file(name));
    let program = program.args(["--leader-elect", "--lease-duration", "15s"]);
    program.env("POD_NAMESPACE", &world.namespace).env("POD_NAME", name).start().unwrap()
}

fn stand_by(world: &World, name: &str) -> Process {
    let replica = replica(world, name);
    replica.wait_for_line(PATIENCE, |line| line.contains("standing by")).unwrap();
    replica
}

/// Waits for the first update of a replica; tells how long that took.
async fn takes_over(world: &World, name: &str, since: Instant, what: &str, within: Duration) {
    let writes =
        |call: &Call| call.kind == CallKind::Update && call.token.as_deref() == Some(name) && call.status == Some(200);
    let first = world.simulator.wait_for_call(writes, within).await;
    assert!(first.is_some(), "{name} did not take over within {within:?}");
    eprintln!("taken over under load after {what}: {:?}", since.elapsed());
}

/// Waits until the leader is in the middle of its work.
async fn is_at_work(world: &World) {
    let before = world.simulator.stats().count(CallKind::Update);
    let is = |it: &Simulator| it.stats().count(CallKind::Update) >= before + 50;
    assert!(world.simulator.wait_until(is, PATIENCE).await, "the leader writes nothing");
}

/// Edits one resource after the other until told to stop; answers the last edit.
async fn edit(world: Arc<World>, crowd: Arc<Crowd>, stop: watch::Receiver<bool>) -> usize {
    let mut pace = tokio::time::interval(EDIT);
    let mut number = 0;
    while !*stop.borrow() {
        pace.tick().await;
        number += 1;
        let id = &crowd.ids[number % RESOURCES];
        world.apply(id, json!({"labels": {"edit": number.to_string()}})).await;
    }
    number
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_never_overlap_whatever_happens_to_the_leader_under_load() {
    let tokens = REPLICAS.map(|name| (name.to_owned(), Token { identity: name.to_owned(), ..Token::default() }));
    let world = Arc::new(World::new(Config { tokens: tokens.into(), ..Config::default() }).await);
    let crowd = Arc::new(Crowd::new(&world, RESOURCES, json!({"labels": {"edit": "0"}})).await);
    let mut first = replica(&world, REPLICAS[0]);
    crowd.until_reason(&world, "InSync").await;
    let mut second = stand_by(&world, REPLICAS[1]);
    let (stop, stopped) = watch::channel(false);
    let editing = tokio::spawn(edit(Arc::clone(&world), Arc::clone(&crowd), stopped));

    is_at_work(&world).await;
    let since = Instant::now();
    first.kill().unwrap();
    takes_over(&world, REPLICAS[1], since, "SIGKILL", LEASE_OVER).await;
    assert!(since.elapsed() >= Duration::from_secs(10), "the lease of a leader that may be alive was not waited for");

    let mut third = stand_by(&world, REPLICAS[2]);
    is_at_work(&world).await;
    let since = Instant::now();
    second.pause().unwrap();
    takes_over(&world, REPLICAS[2], since, "SIGSTOP", LEASE_OVER).await;
    second.resume().unwrap();
    let end = second.wait(PATIENCE).unwrap();
    assert_ne!(end.code(), Some(0), "{}", second.lines().join("\n"));

    let _fourth = stand_by(&world, REPLICAS[3]);
    is_at_work(&world).await;
    let since = Instant::now();
    assert_eq!(third.terminate(Duration::from_secs(11)).unwrap().code(), Some(0));
    takes_over(&world, REPLICAS[3], since, "SIGTERM", Duration::from_secs(15)).await;

    stop.send_replace(true);
    let edits = editing.await.unwrap();
    let newest = |id: &str| (0..=edits).rev().find(|number| crowd.ids[number % RESOURCES] == id).unwrap().to_string();
    let as_edited = |it: &confidence_operator::api::ConfidenceClientCredential| {
        status(it).observed_generation == it.metadata.generation
    };
    crowd.until(&world, "all are served", as_edited).await;
    for id in &crowd.ids {
        assert_eq!(world.credential(id).labels["edit"], newest(id), "{id}");
    }
    let updates = world.updates();
    let writers: Vec<_> = updates.iter().map(|call| call.token.as_deref().unwrap()).collect();
    let mut in_turn = writers.clone();
    in_turn.dedup();
    assert_eq!(in_turn, REPLICAS, "each begins after the one before has written for the last time");
    let unneeded: Vec<_> = updates.iter().filter(|call| call.changed == Some(false)).collect();
    assert!(unneeded.is_empty(), "nobody writes what another has written: {unneeded:#?}");
    eprintln!("{edits} edits, {} updates by {} writers in turn", updates.len(), in_turn.len());
}
