//! What a person sees with kubectl.

use confidence_simulator::Config;
use serde_json::json;
use testbed::ControlPlane;

use crate::world::{World, condition, is_current, run, status};

#[tokio::test]
async fn kubectl_wait_and_get_tell_a_person_what_is_wrong_with_which_credential() {
    let world = World::new(Config::default()).await;
    world.seed("good");
    let _operator = world.operator(&[]);
    world.apply("good", json!({"sdkType": "BACKEND"})).await;
    world.apply("lost", json!({})).await;
    let plane = ControlPlane::shared();
    let namespace = ["-n", &world.namespace];
    let waited = tokio::task::spawn_blocking({
        let namespace = world.namespace.clone();
        move || run(plane, &["wait", "--for=condition=Ready", "--timeout=60s", "ccc/good", "-n", &namespace])
    });
    assert!(waited.await.unwrap().contains("condition met"));
    world.until_reason("lost", "CredentialNotFound").await;
    let table = run(plane, &[&["get", "ccc"][..], &namespace].concat());
    let header: Vec<_> = table.lines().next().unwrap().split("  ").map(str::trim).filter(|it| !it.is_empty()).collect();
    assert_eq!(header, ["NAME", "READY", "REASON", "LAST SEEN", "AGE"]);
    let lost = table.lines().find(|line| line.starts_with("lost")).unwrap();
    assert!(lost.contains("False") && lost.contains("CredentialNotFound"), "{table}");
    let category = run(plane, &[&["get", "confidence", "-o", "name"][..], &namespace].concat());
    assert!(category.contains("confidenceclientcredential.iam.confidence.dev/good"), "{category}");
    let wide = run(plane, &[&["get", "ccc", "-o", "wide"][..], &namespace].concat());
    for column in ["CREDENTIAL", "SECRET", "DRIFT", "ROTATING", "UPDATED", "MESSAGE"] {
        assert!(wide.lines().next().unwrap().contains(column), "{column}: {wide}");
    }
    assert!(wide.contains("/credentials/good"), "{wide}");
    let by_name = format!("--field-selector=spec.name={}", world.api().get("good").await.unwrap().spec.name.unwrap());
    let selected = run(plane, &[&["get", "ccc", "-o", "name", &by_name][..], &namespace].concat());
    assert_eq!(selected.trim(), "confidenceclientcredential.iam.confidence.dev/good");
}

#[tokio::test]
async fn a_missing_credential_is_stalled_told_once_and_found_again_later() {
    let world = World::new(Config::default()).await;
    let _operator = world.operator(&["--interval", "1s"]);
    world.apply("later", json!({})).await;
    let object = world.until_reason("later", "CredentialNotFound").await;
    assert_eq!(condition(&object, "Stalled"), Some(("True".into(), "CredentialNotFound".into())));
    let looks = world.simulator.call_count();
    world.until_calls(|calls| calls.len() >= looks + 3).await;
    world.until_events("later", &["CredentialNotFound"]).await;
    world.seed("later");
    let object = world.until_reason("later", "InSync").await;
    assert_eq!(condition(&object, "Stalled"), None);
    assert!(is_current(&object));
    assert!(status(&object).conditions.iter().all(|it| it.observed_generation == object.metadata.generation));
}

#[tokio::test]
async fn a_mass_correction_is_summed_up_and_not_told_a_hundred_times() {
    let world = World::new(Config::default()).await;
    let names: Vec<String> = (0..60).map(|number| format!("mass-{number:02}")).collect();
    for name in &names {
        world.seed(name);
        world.apply(name, json!({"sdkType": "BACKEND"})).await;
    }
    let _operator = world.operator(&[]);
    for name in &names {
        world.until_reason(name, "InSync").await;
    }
    let mut told = 0;
    for name in &names {
        told += world.events(name).await.len();
    }
    assert!((1..=30).contains(&told), "{told} events for 60 updates");
}
