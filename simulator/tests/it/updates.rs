//! PATCH: masks, strictness, and what goes on record.

use crate::common::{ITEM, call, call_as, patch, send, simulator};
use axum::body::Body;
use axum::http::Request;
use confidence_simulator::{Config, Contract, Token};
use serde_json::{Value, json};

/// The display name in the body is not in the mask.
#[tokio::test]
async fn update_writes_masked_fields_alone() {
    let simulator = simulator(Config::default());
    let before = simulator.get("c", "k").unwrap();
    let answer = patch(&simulator, "environments", json!({"displayName": "X", "environments": ["staging"]})).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    let after = simulator.get("c", "k").unwrap();
    assert_eq!((after.display_name.as_str(), &after.environments[..]), ("Checkout", &["staging".to_owned()][..]));
    assert_eq!((&after.labels, &after.secret), (&before.labels, &before.secret));
    assert_eq!(answer.json()["environments"], json!(["staging"]));
    assert_eq!(after.updater, "identities/operator");
    assert!(after.update_time > before.update_time);
}

/// Three fields are named, none is in the body; the secret is not named and stays.
#[tokio::test]
async fn masked_field_without_value_is_cleared() {
    let simulator = simulator(Config::default());
    let body = json!({"displayName": "Checkout"});
    assert_eq!(patch(&simulator, "labels,sdk_type,environments", body).await.status, 200);
    let after = simulator.get("c", "k").unwrap();
    assert!(after.labels.is_empty() && after.environments.is_empty() && after.sdk_type.is_empty());
    assert_eq!(after.secret, "s3cret");
}

/// What the body leaves out stays.
#[tokio::test]
async fn update_without_mask_writes_the_body() {
    let simulator = simulator(Config::default());
    let answer = call(&simulator, "PATCH", ITEM, Some(json!({"displayName": "New", "labels": {}}))).await;
    assert_eq!(answer.status, 200);
    let after = simulator.get("c", "k").unwrap();
    assert_eq!((after.display_name.as_str(), after.labels.len(), after.environments.len()), ("New", 0, 1));
}

/// It is ignored, as it would be there, and goes on record.
#[tokio::test]
async fn field_outside_mask_is_a_violation() {
    let simulator = simulator(Config::default());
    let body = json!({"displayName": "Checkout", "labels": {"team": "other"}});
    assert_eq!(patch(&simulator, "display_name", body).await.status, 200);
    assert_eq!(simulator.get("c", "k").unwrap().labels["team"], "checkout");
    assert_eq!(simulator.calls()[0].violations, ["the body has labels, which the mask does not name"]);
    assert_eq!(simulator.stats().with_violations, 1);
}

/// Each is a 400 of the API's own.
#[tokio::test]
async fn wrong_masks_write_nothing() {
    let simulator = simulator(Config::default());
    for mask in ["", "displayName", "environments,", "credential.labels", "name", "*"] {
        let answer = patch(&simulator, mask, json!({"displayName": "New", "environments": []})).await;
        assert_eq!((answer.status, answer.json()["code"].clone()), (400, json!(3)), "mask {mask:?}");
    }
    assert_eq!(simulator.get("c", "k").unwrap().display_name, "Checkout");
}

/// Nor does a body that is not said to be JSON, or is none.
#[tokio::test]
async fn undocumented_bodies_write_nothing() {
    let simulator = simulator(Config::default());
    for body in [
        json!({"environments": []}),
        json!({"displayName": "", "environments": []}),
        json!({"displayName": "A", "environments": [], "unknown": 1}),
        json!({"displayName": "A", "sdkType": "EDGE"}),
        json!({"displayName": "A", "labels": [{"a": "b"}]}),
    ] {
        assert_eq!(patch(&simulator, "environments", body.clone()).await.status, 400, "{body}");
    }
    let text = Request::patch(ITEM).header("authorization", "Bearer test-token");
    let not_said_to_be_json = text.body(Body::from(r#"{"displayName":"A"}"#)).unwrap();
    assert_eq!(send(&simulator, not_said_to_be_json).await.status, 415);
    let text = Request::patch(ITEM).header("authorization", "Bearer test-token");
    let not_json = text.header("content-type", "application/json").body(Body::from("{")).unwrap();
    assert_eq!(send(&simulator, not_json).await.status, 400);
    let strange = call(&simulator, "PATCH", &format!("{ITEM}?mask=labels"), Some(json!({"displayName": "A"}))).await;
    assert_eq!(strange.status, 400);
    assert_eq!(simulator.get("c", "k").unwrap().display_name, "Checkout");
}

/// Its line, ids, mask, body and caller, and what came of it.
#[tokio::test]
async fn call_is_recorded_as_it_came() {
    let simulator = simulator(Config::default());
    let body = json!({"displayName": "Checkout", "clientSecret": {"secret": "new"}});
    patch(&simulator, "display_name,client_secret", body.clone()).await;
    let call = simulator.calls().remove(0);
    assert_eq!((call.method.as_str(), call.path.as_str()), ("PATCH", ITEM));
    assert_eq!((call.client.as_deref(), call.credential.as_deref()), (Some("c"), Some("k")));
    assert_eq!(call.mask, ["display_name", "client_secret"]);
    assert_eq!(call.body, body);
    assert_eq!(call.identity.as_deref(), Some("identities/operator"));
    assert_eq!((call.status, call.settled, call.changed), (Some(200), true, Some(true)));
    assert_eq!(call.answer.unwrap().get("clientSecret"), None);
}

/// Of three updates one changes something.
#[tokio::test]
async fn unchanged_writes_are_counted_apart() {
    let simulator = simulator(Config::default());
    patch(&simulator, "display_name", json!({"displayName": "Checkout"})).await;
    patch(&simulator, "display_name", json!({"displayName": "New"})).await;
    patch(&simulator, "display_name", json!({"displayName": "New"})).await;
    let stats = simulator.stats();
    assert_eq!((stats.writes_changed, stats.writes_unchanged), (1, 2));
    simulator.clear_calls();
    assert_eq!((simulator.calls().len(), simulator.call_count()), (0, 3));
}

/// With the scope of the call, and not revoked.
#[tokio::test]
async fn callers_need_a_valid_token() {
    let reader = Token { scopes: ["read:clientcredentials".to_owned()].into(), ..Token::default() };
    let writer = Token { scopes: ["update:clientcredentials".to_owned()].into(), ..Token::default() };
    let simulator = simulator(Config::default());
    simulator.add_token("reader", reader);
    simulator.add_token("writer", writer);
    let statuses = async |token: Option<&str>| {
        let read = call_as(&simulator, token, "GET", ITEM, None).await.status;
        let body = json!({"displayName": "Checkout"});
        (read, call_as(&simulator, token, "PATCH", ITEM, Some(body)).await.status)
    };
    assert_eq!(statuses(None).await, (401, 401));
    assert_eq!(statuses(Some("wrong")).await, (401, 401));
    assert_eq!(statuses(Some("reader")).await, (200, 403));
    assert_eq!(statuses(Some("writer")).await, (403, 200));
    assert!(simulator.revoke_token("writer"));
    assert_eq!(statuses(Some("writer")).await, (401, 401));
}

/// The one is an answer of the API, the other of what stands before it.
#[tokio::test]
async fn unknown_path_is_html_unlike_unknown_credential() {
    let simulator = simulator(Config::default());
    let missing = call(&simulator, "PATCH", "/v1/clients/c/credentials/none", Some(json!({"displayName": "A"}))).await;
    assert_eq!((missing.status, missing.json()["code"].clone()), (404, json!(5)));
    let nowhere = call(&simulator, "GET", "/v1/clients/c/clientCredentials/k", None).await;
    assert_eq!((nowhere.status, nowhere.json()), (404, Value::Null));
    assert!(nowhere.header("content-type").unwrap().starts_with("text/html"));
}

/// It refuses the rest as a generated server does, and keeps what is written.
#[tokio::test]
async fn openapi_contract_offers_patch_alone() {
    let simulator = simulator(Config { contract: Contract::Openapi, ..Config::default() });
    for (method, body) in [("GET", None), ("DELETE", None), ("PUT", Some(json!({})))] {
        let answer = call(&simulator, method, ITEM, body).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("PATCH")), "{method}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    assert_eq!(call(&simulator, "GET", "/v1/clients/c/credentials", None).await.status, 404);
    assert_eq!(call(&simulator, "POST", "/v1/oauth/token", Some(json!({}))).await.status, 404);

    let none = call_as(&simulator, None, "PATCH", ITEM, Some(json!({"displayName": "A"}))).await;
    assert_eq!((none.status, none.header("content-type")), (401, Some("application/problem+json")));
    for body in [
        json!({"labels": []}),
        json!({"displayName": "A", "sdkType": "EDGE"}),
        json!({"displayName": "A", "labels": {"a": "b"}}),
    ] {
        assert_eq!(patch(&simulator, "labels", body.clone()).await.status, 422, "{body}");
    }

    let labels = json!([{"team": "a"}, {"tier": "b"}]);
    let answer = patch(&simulator, "labels", json!({"displayName": "A", "labels": labels})).await.json();
    assert_eq!((&answer["labels"], &answer["updateTime"]), (&labels, &json!({})));
    simulator.edit("c", "k", |credential| credential.labels.clear());
    let seen = patch(&simulator, "display_name", json!({"displayName": "Checkout"})).await.json();
    assert_eq!((&seen["labels"], &seen["updater"]), (&json!([]), &json!("identities/operator")));
}
