//! The operator is killed (SIGKILL) at each call of a pass, and started again.

use confidence_simulator::{CallKind, Config, Fault, FaultKind};
use serde_json::json;

use crate::world::{World, status};

/// Kills the operator while a call hangs; answers the world after another one has brought everything in line.
async fn killed_during(id: &str, kind: CallKind, hang: FaultKind) -> World {
    let world = World::new(Config::default()).await;
    world.seed(id);
    world.put_secret(id, "secret", &format!("hunter2-{id}")).await;
    world.simulator.fault(Fault::always(hang).on(kind).times(1));
    let mut operator = world.operator(&[]);
    let reference = json!({"secretKeyRef": {"name": id, "key": "secret"}});
    world.apply(id, json!({"sdkType": "BACKEND", "clientSecret": reference})).await;
    world.until_calls(|calls| calls.iter().any(|call| call.kind == kind)).await;
    operator.kill().unwrap();
    let _operator = world.operator(&[]);
    let object = world.until_reason(id, "InSync").await;
    assert_eq!(world.credential(id).sdk_type, "BACKEND");
    assert_eq!(world.credential(id).secret, format!("hunter2-{id}"));
    assert_eq!(status(&object).last_update.unwrap().update_mask, *world.updates().last().unwrap().mask.join(","));
    world
}

#[tokio::test]
async fn killed_while_it_looks_it_looks_again_and_updates_once() {
    let world = killed_during("killed-get", CallKind::Get, FaultKind::Hang).await;
    assert_eq!(world.updates().len(), 1);
}

#[tokio::test]
async fn killed_before_its_update_is_carried_out_it_updates_after_a_look() {
    let world = killed_during("killed-before", CallKind::Update, FaultKind::Hang).await;
    let kinds: Vec<_> = world.simulator.calls().into_iter().map(|call| call.kind).collect();
    assert_eq!(kinds, [CallKind::Get, CallKind::Update, CallKind::Get, CallKind::Update]);
}

#[tokio::test]
async fn killed_after_its_update_was_carried_out_it_writes_nothing_again_but_the_withheld_secret() {
    let world = killed_during("killed-after", CallKind::Update, FaultKind::HangAfter).await;
    let masks: Vec<_> = world.updates().into_iter().map(|call| call.mask).collect();
    // Nobody can tell whether a secret that the server withholds was taken: it is written once more, and only it.
    assert_eq!(masks, [vec!["sdk_type", "client_secret"], vec!["client_secret"]]);
}
