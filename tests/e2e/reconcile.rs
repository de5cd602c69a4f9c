//! The main job: drift is found and mended with one minimal update, and nothing else is done.

use confidence_simulator::{CallKind, Config, Fault, FaultKind};
use serde_json::json;

use crate::program::until_status_writes;
use crate::world::{CLIENT, World, condition, status, version};

#[tokio::test]
async fn a_credential_that_differs_is_updated_with_exactly_the_fields_that_differ() {
    let world = World::new(Config::default()).await;
    world.seed("minimal");
    let _operator = world.operator(&[]);
    world.apply("minimal", json!({"environments": ["production", "staging"], "sdkType": "BACKEND"})).await;
    let object = world.until_reason("minimal", "InSync").await;
    let updates = world.updates();
    assert_eq!(updates.len(), 1, "{updates:#?}");
    assert_eq!(updates[0].mask, ["environments", "sdk_type"]);
    assert_eq!(
        updates[0].body,
        json!({"displayName": "Checkout", "environments": ["production", "staging"], "sdkType": "BACKEND"})
    );
    assert_eq!(world.credential("minimal").environments, ["production", "staging"]);
    let status = status(&object);
    assert_eq!(status.name.unwrap(), format!("clients/{CLIENT}/credentials/minimal"));
    assert_eq!(status.last_update.unwrap().update_mask, "environments,sdk_type");
    assert_eq!(status.update_time.unwrap().0, world.credential("minimal").update_time.unwrap());
    assert_eq!(status.creator.as_deref(), Some("identities/creator"));
    assert_eq!(status.updater.as_deref(), Some("identities/operator"));
    assert_eq!(condition(&object, "Drifted"), None);
}

#[tokio::test]
async fn nothing_changed_is_no_update_and_no_status_write() {
    let world = World::new(Config::default()).await;
    world.seed("quiet");
    let operator = world.operator(&["--interval", "1s"]);
    world.apply("quiet", json!({})).await;
    let before = world.until_reason("quiet", "InSync").await;
    let looks = world.calls(CallKind::Get).len();
    world.until_calls(|calls| calls.iter().filter(|call| call.kind == CallKind::Get).count() >= looks + 4).await;
    let after = world.api().get("quiet").await.unwrap();
    assert_eq!(version(&after), version(&before));
    // The API server keeps the version where a write changes nothing: it must not even be asked.
    until_status_writes(&operator, 1).await;
    assert!(world.updates().is_empty());
}

#[tokio::test]
async fn what_the_manifest_does_not_mention_is_left_alone() {
    let world = World::new(Config::default()).await;
    world.seed("unmanaged");
    world.simulator.edit(CLIENT, "unmanaged", |it| {
        it.labels = [("kept".to_owned(), "yes".to_owned())].into();
        it.environments = vec!["kept".to_owned()];
        it.sdk_type = "FRONTEND".to_owned();
        it.display_name = "Old".to_owned();
    });
    let _operator = world.operator(&[]);
    world.apply("unmanaged", json!({"displayName": "New"})).await;
    world.until_reason("unmanaged", "InSync").await;
    let updates = world.updates();
    assert_eq!(updates.len(), 1);
    assert_eq!(
        (updates[0].mask.as_slice(), &updates[0].body),
        (&["display_name".to_owned()][..], &json!({"displayName": "New"}))
    );
    let after = world.credential("unmanaged");
    assert_eq!(
        (after.labels["kept"].as_str(), after.environments, after.sdk_type.as_str()),
        ("yes", vec!["kept".to_owned()], "FRONTEND")
    );
}

#[tokio::test]
async fn what_was_written_is_told_even_if_the_update_after_it_fails() {
    let world = World::new(Config::default()).await;
    world.seed("half");
    let _operator = world.operator(&["--interval", "1h"]);
    world.apply("half", json!({"environments": ["mine"]})).await;
    world.until_reason("half", "InSync").await;
    // Planned from the last look, the update of the name shows by its answer that the environments differ too.
    world.simulator.edit(CLIENT, "half", |it| it.environments = vec!["theirs".to_owned()]);
    world.simulator.fault(Fault::once(FaultKind::status(403)).on(CallKind::Update).skip(1));
    world.apply("half", json!({"environments": ["mine"], "displayName": "Renamed"})).await;
    let object = world.until_reason("half", "Forbidden").await;
    assert_eq!(status(&object).last_update.unwrap().update_mask, "display_name");
    assert_eq!(status(&object).drift.unwrap().fields, ["environments"]);
    world.until_events("half", &["Updated", "Updated", "Forbidden"]).await;
}

#[tokio::test]
async fn what_is_present_and_empty_is_cleared() {
    let world = World::new(Config::default()).await;
    world.seed("cleared");
    world.simulator.edit(CLIENT, "cleared", |it| {
        it.labels = [("a".to_owned(), "b".to_owned())].into();
        it.environments = vec!["x".to_owned()];
        it.sdk_type = "FRONTEND".to_owned();
    });
    let _operator = world.operator(&[]);
    world.apply("cleared", json!({"environments": [], "labels": {}, "sdkType": "SDK_TYPE_UNSPECIFIED"})).await;
    world.until_reason("cleared", "InSync").await;
    let updates = world.updates();
    assert_eq!(updates.len(), 1);
    assert_eq!(updates[0].mask, ["environments", "labels", "sdk_type"]);
    assert_eq!(
        updates[0].body,
        json!({"displayName": "Checkout", "environments": [], "labels": {}, "sdkType": "SDK_TYPE_UNSPECIFIED"})
    );
    let after = world.credential("cleared");
    assert!(after.labels.is_empty() && after.environments.is_empty());
}

#[tokio::test]
async fn environments_in_another_order_are_no_drift() {
    let world = World::new(Config::default()).await;
    world.seed("ordered");
    world.simulator.edit(CLIENT, "ordered", |it| it.environments = ["b", "a", "b"].map(String::from).into());
    let _operator = world.operator(&[]);
    world.apply("ordered", json!({"environments": ["a", "b"]})).await;
    world.until_reason("ordered", "InSync").await;
    assert!(world.updates().is_empty());
}

#[tokio::test]
async fn drift_behind_the_operators_back_is_found_at_the_interval_and_mended() {
    let world = World::new(Config::default()).await;
    world.seed("drifting");
    let _operator = world.operator(&[]);
    world.apply("drifting", json!({"labels": {"team": "checkout"}, "interval": "1s"})).await;
    let before = world.until_reason("drifting", "InSync").await;
    world.simulator.edit(CLIENT, "drifting", |it| drop(it.labels.insert("stray".to_owned(), "x".to_owned())));
    world.until("drifting", |it| status(it).last_update != status(&before).last_update).await;
    assert_eq!(world.credential("drifting").labels, [("team".to_owned(), "checkout".to_owned())].into());
    let updates = world.updates();
    assert_eq!(updates.last().unwrap().mask, ["labels"]);
    assert_eq!(updates.len(), 2);
    let reasons = testbed::eventually(
        "events",
        testbed::Deadline::default(),
        async || world.event_reasons("drifting").await,
        |it| it.len() == 3,
    );
    assert_eq!(reasons.await, ["Updated", "DriftDetected", "Updated"]);
}

#[tokio::test]
async fn last_seen_time_that_moves_is_no_drift_and_is_written_only_as_finely_as_told() {
    let world = World::new(Config::default()).await;
    world.seed("seen");
    let seen = |time: &str| {
        let time = time.parse().unwrap();
        world.simulator.edit(CLIENT, "seen", |it| {
            it.last_seen_time = Some(time);
            // Resolving a flag is no write: neither the updater nor the update time moves.
            it.update_time = Some("2025-01-01T00:00:00Z".parse().unwrap());
            it.updater = "identities/creator".to_owned();
        });
    };
    seen("2026-01-01T00:00:00Z");
    let _operator = world.operator(&["--interval", "1s"]);
    world.apply("seen", json!({})).await;
    let before = world.until("seen", |it| status(it).last_seen_time.is_some()).await;
    seen("2026-01-01T00:59:00Z");
    let looks = world.calls(CallKind::Get).len();
    world.until_calls(|calls| calls.len() >= looks + 3).await;
    assert_eq!(version(&world.api().get("seen").await.unwrap()), version(&before));
    seen("2026-01-01T01:00:01Z");
    world.until("seen", |it| status(it).last_seen_time > status(&before).last_seen_time).await;
    assert!(world.updates().is_empty());
}

#[tokio::test]
async fn one_change_costs_one_update_and_one_status_write() {
    let world = World::new(Config::default()).await;
    world.seed("thrifty");
    let operator = world.operator(&[]);
    world.apply("thrifty", json!({"sdkType": "BACKEND"})).await;
    world.until_reason("thrifty", "InSync").await;
    world.apply("thrifty", json!({"sdkType": "FRONTEND"})).await;
    world.until_reason("thrifty", "InSync").await;
    assert_eq!(world.updates().len(), 2);
    until_status_writes(&operator, 2).await;
}

#[tokio::test]
async fn a_spec_edit_during_a_call_is_never_reported_as_applied_before_it_is() {
    let world = World::new(Config { latency_milliseconds: 300, ..Config::default() }).await;
    world.seed("edited");
    let _operator = world.operator(&[]);
    world.apply("edited", json!({"displayName": "One"})).await;
    world.until_calls(|calls| calls.iter().any(|call| call.kind == CallKind::Update)).await;
    let second = world.apply("edited", json!({"displayName": "Two"})).await;
    let object = world.until("edited", |it| status(it).observed_generation == second.metadata.generation).await;
    assert_eq!(condition(&object, "Ready").unwrap().0, "True");
    assert_eq!(world.credential("edited").display_name, "Two");
}

#[tokio::test]
async fn report_tells_of_drift_and_never_writes() {
    let world = World::new(Config::default()).await;
    world.seed("reported");
    let _operator = world.operator(&["--interval", "1s"]);
    world.apply("reported", json!({"driftPolicy": "Report", "labels": {"a": "b"}, "displayName": "Other"})).await;
    let object = world.until_reason("reported", "DriftReported").await;
    assert_eq!(condition(&object, "Ready").unwrap().0, "True");
    assert_eq!(condition(&object, "Drifted"), Some(("True".into(), "DriftReported".into())));
    assert_eq!(status(&object).drift.unwrap().fields, ["displayName", "labels"]);
    let looks = world.simulator.call_count();
    world.until_calls(|calls| calls.len() >= looks + 3).await;
    assert!(world.updates().is_empty());
    world.until_events("reported", &["DriftDetected"]).await;
}

#[tokio::test]
async fn suspended_makes_no_call_and_going_on_brings_it_in_line() {
    let world = World::new(Config::default()).await;
    world.seed("suspended");
    let _operator = world.operator(&["--interval", "1s"]);
    world.apply("suspended", json!({"suspend": true, "sdkType": "BACKEND"})).await;
    let object = world.until_reason("suspended", "Suspended").await;
    assert_eq!(condition(&object, "Ready").unwrap().0, "Unknown");
    assert_eq!(world.simulator.call_count(), 0);
    world.apply("suspended", json!({"suspend": false, "sdkType": "BACKEND"})).await;
    world.until_reason("suspended", "InSync").await;
    assert_eq!(world.updates().len(), 1);
}

#[tokio::test]
async fn deleting_the_resource_leaves_the_credential() {
    let world = World::new(Config::default()).await;
    world.seed("deleted");
    let _operator = world.operator(&[]);
    world.apply("deleted", json!({})).await;
    world.until_reason("deleted", "InSync").await;
    world.delete("deleted").await;
    world.seed("witness");
    world.apply("witness", json!({})).await;
    world.until_reason("witness", "InSync").await;
    assert_eq!(world.credential("deleted").display_name, "Checkout");
    assert!(world.calls(CallKind::Delete).is_empty());
}
