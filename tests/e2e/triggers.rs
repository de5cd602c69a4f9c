//! What makes the operator look, and what does not.

use confidence_operator::api::RECONCILE_REQUESTED_AT;
use confidence_simulator::{CallKind, Config};
use kube::api::{Patch, PatchParams};
use serde_json::json;
use testbed::{Deadline, eventually};

use crate::world::{CLIENT, World, status, version};

#[tokio::test]
async fn the_annotation_looks_at_once_and_is_echoed() {
    let world = World::new(Config::default()).await;
    world.seed("asked");
    let _operator = world.operator(&["--interval", "1h"]);
    world.apply("asked", json!({"sdkType": "BACKEND"})).await;
    world.until_reason("asked", "InSync").await;
    world.simulator.edit(CLIENT, "asked", |it| it.sdk_type = "FRONTEND".to_owned());
    let object = world.look_at("asked", "2026-01-01T00:00:00Z").await;
    assert_eq!(status(&object).last_handled_reconcile_at.as_deref(), Some("2026-01-01T00:00:00Z"));
    assert_eq!(world.credential("asked").sdk_type, "BACKEND");
}

/// A value that no status can echo is refused aloud, and does nothing.
#[tokio::test]
async fn annotation_that_is_too_long_is_ignored_with_an_event() {
    let world = World::new(Config::default()).await;
    world.seed("verbose");
    let _operator = world.operator(&["--interval", "1h"]);
    world.apply("verbose", json!({})).await;
    world.until_reason("verbose", "InSync").await;
    let calls = world.simulator.call_count();
    world.annotate("verbose", RECONCILE_REQUESTED_AT, &"x".repeat(250_000)).await;
    let events = async || world.event_reasons("verbose").await;
    eventually("an event", Deadline::default(), events, |it| it.contains(&"RequestIgnored".to_owned())).await;
    let object = world.look_at("verbose", "again").await;
    assert_eq!(status(&object).last_handled_reconcile_at.as_deref(), Some("again"));
    assert_eq!(world.simulator.call_count(), calls + 1, "for the request that is short enough");
}

/// Whatever somebody else makes of a status, the next check says again what is so.
#[tokio::test]
async fn changed_status_is_told_anew_at_next_check() {
    let world = World::new(Config::default()).await;
    world.seed("restored");
    let _operator = world.operator(&["--interval", "1s"]);
    let before = world.apply("restored", json!({})).await;
    let good = world.until_reason("restored", "InSync").await;
    let stale = json!({"status": {"observedGeneration": 99, "conditions": []}});
    for foreign in [stale, json!({"status": null}), json!({"status": status(&before)})] {
        let patch = Patch::Merge(&foreign);
        world.api().patch_status("restored", &PatchParams::default(), &patch).await.unwrap();
        let object = world.until_reason("restored", "InSync").await;
        assert_eq!(status(&object).name, status(&good).name, "{foreign}");
    }
    assert!(world.updates().is_empty());
}

#[tokio::test]
async fn neither_its_own_status_write_nor_a_label_makes_the_operator_look() {
    let world = World::new(Config::default()).await;
    world.seed("calm");
    world.seed("witness");
    let _operator = world.operator(&["--interval", "1h"]);
    world.apply("calm", json!({"sdkType": "BACKEND"})).await;
    world.until_reason("calm", "InSync").await;
    let label = json!({"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}});
    world.api().patch("calm", &PatchParams::default(), &Patch::Merge(label)).await.unwrap();
    // Whatever the label would have triggered is ahead of the witness in the queue.
    world.apply("witness", json!({})).await;
    world.until_reason("witness", "InSync").await;
    let about = world.calls(CallKind::Get).into_iter().filter(|call| call.credential.as_deref() == Some("calm"));
    assert_eq!(about.count(), 1);
}

#[tokio::test]
async fn a_restart_over_unchanged_resources_looks_once_and_writes_nothing() {
    let world = World::new(Config::default()).await;
    world.seed("restarted");
    world.put_secret("restarted", "secret", "hunter2-restarted").await;
    let mut operator = world.operator(&[]);
    let reference = json!({"secretKeyRef": {"name": "restarted", "key": "secret"}});
    world.apply("restarted", json!({"sdkType": "BACKEND", "clientSecret": reference})).await;
    let before = world.until_reason("restarted", "InSync").await;
    operator.kill().unwrap();
    let calls = world.simulator.call_count();
    let _operator = world.operator(&[]);
    world.until_calls(|it| it.len() > calls).await;
    world.seed("witness");
    world.apply("witness", json!({})).await;
    world.until_reason("witness", "InSync").await;
    assert_eq!(world.updates().len(), 1);
    assert_eq!(version(&world.api().get("restarted").await.unwrap()), version(&before));
}
