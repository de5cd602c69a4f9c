//! The end at SIGTERM: what is not sent is dropped at once, and the lease is given back.

use std::time::Duration;

use confidence_simulator::{CallKind, Config, Fault, FaultKind};
use serde_json::json;
use testbed::Process;

use crate::world::World;

/// Far less than a request, or the wait of a backlog, would take.
const AT_ONCE: Duration = Duration::from_secs(6);

fn operator(world: &World, flags: &[&str]) -> Process {
    let program = world.program().arg("--token-file").arg(world.file("token")).args(["--leader-elect"]).args(flags);
    program.env("POD_NAMESPACE", &world.namespace).start().unwrap()
}

fn ends_in_good_order(mut operator: Process) {
    let status = operator.terminate(AT_ONCE).unwrap();
    let lines = operator.lines();
    assert_eq!(status.code(), Some(0), "{}", lines.join("\n"));
    assert!(lines.iter().any(|line| line.contains("the lease is given back")), "{}", lines.join("\n"));
}

/// Confidence does not answer a read: nobody needs that answer any more.
#[tokio::test(flavor = "multi_thread")]
async fn hanging_read_does_not_hold_up_the_end() {
    let world = World::new(Config::default()).await;
    world.seed("hanging");
    world.simulator.fault(Fault::always(FaultKind::Hang).on(CallKind::Get));
    let operator = operator(&world, &[]);
    world.apply("hanging", json!({"sdkType": "BACKEND"})).await;
    world.until_calls(|calls| calls.iter().any(|call| call.kind == CallKind::Get)).await;
    ends_in_good_order(operator);
    assert!(world.updates().is_empty());
}

/// A small budget and many edits: most of them wait for a permit when the end comes, and another replica makes them.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_writes_do_not_hold_up_the_end() {
    let world = World::new(Config::default()).await;
    let operator = operator(&world, &["--requests-per-second", "1"]);
    for number in 0..30 {
        let id = format!("waiting-{number}");
        world.seed(&id);
        world.apply(&id, json!({"sdkType": "BACKEND"})).await;
    }
    world.until_calls(|calls| calls.iter().any(|call| call.kind == CallKind::Update && call.settled)).await;
    ends_in_good_order(operator);
    assert!(world.updates().len() < 15, "{}", world.updates().len());
}
