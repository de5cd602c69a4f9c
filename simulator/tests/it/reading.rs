//! GET, LIST, POST, DELETE and the token exchange.

use std::time::Duration;

use crate::common::{ITEM, call, call_as, simulator};
use confidence_simulator::{Config, Credential, Reading, SOMEBODY_ELSE, Secrets};
use serde_json::{Value, json};

const LIST: &str = "/v1/clients/c/credentials";

fn names(page: &Value) -> Vec<&str> {
    page["clientCredentials"].as_array().unwrap().iter().map(|it| it["displayName"].as_str().unwrap()).collect()
}

/// Four credentials on pages of two, and of one on request.
#[tokio::test]
async fn pages_are_complete_and_bounded() {
    let simulator = simulator(Config { max_page_size: 2, ..Config::default() });
    for id in ["l", "m", "n"] {
        simulator.put("c", id, Credential::named(id));
    }
    simulator.put("d", "other", Credential::named("other client"));
    let first = call(&simulator, "GET", &format!("{LIST}?pageSize=1000"), None).await.json();
    assert_eq!(names(&first), ["Checkout", "l"]);
    let next = first["nextPageToken"].as_str().unwrap();
    let second = call(&simulator, "GET", &format!("{LIST}?pageToken={next}"), None).await.json();
    assert_eq!((names(&second), &second["nextPageToken"]), (vec!["m", "n"], &json!("")));
    let small = call(&simulator, "GET", &format!("{LIST}?pageSize=1"), None).await.json();
    assert_eq!(names(&small), ["Checkout"]);
}

/// A size that is none, a token that was guessed, a parameter that nobody knows.
#[tokio::test]
async fn wrong_paging_is_refused() {
    let simulator = simulator(Config::default());
    for query in ["pageSize=-1", "pageSize=many", "pageToken=guess", "filter=x", "pageSize=1&pageSize=2"] {
        assert_eq!(call(&simulator, "GET", &format!("{LIST}?{query}"), None).await.status, 400, "{query}");
    }
}

/// Reading is refused in each way; PATCH goes on.
#[tokio::test]
async fn writes_work_where_reads_are_refused() {
    for (reading, status) in [
        (Reading::MethodNotAllowed, 405),
        (Reading::NotImplemented, 501),
        (Reading::Forbidden, 403),
        (Reading::NotFoundHtml, 404),
    ] {
        let simulator = simulator(Config { reading, ..Config::default() });
        for uri in [ITEM, LIST] {
            let answer = call(&simulator, "GET", uri, None).await;
            let is_rpc_status = answer.json().get("code").is_some();
            assert_eq!((answer.status, is_rpc_status), (status, status != 404), "{reading:?} {uri}");
        }
        assert_eq!(call(&simulator, "PATCH", ITEM, Some(json!({"displayName": "A"}))).await.status, 200);
    }
}

/// Withheld from reads by default, returned when configured.
#[tokio::test]
async fn secret_returns_from_create_or_always() {
    let simulator = simulator(Config::default());
    assert_eq!(call(&simulator, "GET", ITEM, None).await.json().get("clientSecret"), None);
    let created = call(&simulator, "POST", LIST, Some(json!({"displayName": "New"}))).await.json();
    assert!(created["clientSecret"]["secret"].as_str().is_some_and(|secret| !secret.is_empty()));
    simulator.reconfigure(|config| config.secrets = Secrets::Returned);
    assert_eq!(call(&simulator, "GET", ITEM, None).await.json()["clientSecret"], json!({"secret": "s3cret"}));
}

/// It is found under the name that the server gave, until it is deleted.
#[tokio::test]
async fn created_credential_can_be_deleted() {
    let simulator = simulator(Config::default());
    let created = call(&simulator, "POST", LIST, Some(json!({"displayName": "New"}))).await.json();
    let uri = format!("/v1/{}", created["name"].as_str().unwrap());
    assert_eq!(call(&simulator, "GET", &uri, None).await.json()["displayName"], "New");
    let deleted = call(&simulator, "DELETE", &uri, None).await;
    assert_eq!((deleted.status, deleted.json()), (200, json!({})));
    assert_eq!(call(&simulator, "GET", &uri, None).await.status, 404);
}

/// Somebody else writes: who and when show. An application uses it: one time moves.
#[tokio::test]
async fn foreign_edit_moves_more_than_use() {
    let simulator = simulator(Config::default());
    let before = call(&simulator, "GET", ITEM, None).await.json();
    assert_eq!(before.get("lastSeenTime"), None);
    assert!(simulator.touch("c", "k"));
    let mut seen = call(&simulator, "GET", ITEM, None).await.json();
    assert!(seen.as_object_mut().unwrap().remove("lastSeenTime").is_some());
    assert_eq!(seen, before);
    assert!(simulator.edit("c", "k", |credential| credential.environments.clear()));
    let edited = call(&simulator, "GET", ITEM, None).await.json();
    assert_eq!((&edited["environments"], &edited["updater"]), (&json!([]), &json!(SOMEBODY_ELSE)));
    assert_ne!(edited["updateTime"], before["updateTime"]);
    assert!(!simulator.edit("c", "none", |_| ()));
}

/// By its time, or because it was revoked; a wrong exchange gives none.
#[tokio::test(start_paused = true)]
async fn exchanged_token_ends() {
    let simulator = simulator(Config { token_seconds: 60, ..Config::default() });
    let exchange = async |body: Value| call_as(&simulator, None, "POST", "/v1/oauth/token", Some(body)).await;
    let pair =
        json!({"grantType": "client_credentials", "clientId": "test-client", "clientSecret": "test-client-secret"});
    let answer = exchange(pair.clone()).await.json();
    assert_eq!(answer["expiresIn"], "60");
    let token = answer["accessToken"].as_str().unwrap();
    let status = async |token: &str| call_as(&simulator, Some(token), "GET", ITEM, None).await.status;
    assert_eq!(status(token).await, 200);
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(status(token).await, 401);

    let renewed = exchange(pair.clone()).await.json();
    simulator.revoke_issued_tokens();
    assert_eq!(status(renewed["accessToken"].as_str().unwrap()).await, 401);

    let with = |key: &str, value: &str| {
        let mut body = pair.clone();
        body[key] = json!(value);
        body
    };
    assert_eq!(exchange(with("clientSecret", "wrong")).await.status, 401);
    assert_eq!(exchange(with("grantType", "password")).await.status, 400);
    assert_eq!(exchange(with("scope", "all")).await.status, 400);
}

/// Three calls a second; the next second has three again.
#[tokio::test(start_paused = true)]
async fn quota_holds_for_each_second() {
    let config = Config { quota: Some(3), quota_retry_after: Some("1".into()), ..Config::default() };
    let simulator = simulator(config);
    for expected in [200, 200, 200, 429, 429] {
        assert_eq!(call(&simulator, "GET", ITEM, None).await.status, expected);
    }
    let refused = call(&simulator, "GET", ITEM, None).await;
    assert_eq!((refused.header("retry-after"), &refused.json()["code"]), (Some("1"), &json!(8)));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(call(&simulator, "GET", ITEM, None).await.status, 200);
}

/// Half before the work, half after it.
#[tokio::test(start_paused = true)]
async fn latency_is_in_simulated_time() {
    let simulator = simulator(Config { latency_milliseconds: 50, ..Config::default() });
    let start = tokio::time::Instant::now();
    assert_eq!(call(&simulator, "GET", ITEM, None).await.status, 200);
    assert_eq!(start.elapsed(), Duration::from_millis(50));
}

/// To the byte, at the same times.
#[tokio::test(start_paused = true)]
async fn same_calls_get_the_same_answers() {
    let run = async || {
        let simulator = simulator(Config::default());
        let mut answers = Vec::new();
        for id in 0..3 {
            tokio::time::advance(Duration::from_millis(id)).await;
            answers.push(call(&simulator, "POST", LIST, Some(json!({"displayName": "New"}))).await.body);
        }
        answers.push(call(&simulator, "GET", LIST, None).await.body);
        answers
    };
    assert_eq!(run().await, run().await);
}
