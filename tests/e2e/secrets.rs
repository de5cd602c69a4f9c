//! The client secret: taken there, kept there, and shown nowhere.

use confidence_simulator::{CallKind, Config, Fault, FaultKind, Secrets};
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::world::{CLIENT, World, condition, message, status};

fn reference(name: &str) -> Value {
    json!({"clientSecret": {"secretKeyRef": {"name": name, "key": "secret"}}})
}

fn secret_updates(world: &World) -> usize {
    world.updates().iter().filter(|call| call.mask.contains(&"client_secret".to_owned())).count()
}

#[tokio::test]
async fn a_withheld_secret_is_written_once_and_again_within_seconds_of_a_change() {
    let world = World::new(Config::default()).await;
    world.seed("withheld");
    world.put_secret("withheld", "secret", "hunter2-first\n").await;
    let _operator = world.operator(&["--interval", "1s"]);
    world.apply("withheld", reference("withheld")).await;
    let object = world.until_reason("withheld", "InSync").await;
    assert_eq!(world.credential("withheld").secret, "hunter2-first");
    let secret = world.secrets().get("withheld").await.unwrap();
    let written = status(&object).observed_secret.unwrap();
    assert_eq!((Some(written.uid), Some(written.resource_version)), (secret.uid(), secret.resource_version()));
    let looks = world.simulator.call_count();
    world.until_calls(|calls| calls.len() >= looks + 3).await;
    assert_eq!(secret_updates(&world), 1);
    world.put_secret("withheld", "secret", "hunter2-second").await;
    world
        .until_calls(|calls| {
            calls.iter().filter(|call| call.kind == CallKind::Update && call.status == Some(200)).count() == 2
        })
        .await;
    assert_eq!(world.credential("withheld").secret, "hunter2-second");
}

#[tokio::test]
async fn a_changed_secret_is_noticed_by_its_watch_and_not_only_at_the_interval() {
    let world = World::new(Config::default()).await;
    world.seed("watched");
    world.put_secret("watched", "secret", "hunter2-a").await;
    let _operator = world.operator(&["--interval", "1h"]);
    world.apply("watched", reference("watched")).await;
    world.until_reason("watched", "InSync").await;
    world.put_secret("watched", "secret", "hunter2-b").await;
    world
        .until_calls(|calls| {
            calls.iter().filter(|call| call.kind == CallKind::Update && call.status == Some(200)).count() == 2
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_changes_after_a_restart_is_noticed_by_its_watch_too() {
    let world = World::new(Config::default()).await;
    world.seed("restarted");
    world.put_secret("restarted", "secret", "hunter2-a").await;
    let mut first = world.operator(&["--interval", "1h"]);
    world.apply("restarted", reference("restarted")).await;
    world.until_reason("restarted", "InSync").await;
    first.kill().unwrap();
    let looks = world.calls(CallKind::Get).len();
    let _second = world.operator(&["--interval", "1h"]);
    world
        .until_calls(|calls| calls.iter().filter(|call| call.kind == CallKind::Get && call.settled).count() > looks)
        .await;
    world.put_secret("restarted", "secret", "hunter2-b").await;
    world
        .until_calls(|calls| calls.iter().filter(|call| call.kind == CallKind::Update && call.settled).count() == 2)
        .await;
    assert_eq!(world.credential("restarted").secret, "hunter2-b");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_watch_a_changed_secret_is_noticed_at_the_interval_and_an_unchanged_one_costs_no_write() {
    let world = World::new(Config::default()).await;
    let ids = ["unwatched-1", "unwatched-2", "unwatched-3"];
    let _operator = world.operator(&["--interval", "1s", "--watch-secrets", "false"]);
    for id in ids {
        world.seed(id);
        world.put_secret(id, "secret", "hunter2-a").await;
        world.apply(id, reference(id)).await;
        world.until_reason(id, "InSync").await;
    }
    let looks = world.calls(CallKind::List).len();
    world.until_calls(|calls| calls.iter().filter(|call| call.kind == CallKind::List).count() >= looks + 3).await;
    assert_eq!(secret_updates(&world), 3);
    world.put_secret("unwatched-2", "secret", "hunter2-b").await;
    world.until_calls(|calls| calls.iter().filter(|call| call.kind == CallKind::Update).count() == 4).await;
    world.until("unwatched-2", |it| status(it).observed_secret.is_some()).await;
    assert_eq!(world.credential("unwatched-2").secret, "hunter2-b");
}

#[tokio::test]
async fn a_returned_secret_is_compared_and_an_equal_one_is_not_written() {
    let world = World::new(Config { secrets: Secrets::Returned, ..Config::default() }).await;
    world.seed("returned");
    world.simulator.edit(CLIENT, "returned", |it| it.secret = "hunter2-same".to_owned());
    world.put_secret("returned", "secret", "hunter2-same").await;
    let _operator = world.operator(&[]);
    world.apply("returned", reference("returned")).await;
    let before = world.until_reason("returned", "InSync").await;
    assert!(world.updates().is_empty());
    world.simulator.edit(CLIENT, "returned", |it| it.secret = "somebody's".to_owned());
    world.look_at("returned", "1").await;
    world.until("returned", |it| status(it).last_update != status(&before).last_update).await;
    assert_eq!(world.credential("returned").secret, "hunter2-same");
    assert_eq!(world.updates()[0].body, json!({"displayName": "Checkout", "clientSecret": {"secret": "hunter2-same"}}));
}

/// A rotation is the user's own doing, also where the server tells that it holds the former secret; another's change is not.
#[tokio::test]
async fn rotated_secret_is_told_as_no_drift() {
    let world = World::new(Config { secrets: Secrets::Returned, ..Config::default() }).await;
    world.seed("rotated");
    world.simulator.edit(CLIENT, "rotated", |it| it.secret = "hunter2-old".to_owned());
    world.put_secret("rotated", "secret", "hunter2-old").await;
    let operator = world.operator(&["--interval", "1h"]);
    world.apply("rotated", reference("rotated")).await;
    world.until_reason("rotated", "InSync").await;
    for (number, value) in ["hunter2-new", "hunter2-newer"].into_iter().enumerate() {
        world.put_secret("rotated", "secret", value).await;
        world
            .until_calls(|calls| calls.iter().filter(|it| it.kind == CallKind::Update && it.settled).count() > number)
            .await;
        world.until_events("rotated", &vec!["Updated"; number + 1]).await;
    }
    world.simulator.edit(CLIENT, "rotated", |it| it.secret = "somebody's".to_owned());
    world.look_at("rotated", "1").await;
    world.until_events("rotated", &["Updated", "Updated", "DriftDetected", "Updated"]).await;
    let detected = r#"confidence_operator_drift_detected_total{field="clientSecret"} 1"#;
    assert!(crate::program::get(&operator, "/metrics").await.1.contains(detected));
}

#[tokio::test]
async fn a_withheld_secret_is_written_again_after_somebody_else_wrote_the_credential() {
    let world = World::new(Config::default()).await;
    world.seed("foreign");
    world.put_secret("foreign", "secret", "hunter2-mine").await;
    let _operator = world.operator(&[]);
    world.apply("foreign", reference("foreign")).await;
    world.until_reason("foreign", "InSync").await;
    world.simulator.edit(CLIENT, "foreign", |it| it.secret = "theirs".to_owned());
    world.look_at("foreign", "1").await;
    assert_eq!(world.credential("foreign").secret, "hunter2-mine");
    world.look_at("foreign", "2").await;
    assert_eq!(secret_updates(&world), 2);
}

#[tokio::test]
async fn a_foreign_secret_is_noticed_too_when_an_edit_of_the_spec_comes_before_the_next_look() {
    let world = World::new(Config::default()).await;
    world.seed("overtaken");
    world.put_secret("overtaken", "secret", "hunter2-mine").await;
    let _operator = world.operator(&["--interval", "1h"]);
    world.apply("overtaken", reference("overtaken")).await;
    world.until_reason("overtaken", "InSync").await;
    world.simulator.edit(CLIENT, "overtaken", |it| it.secret = "theirs".to_owned());
    let mut spec = reference("overtaken");
    spec["displayName"] = json!("Renamed");
    world.apply("overtaken", spec).await;
    world.until_reason("overtaken", "InSync").await;
    let credential = world.credential("overtaken");
    assert_eq!((credential.secret.as_str(), credential.display_name.as_str()), ("hunter2-mine", "Renamed"));
    assert_eq!(world.updates().len(), 2, "one update for both");
}

#[tokio::test]
async fn what_the_answer_shows_to_differ_besides_is_written_without_the_secret_once_more() {
    let world = World::new(Config::default()).await;
    world.seed("besides");
    world.put_secret("besides", "secret", "hunter2-old").await;
    let _operator = world.operator(&["--interval", "1h"]);
    let mut spec = reference("besides");
    spec["environments"] = json!(["mine"]);
    world.apply("besides", spec).await;
    world.until_reason("besides", "InSync").await;
    let before = world.updates().len();
    world.simulator.edit(CLIENT, "besides", |it| it.environments = vec!["theirs".to_owned()]);
    world.put_secret("besides", "secret", "hunter2-new").await;
    world
        .until_calls(|calls| {
            calls.iter().filter(|call| call.kind == CallKind::Update && call.status == Some(200)).count() == before + 2
        })
        .await;
    let masks: Vec<_> = world.updates()[before..].iter().map(|call| call.mask.join(",")).collect();
    assert_eq!(masks, ["client_secret", "environments"]);
}

#[tokio::test]
async fn a_secret_of_which_only_the_metadata_moved_is_not_written_again() {
    let world = World::new(Config::default()).await;
    world.seed("labelled");
    world.put_secret("labelled", "secret", "hunter2-same").await;
    let _operator = world.operator(&[]);
    world.apply("labelled", reference("labelled")).await;
    world.until_reason("labelled", "InSync").await;
    let label = json!({"metadata": {"labels": {"a": "b"}}});
    let moved = world.secrets().patch("labelled", &PatchParams::default(), &Patch::Merge(label)).await.unwrap();
    world
        .until("labelled", |it| status(it).observed_secret.map(|it| it.resource_version) == moved.resource_version())
        .await;
    assert_eq!(secret_updates(&world), 1);
}

#[tokio::test]
async fn a_missing_secret_stalls_the_resource_until_it_comes_and_again_when_it_goes() {
    let world = World::new(Config::default()).await;
    world.seed("missing");
    let _operator = world.operator(&[]);
    world.apply("missing", reference("missing")).await;
    let object = world.until_reason("missing", "SecretNotFound").await;
    assert_eq!(condition(&object, "Stalled").unwrap().0, "True");
    assert!(message(&object).contains(&format!("{}/missing", world.namespace)), "{}", message(&object));
    assert_eq!(world.simulator.call_count(), 0);
    world.put_secret("missing", "other", "hunter2-other").await;
    world.until_reason("missing", "SecretInvalid").await;
    world.put_secret("missing", "secret", "hunter2-come").await;
    world.until_reason("missing", "InSync").await;
    world.secrets().delete("missing", &DeleteParams::default()).await.unwrap();
    world.until_reason("missing", "SecretNotFound").await;
    assert_eq!(world.credential("missing").secret, "hunter2-come", "the credential is left alone");
}

#[tokio::test]
async fn the_secret_is_in_no_status_event_log_line_or_metric() {
    let world = World::new(Config { secrets: Secrets::Returned, ..Config::default() }).await;
    world.seed("silent");
    world.put_secret("silent", "secret", "hunter2-silent").await;
    let operator =
        world.program().arg("--token-file").arg(world.file("token")).env("LOG_LEVEL", "trace").start().unwrap();
    world.apply("silent", reference("silent")).await;
    world.until_reason("silent", "InSync").await;
    // An answer with the secret that cannot be read, and a refusal that repeats what was sent, go through the errors too.
    world.simulator.fault(Fault::once(FaultKind::BrokenJson));
    world.simulator.edit(CLIENT, "silent", |it| it.secret = "hunter2-foreign".to_owned());
    world.look_at("silent", "1").await;
    world.until_reason("silent", "InSync").await;
    world.simulator.fault(Fault::once(FaultKind::Echo { code: 400 }).on(CallKind::Update));
    world.put_secret("silent", "secret", "hunter2-newer").await;
    let refused = world.until_reason("silent", "Rejected").await;
    assert!(!message(&refused).contains("refused:"), "the server's words are dropped: {}", message(&refused));
    let object = serde_json::to_string(&world.api().get("silent").await.unwrap()).unwrap();
    let events = serde_json::to_string(&world.events("silent").await).unwrap();
    let metrics = crate::program::get(&operator, "/metrics").await.1;
    let log = operator.lines().join("\n");
    assert!(log.lines().count() > 20, "the log is at trace");
    for (what, text) in [("status", &object), ("events", &events), ("metrics", &metrics), ("log", &log)] {
        for secret in ["hunter2", "test-token", "aHVudGVyMi1zaWxlbnQ"] {
            let line = text.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{secret} is in the {what}: {line:?}");
        }
    }
}
