//! Credentials that the operator creates: from the manifest to the published Secret, rotated, deleted.

use std::time::Duration;

use confidence_operator::api::{RECONCILE_REQUESTED_AT, RETIRE, ROTATE_REQUESTED_AT};
use confidence_simulator::{Call, CallKind, Client, Config, Fault, FaultKind, Secrets};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use testbed::{Deadline, Process, eventually};

use crate::program::get;
use crate::world::{CLIENT, World, condition, message, status};

/// A world whose server returns a secret when it is created, and then as said.
async fn world(secrets: Secrets) -> World {
    let world = World::new(Config { secrets, ..Config::default() }).await;
    world.simulator.put_client(CLIENT, Client::default());
    world
}

fn operator(world: &World) -> Process {
    world.operator(&["--interval", "1s"])
}

/// Asks for a credential whose secret is published in the Secret of the same name.
async fn ask(world: &World, name: &str, spec: Value) {
    let mut all = json!({
        "client": format!("clients/{CLIENT}"), "displayName": "Checkout", "publishedSecret": {"name": name},
    });
    for (field, value) in spec.as_object().unwrap() {
        all[field] = value.clone();
    }
    world.apply_spec(name, all).await.unwrap();
}

/// What a pod would authenticate with.
fn value(secret: &Secret) -> String {
    String::from_utf8(secret.data.clone().unwrap()["clientSecret"].0.clone()).unwrap()
}

/// The ids of the live credentials.
fn live(world: &World) -> Vec<String> {
    world.simulator.all().into_keys().map(|(_, id)| id).collect()
}

async fn published(world: &World, name: &str) -> Secret {
    world.until(name, |it| condition(it, "Published").is_some_and(|(truth, _)| truth == "True")).await;
    world.secrets().get(name).await.unwrap()
}

/// Waits until one credential is left. Returns its id.
async fn until_one_is_live(world: &World) -> String {
    let all = async || live(world);
    eventually("one credential", Deadline::default(), all, |it| it.len() == 1).await.remove(0)
}

/// Two days pass at the server.
fn two_days_pass(world: &World) {
    world.simulator.reconfigure(|config| config.clock_skew_milliseconds += 2 * 24 * 3_600_000);
}

/// Waits until the operator exposes a series with this value.
async fn until_metrics_show(operator: &Process, series: &str) {
    let line = format!("confidence_operator_{series}\n");
    let metrics = async || get(operator, "/metrics").await.1;
    eventually(series, Deadline::default(), metrics, |it| it.contains(&line)).await;
}

/// Deletes a resource, and waits until it is gone.
async fn delete(world: &World, name: &str) {
    world.delete(name).await;
    let object = async || world.api().get_opt(name).await.unwrap();
    eventually("no resource", Deadline::default(), object, Option::is_none).await;
}

/// One POST, one Secret, and the secret in it is the one that works.
#[tokio::test]
async fn asked_credential_is_created_and_published() {
    let world = world(Secrets::Withheld).await;
    let operator = operator(&world);
    ask(&world, "fresh", json!({"environments": ["production"], "labels": {"team": "checkout"}})).await;
    let object = world.until_reason("fresh", "InSync").await;
    let secret = published(&world, "fresh").await;
    let name = status(&object).name.unwrap();
    let id = name.rsplit('/').next().unwrap();
    assert_eq!(live(&world), [id]);
    let credential = world.credential(id);
    assert_eq!(value(&secret), credential.secret);
    assert_eq!(credential.environments, ["production"]);
    assert_eq!(credential.labels["team"], "checkout");
    assert_eq!(secret.annotations()["iam.confidence.dev/credential"], name);
    assert_eq!(world.calls(CallKind::Create).len(), 1);
    assert!(operator.lines().iter().all(|line| !line.contains(&credential.secret)), "no secret in the log");
}

/// A key of ours that was taken away comes back with the same value where the server returns it, else as a new credential.
#[tokio::test]
async fn deleted_secret_is_published_again() {
    for (id, secrets, creates) in [("returned", Secrets::Returned, 1), ("withheld", Secrets::Withheld, 2)] {
        let world = world(secrets).await;
        let _operator = operator(&world);
        ask(&world, id, json!({})).await;
        let before = published(&world, id).await;
        // A credential is not replaced in its first minute: time goes on at the server.
        world.simulator.reconfigure(|config| config.clock_skew_milliseconds += 120_000);
        world.secrets().delete(id, &DeleteParams::default()).await.unwrap();
        let get = async || world.secrets().get_opt(id).await.unwrap();
        let after = eventually("a Secret", Deadline::default(), get, Option::is_some).await.unwrap();
        assert_eq!(world.calls(CallKind::Create).len(), creates, "{id}");
        assert_eq!(value(&after) == value(&before), creates == 1, "{id}");
        assert!(world.simulator.resolve(&value(&after)).is_ok(), "{id}: the published secret works");
    }
}

/// A rotation keeps both credentials until the old one is silent.
#[tokio::test]
async fn requested_rotation_overlaps_until_old_is_silent() {
    let world = world(Secrets::Withheld).await;
    let _operator = operator(&world);
    ask(&world, "turning", json!({})).await;
    let first = value(&published(&world, "turning").await);
    world.annotate("turning", ROTATE_REQUESTED_AT, "please").await;
    let object = world
        .until("turning", |it| {
            status(it).rotation.is_some_and(|it| it.last_handled_rotate_at.as_deref() == Some("please"))
        })
        .await;
    assert_eq!(condition(&object, "Ready").unwrap().0, "True");
    let second = value(&world.secrets().get("turning").await.unwrap());
    assert_ne!(first, second);
    assert_eq!(live(&world).len(), 2);
    assert!(world.simulator.resolve(&first).is_ok(), "the old one still works");
    // Two days later nobody has used the old one, and the new one was seen.
    two_days_pass(&world);
    assert!(world.simulator.resolve(&second).is_ok());
    let id = until_one_is_live(&world).await;
    assert_eq!(world.credential(&id).secret, second);
    world.until("turning", |it| condition(it, "Rotating").is_none()).await;
}

/// The age of the credential at the server begins a rotation. While nobody knows what became of its create, Ready stays as it
/// is; it goes on 80 s later.
#[tokio::test]
async fn schedule_rotates_and_failure_keeps_ready() {
    let world = world(Secrets::Withheld).await;
    let _operator = operator(&world);
    let spec = json!({"rotation": {"every": "24h", "overlap": {"atLeast": "5m", "untilUnusedFor": "1h"}}});
    ask(&world, "aging", spec).await;
    let first = value(&published(&world, "aging").await);
    world.simulator.fault(Fault::once(FaultKind::status(500)).on(CallKind::Create));
    two_days_pass(&world);
    let creates = |calls: &[Call]| calls.iter().filter(|call| call.kind == CallKind::Create).count();
    world.until_calls(|calls| creates(calls) >= 2).await;
    let object = world.look_at("aging", "meanwhile").await;
    assert_eq!(condition(&object, "Ready").unwrap().0, "True", "{}", message(&object));
    assert_eq!(value(&world.secrets().get("aging").await.unwrap()), first);
    let secret = async || value(&world.secrets().get("aging").await.unwrap());
    let patience = Deadline(Duration::from_mins(3));
    let second = eventually("another secret", patience, secret, |it| *it != first).await;
    assert!(world.simulator.resolve(&first).is_ok() && world.simulator.resolve(&second).is_ok());
}

/// An old credential that is in use is never deleted, and a person is told.
#[tokio::test]
async fn old_credential_in_use_stays() {
    let world = world(Secrets::Withheld).await;
    let operator = operator(&world);
    ask(&world, "stubborn", json!({})).await;
    let first = value(&published(&world, "stubborn").await);
    world.annotate("stubborn", ROTATE_REQUESTED_AT, "1").await;
    world.until("stubborn", |it| condition(it, "Rotating").is_some()).await;
    two_days_pass(&world);
    assert!(world.simulator.resolve(&first).is_ok());
    let object =
        world.until("stubborn", |it| condition(it, "Rotating").is_some_and(|(_, it)| it == "OldStillInUse")).await;
    assert_eq!(condition(&object, "Ready").unwrap().0, "True");
    assert_eq!(live(&world).len(), 2);
    let events = async || world.event_reasons("stubborn").await;
    eventually("an event", Deadline::default(), events, |it| it.contains(&"OldStillInUse".to_owned())).await;
    let told = world.event_reasons("stubborn").await;
    assert_eq!(
        told,
        ["Created", "Published", "Created", "Published", "OldStillInUse"],
        "{}",
        operator.lines().join("\n")
    );
    until_metrics_show(&operator, r#"resources_rotating{reason="OldStillInUse"} 1"#).await;
    until_metrics_show(&operator, r#"credentials_created_total{reason="rotated"} 1"#).await;
    // A person decides.
    let old = status(&object).rotation.unwrap().superseded[0].name.clone();
    world.annotate("stubborn", RETIRE, &old).await;
    let id = until_one_is_live(&world).await;
    assert!(!old.ends_with(&id), "the old one is gone");
    until_metrics_show(&operator, r#"resources_rotating{reason="OldStillInUse"} 0"#).await;
    until_metrics_show(&operator, "credentials_deleted_total 1").await;
}

/// `Delete` leaves nothing: no credential, no Secret, no resource.
#[tokio::test]
async fn deleted_resource_leaves_nothing() {
    let world = world(Secrets::Withheld).await;
    let _operator = operator(&world);
    ask(&world, "gone", json!({})).await;
    published(&world, "gone").await;
    delete(&world, "gone").await;
    assert!(live(&world).is_empty());
    assert!(world.secrets().get_opt("gone").await.unwrap().is_none());
}

/// `Orphan` lets everything be.
#[tokio::test]
async fn orphaned_credential_and_secret_stay() {
    let world = world(Secrets::Withheld).await;
    let _operator = operator(&world);
    ask(&world, "kept", json!({})).await;
    published(&world, "kept").await;
    ask(&world, "kept", json!({"deletionPolicy": "Orphan"})).await;
    world.until("kept", |it| it.finalizers().is_empty()).await;
    delete(&world, "kept").await;
    let secret = world.secrets().get("kept").await.unwrap();
    assert!(world.simulator.resolve(&value(&secret)).is_ok());
}

/// A Secret of somebody else is never written.
#[tokio::test]
async fn foreign_secret_is_left_alone() {
    let world = world(Secrets::Withheld).await;
    let _operator = operator(&world);
    world.put_secret("theirs", "clientSecret", "hunter2").await;
    ask(&world, "theirs", json!({})).await;
    let object = world.until_reason("theirs", "SecretNotOurs").await;
    assert!(message(&object).contains("Secret theirs exists"), "{}", message(&object));
    assert_eq!(value(&world.secrets().get("theirs").await.unwrap()), "hunter2");
    assert_eq!(world.calls(CallKind::Create).len(), 0);
}

/// `Report` says what it would do.
#[tokio::test]
async fn report_creates_nothing() {
    let world = world(Secrets::Withheld).await;
    let _operator = operator(&world);
    ask(&world, "dry", json!({"driftPolicy": "Report"})).await;
    let object = world.until_reason("dry", "WouldCreate").await;
    assert!(message(&object).contains("create a credential"), "{}", message(&object));
    assert!(live(&world).is_empty());
    world.annotate("dry", RECONCILE_REQUESTED_AT, "1").await;
    world.until("dry", |it| status(it).last_handled_reconcile_at.as_deref() == Some("1")).await;
    assert!(live(&world).is_empty());
}

/// A created credential costs nothing while nothing changes.
#[tokio::test]
async fn unchanged_created_credential_is_quiet() {
    let world = world(Secrets::Withheld).await;
    let _operator = operator(&world);
    ask(&world, "quiet", json!({"rotation": {"every": "720h"}})).await;
    published(&world, "quiet").await;
    let before = world.until_reason("quiet", "InSync").await;
    let calls = world.simulator.call_count();
    world.until_calls(|all| all.len() >= calls + 4).await;
    let new = world.simulator.calls().split_off(calls);
    assert!(new.iter().all(|call| matches!(call.kind, CallKind::List | CallKind::Get)), "{new:#?}");
    let after = world.api().get("quiet").await.unwrap();
    assert_eq!(after.resource_version(), before.resource_version(), "no write to the resource");
}
