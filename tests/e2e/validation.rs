//! A manifest that cannot work fails at `kubectl apply`, with a message for a person.

use confidence_simulator::Config;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_bad_manifest_is_refused_with_a_message_that_says_what_to_do() {
    let world = World::new(Config::default()).await;
    let long = "x".repeat(129);
    let many: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    let labels: serde_json::Map<String, Value> = (0..65).map(|number| (number.to_string(), json!("x"))).collect();
    let secret = |name: &str, key: &str| json!({"clientSecret": {"secretKeyRef": {"name": name, "key": key}}});
    for (what, spec, said) in [
        ("no-name", json!({"name": "checkout"}), "must be the name of a credential as Confidence shows it"),
        ("collection", json!({"name": "clients/a/keys/b"}), "must be the name of a credential"),
        ("dots", json!({"name": "clients/../credentials/b"}), "must be the name of a credential"),
        ("dot", json!({"name": "clients/a/credentials/."}), "must be the name of a credential"),
        ("slash", json!({"name": "clients/a/credentials/b/"}), "must be the name of a credential"),
        ("long-id", json!({"name": format!("clients/{long}/credentials/b")}), "must be the name of a credential"),
        ("empty", json!({"displayName": ""}), "must not be blank"),
        ("blank", json!({"displayName": " \t"}), "must not be blank"),
        ("long", json!({"displayName": "x".repeat(1025)}), "1024"),
        ("repeats", json!({"environments": ["a", "a"]}), "uplicate"),
        ("nameless", json!({"environments": [""]}), "at least 1 chars"),
        ("many", json!({"environments": many}), "at most 100"),
        ("labels", json!({"labels": labels}), "at most 64"),
        ("label", json!({"labels": {"": "x"}}), "keys must have 1 to 256 characters"),
        ("number", json!({"labels": {"a": 1}}), "expected string"),
        ("sdk", json!({"sdkType": "MOBILE"}), "BACKEND"),
        ("policy", json!({"driftPolicy": "Ignore"}), "Report"),
        ("secret-name", secret("Bad Name", "k"), "must be the name of a Secret"),
        ("secret-key", secret("s", "a/b"), "must be a key of a Secret"),
        ("plaintext", json!({"clientSecret": {"secret": "x"}}), "secretKeyRef"),
        ("short", json!({"interval": "999ms"}), "must be a duration of 1s or more"),
        ("days", json!({"interval": "1d"}), "must be a duration of 1s or more"),
        ("negative", json!({"interval": "-1h"}), "must be a duration of 1s or more"),
        ("bare", json!({"interval": "10"}), "must be a duration of 1s or more"),
    ] {
        let error = world.try_apply(what, spec).await.expect_err(what).to_string();
        assert!(error.contains(said), "{what}: {error}");
    }
}

#[tokio::test]
async fn every_value_that_the_docs_allow_is_accepted() {
    let world = World::new(Config::default()).await;
    let id = "A-z0.9_~".repeat(16);
    for (what, spec) in [
        ("forms", json!({"name": "clients/a/clientCredentials/b"})),
        ("ids", json!({"name": format!("clients/{id}/credentials/{id}")})),
        ("unicode", json!({"displayName": "ü".repeat(1024)})),
        ("empty-sets", json!({"environments": [], "labels": {}})),
        ("sdk", json!({"sdkType": "SDK_TYPE_UNSPECIFIED"})),
        ("interval-s", json!({"interval": "1s"})),
        ("interval-h", json!({"interval": "1h30m"})),
        ("interval-f", json!({"interval": "1.5h"})),
        ("report", json!({"driftPolicy": "Report", "suspend": true})),
    ] {
        world.try_apply(what, spec).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

#[tokio::test]
async fn the_two_ids_are_immutable_and_the_form_of_the_name_is_not() {
    let world = World::new(Config::default()).await;
    world.apply("fixed", json!({"name": "clients/a/credentials/b"})).await;
    world.apply("fixed", json!({"name": "clients/a/clientCredentials/b"})).await;
    for name in ["clients/a/credentials/c", "clients/c/credentials/b"] {
        let error = world.try_apply("fixed", json!({"name": name})).await.expect_err(name).to_string();
        assert!(error.contains("is immutable"), "{error}");
    }
}
