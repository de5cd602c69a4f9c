//! Two replicas: one works, whatever happens to it.

use std::time::{Duration, Instant};

use confidence_simulator::{Call, CallKind, Config, Fault, FaultKind};
use serde_json::json;
use testbed::{Deadline, Process, eventually};

use crate::world::{CLIENT, PATIENCE, World};

/// Time for a lease of 15 s to run out, and then some.
const TAKEOVER: Duration = Duration::from_secs(40);

fn replica(world: &World, name: &str) -> Process {
    let program = world.program().arg("--token-file").arg(world.file("token"));
    let program = program.args(["--leader-elect", "--lease-duration", "15s", "--interval", "1s"]);
    program.env("POD_NAMESPACE", &world.namespace).env("POD_NAME", name).start().unwrap()
}

fn leads(replica: &Process) -> bool {
    replica.lines().iter().any(|line| line.contains("this replica leads"))
}

/// A leader at work, and another replica that stands by.
async fn pair(world: &World) -> (Process, Process) {
    world.seed("led");
    world.apply("led", json!({"sdkType": "BACKEND"})).await;
    let first = replica(world, "first");
    world.until_reason("led", "InSync").await;
    let second = replica(world, "second");
    second.wait_for_line(PATIENCE, |line| line.contains("standing by")).unwrap();
    assert!(leads(&first) && !leads(&second));
    // Else a rollout would wait for it for ever.
    for replica in [&first, &second] {
        let ready = async || crate::program::get(replica, "/readyz").await;
        eventually("both are ready", Deadline::default(), ready, |(status, _)| *status == 200).await;
    }
    (first, second)
}

/// The other replica works now: it mends drift.
async fn takes_over(world: &World, second: &Process, since: Instant, within: Duration) {
    second.wait_for_line(within, |line| line.contains("this replica leads")).unwrap();
    eprintln!("taken over after {:?}", since.elapsed());
    let taken =
        |calls: &[Call]| calls.iter().filter(|call| call.kind == CallKind::Update && call.status == Some(200)).count();
    let before = taken(&world.simulator.calls());
    world.simulator.edit(CLIENT, "led", |it| it.sdk_type = "FRONTEND".to_owned());
    world.until_calls(|calls| taken(calls) > before).await;
    assert_eq!(world.credential("led").sdk_type, "BACKEND");
}

/// A namespace that nobody created is no error of any request: whether it leads or stands by, a replica says so itself.
#[tokio::test(flavor = "multi_thread")]
async fn absent_namespace_makes_each_replica_unready() {
    let world = World::new(Config::default()).await;
    let absent = format!("{}-absent", world.namespace);
    let replica = |name: &str| {
        let program = world.program().arg("--token-file").arg(world.file("token"));
        let program = program.args(["--leader-elect", "--watch-namespace", &absent]);
        program.env("POD_NAMESPACE", &world.namespace).env("POD_NAME", name).start().unwrap()
    };
    let first = replica("first");
    first.wait_for_line(PATIENCE, |line| line.contains("this replica leads")).unwrap();
    let second = replica("second");
    second.wait_for_line(PATIENCE, |line| line.contains("standing by")).unwrap();
    for replica in [&first, &second] {
        let ready = async || crate::program::get(replica, "/readyz").await;
        let is_told =
            |(status, said): &(u16, String)| *status == 503 && said.contains(&format!("{absent} does not exist"));
        eventually("it names the namespace", Deadline::default(), ready, is_told).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_ends_in_good_order_is_followed_within_seconds() {
    let world = World::new(Config::default()).await;
    let (mut first, second) = pair(&world).await;
    let since = Instant::now();
    assert_eq!(first.terminate(Duration::from_secs(11)).unwrap().code(), Some(0));
    takes_over(&world, &second, since, Duration::from_secs(8)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_ends_with_a_write_on_its_way_keeps_its_lease_to_the_end() {
    let world = World::new(Config::default()).await;
    let (mut first, second) = pair(&world).await;
    world.simulator.fault(Fault::once(FaultKind::HangAfter).on(CallKind::Update));
    world.simulator.edit(CLIENT, "led", |it| it.sdk_type = "FRONTEND".to_owned());
    world.until_calls(|calls| calls.iter().any(|call| call.fault.is_some())).await;
    let since = Instant::now();
    assert_ne!(first.terminate(Duration::from_secs(15)).unwrap().code(), Some(0));
    let given_back = first.lines().iter().any(|line| line.contains("the lease is given back"));
    assert!(!given_back, "another replica could write while the server still works on the last write of this one");
    takes_over(&world, &second, since, TAKEOVER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_killed_is_followed_after_its_lease() {
    let world = World::new(Config::default()).await;
    let (mut first, second) = pair(&world).await;
    let since = Instant::now();
    first.kill().unwrap();
    takes_over(&world, &second, since, TAKEOVER).await;
    assert!(since.elapsed() >= Duration::from_secs(10), "the lease of a leader that may be alive was not waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_paused_past_its_lease_writes_nothing_when_it_goes_on_and_ends() {
    let world = World::new(Config::default()).await;
    let (mut first, second) = pair(&world).await;
    let since = Instant::now();
    first.pause().unwrap();
    takes_over(&world, &second, since, TAKEOVER).await;
    // Drift that the first would mend at once, if it thought that it still led; the second is kept from it.
    second.pause().unwrap();
    world.simulator.edit(CLIENT, "led", |it| it.sdk_type = "FRONTEND".to_owned());
    let updates = world.updates().len();
    first.resume().unwrap();
    let status = first.wait(PATIENCE).unwrap();
    assert_ne!(status.code(), Some(0), "{}", first.lines().join("\n"));
    assert_eq!(world.updates().len(), updates, "{}", first.lines().join("\n"));
    second.resume().unwrap();
}
