//! PATCH: masks, strictness, and what goes on record.

use crate::common::{ITEM, call, call_as, patch, send, simulator};
use axum::body::Body;
use axum::http::Request;
use confidence_simulator::{Config, Contract, Token};
use serde_json::{Value, json};

#[tokio::test]
async fn an_update_writes_the_masked_fields_and_nothing_else() {
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

#[tokio::test]
async fn a_masked_field_that_is_not_in_the_body_is_cleared() {
    let simulator = simulator(Config::default());
    let body = json!({"displayName": "Checkout"});
    assert_eq!(patch(&simulator, "labels,sdk_type,environments", body).await.status, 200);
    let after = simulator.get("c", "k").unwrap();
    assert!(after.labels.is_empty() && after.environments.is_empty() && after.sdk_type.is_empty());
    assert_eq!(after.secret, "s3cret");
}

#[tokio::test]
async fn without_a_mask_all_fields_of_the_body_are_written() {
    let simulator = simulator(Config::default());
    let answer = call(&simulator, "PATCH", ITEM, Some(json!({"displayName": "New", "labels": {}}))).await;
    assert_eq!(answer.status, 200);
    let after = simulator.get("c", "k").unwrap();
    assert_eq!((after.display_name.as_str(), after.labels.len(), after.environments.len()), ("New", 0, 1));
}

#[tokio::test]
async fn a_field_outside_the_mask_is_ignored_and_recorded_as_a_violation() {
    let simulator = simulator(Config::default());
    let body = json!({"displayName": "Checkout", "labels": {"team": "other"}});
    assert_eq!(patch(&simulator, "display_name", body).await.status, 200);
    assert_eq!(simulator.get("c", "k").unwrap().labels["team"], "checkout");
    assert_eq!(simulator.calls()[0].violations, ["the body has labels, which the mask does not name"]);
    assert_eq!(simulator.stats().with_violations, 1);
}

#[tokio::test]
async fn wrong_masks_are_refused_and_write_nothing() {
    let simulator = simulator(Config::default());
    for mask in ["", "displayName", "environments,", "credential.labels", "name", "*"] {
        let answer = patch(&simulator, mask, json!({"displayName": "New", "environments": []})).await;
        assert_eq!((answer.status, answer.json()["code"].clone()), (400, json!(3)), "mask {mask:?}");
    }
    assert_eq!(simulator.get("c", "k").unwrap().display_name, "Checkout");
}

#[tokio::test]
async fn bodies_that_are_not_documented_are_refused() {
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

#[tokio::test]
async fn a_call_goes_on_record_as_it_came() {
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

#[tokio::test]
async fn writes_that_change_nothing_are_counted_apart() {
    let simulator = simulator(Config::default());
    patch(&simulator, "display_name", json!({"displayName": "Checkout"})).await;
    patch(&simulator, "display_name", json!({"displayName": "New"})).await;
    patch(&simulator, "display_name", json!({"displayName": "New"})).await;
    let stats = simulator.stats();
    assert_eq!((stats.writes_changed, stats.writes_unchanged), (1, 2));
    simulator.clear_calls();
    assert_eq!((simulator.calls().len(), simulator.call_count()), (0, 3));
}

#[tokio::test]
async fn callers_need_a_valid_token_with_the_scope() {
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

#[tokio::test]
async fn an_unknown_credential_is_a_google_rpc_status_and_an_unknown_path_is_html() {
    let simulator = simulator(Config::default());
    let missing = call(&simulator, "PATCH", "/v1/clients/c/credentials/none", Some(json!({"displayName": "A"}))).await;
    assert_eq!((missing.status, missing.json()["code"].clone()), (404, json!(5)));
    let nowhere = call(&simulator, "GET", "/v1/clients/c/clientCredentials/k", None).await;
    assert_eq!((nowhere.status, nowhere.json()), (404, Value::Null));
    assert!(nowhere.header("content-type").unwrap().starts_with("text/html"));
}

#[tokio::test]
async fn the_openapi_contract_offers_patch_alone_and_stays_stateful() {
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
