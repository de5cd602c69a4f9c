//! Two resources, one credential.

use confidence_operator::api::ConfidenceClientCredential;
use confidence_simulator::Config;
use serde_json::json;

use crate::world::{CLIENT, PATIENCE, World, condition, message};

#[tokio::test]
async fn first_owner_stays_owner_until_deleted() {
    let world = World::new(Config::default()).await;
    world.seed("shared");
    let name = format!("clients/{CLIENT}/credentials/shared");
    let other_form = format!("clients/{CLIENT}/clientCredentials/shared");
    let _operator = world.operator(&["--interval", "1s"]);
    world.apply("a-older", json!({"name": name, "displayName": "Older"})).await;
    world.until_reason("a-older", "InSync").await;
    world.apply("b-younger", json!({"name": other_form, "displayName": "Younger"})).await;
    let object = world.until_reason("b-younger", "Conflict").await;
    assert_eq!(condition(&object, "Stalled").unwrap().0, "True");
    assert!(message(&object).starts_with("a-older names the same credential"), "{}", message(&object));
    assert_eq!(world.credential("shared").display_name, "Older");
    // A suspended owner is still the owner.
    world.apply("a-older", json!({"name": name, "displayName": "Older", "suspend": true})).await;
    world.until_reason("a-older", "Suspended").await;
    let object = world.look_at("b-younger", "1").await;
    assert_eq!(condition(&object, "Ready").unwrap().1, "Conflict");
    assert_eq!(world.updates().len(), 1);
    world.delete("a-older").await;
    world.until_reason("b-younger", "InSync").await;
    assert_eq!(world.credential("shared").display_name, "Younger");
}

#[tokio::test]
async fn rivals_of_two_namespaces_learn_nothing_foreign() {
    let world = World::new(Config::default()).await;
    let mut other = World::new(Config::default()).await;
    for id in ["mine", "yours", "both"] {
        world.seed(id);
    }
    let _operator = world.operator(&["--watch-namespace", &other.namespace]);
    other.simulator = world.simulator.clone();
    world.apply("mine", json!({"sdkType": "BACKEND"})).await;
    other.apply("yours", json!({"sdkType": "FRONTEND"})).await;
    world.until_reason("mine", "InSync").await;
    other.until_reason("yours", "InSync").await;
    world.apply("both", json!({"displayName": "First"})).await;
    world.until_reason("both", "InSync").await;
    other.apply("both", json!({"displayName": "Second"})).await;
    let object = other.until_reason("both", "Conflict").await;
    assert!(!message(&object).contains(&world.namespace), "names nothing foreign: {}", message(&object));
    world.until_reason("both", "InSync").await;
    assert_eq!(world.credential("both").display_name, "First");
}

/// Whoever held a credential keeps it: an older manifest elsewhere must not take it over by coming into sight.
#[tokio::test]
async fn older_rival_of_another_namespace_takes_nothing() {
    let elder = World::new(Config::default()).await;
    let mut world = World::new(Config::default()).await;
    world.simulator = elder.simulator.clone();
    elder.seed("found");
    elder.apply("found", json!({"displayName": "Elder"})).await;
    let created = |object: &ConfidenceClientCredential| object.metadata.creation_timestamp.as_ref().map(|it| it.0);
    let older = created(&elder.api().get("found").await.unwrap());
    // A creation time has whole seconds.
    let mut younger = world.apply("found", json!({})).await;
    while created(&younger) == older {
        world.delete("found").await;
        younger = world.apply("found", json!({})).await;
    }
    let operator = |flags: &[&str]| {
        world
            .program()
            .env("CONFIDENCE_TOKEN", "test-token")
            .args(["--confidence-url", &elder.server.url()])
            .args(flags)
            .start()
    };
    let mut first = operator(&[]).unwrap();
    world.until_reason("found", "InSync").await;
    first.terminate(PATIENCE).unwrap();
    // Twice the same namespace is once.
    let _second = operator(&["--watch-namespace", &elder.namespace, "--watch-namespace", &world.namespace]).unwrap();
    elder.until_reason("found", "Conflict").await;
    let object = world.look_at("found", "1").await;
    assert_eq!(condition(&object, "Ready").unwrap().1, "InSync");
    assert_eq!(world.credential("found").display_name, "Checkout");
}
