//! Lists that lag, times of two kinds, uses that are told late, and answers of proxies.

use std::time::Duration;

use crate::common::{ITEM, call, patch, send, simulator};
use axum::body::Body;
use axum::http::Request;
use confidence_simulator::{CallKind, Client, Config, Credential, Fault, FaultKind, Lag, Simulator};
use serde_json::{Value, json};
use tokio::time::advance;

const LIST: &str = "/v1/clients/c/credentials";

async fn listed(simulator: &Simulator) -> Vec<String> {
    let page = call(simulator, "GET", LIST, None).await.json();
    let entries = page["clientCredentials"].as_array().unwrap();
    entries.iter().map(|it| it["displayName"].as_str().unwrap().to_owned()).collect()
}

/// A creation, a change and a deletion show after the time has passed and after so many calls.
#[tokio::test(start_paused = true)]
async fn list_lags_by_time_and_calls() {
    let simulator = simulator(Config::default());
    for lag in [Lag { milliseconds: 2_000, calls: 0 }, Lag { milliseconds: 0, calls: 2 }] {
        simulator.put("c", "l", Credential::named("L"));
        simulator.put("c", "m", Credential::named("M"));
        simulator.delete("c", "n");
        simulator.reconfigure(|config| config.list_lag = lag);
        simulator.put("c", "n", Credential::named("N"));
        simulator.edit("c", "l", |credential| credential.display_name = "Edited".to_owned());
        simulator.delete("c", "m");
        for _ in 0..2 {
            assert_eq!(listed(&simulator).await, ["Checkout", "L", "M"], "{lag:?}");
            assert_eq!(call(&simulator, "GET", &format!("{LIST}/n"), None).await.status, 200);
            advance(Duration::from_secs(1)).await;
        }
        assert_eq!(listed(&simulator).await, ["Checkout", "Edited", "N"], "{lag:?}");
        simulator.reconfigure(|config| config.list_lag = Lag::default());
    }
}

/// No page has more than a hundred, whatever is asked for.
#[tokio::test]
async fn page_holds_a_hundred_at_most() {
    let simulator = simulator(Config::default());
    for id in 0..150 {
        simulator.put("c", &format!("more{id:03}"), Credential::named("More"));
        simulator.put_client(&format!("d{id:03}"), Client::named("More"));
    }
    for (uri, key) in [(LIST, "clientCredentials"), ("/v1/clients", "clients")] {
        let page = call(&simulator, "GET", &format!("{uri}?pageSize=1000"), None).await.json();
        assert_eq!(page[key].as_array().unwrap().len(), 100);
        let next = page["nextPageToken"].as_str().unwrap();
        let rest = call(&simulator, "GET", &format!("{uri}?pageToken={next}"), None).await.json();
        assert_eq!((rest[key].as_array().unwrap().len(), &rest["nextPageToken"]), (51, &json!("")));
    }
}

/// A client shows the last use of its credentials, and when it was deleted.
#[tokio::test]
async fn clients_are_listed_as_documented() {
    let simulator = simulator(Config::default());
    let deleted = Client { delete_time: Some(simulator.now()), ..Client::named("Old") };
    simulator.put_client("old", Client { owner: "identities/owner".to_owned(), ..deleted });
    simulator.resolve("s3cret").unwrap();
    let clients = call(&simulator, "GET", "/v1/clients", None).await.json()["clients"].clone();
    assert_eq!((&clients[0]["name"], &clients[0]["displayName"]), (&json!("clients/c"), &json!("c")));
    assert!(clients[0]["lastSeenTime"].is_string() && clients[0].get("deleteTime").is_none());
    assert_eq!((&clients[1]["displayName"], &clients[1]["owner"]), (&json!("Old"), &json!("identities/owner")));
    assert!(clients[1]["deleteTime"].is_string());
    assert_eq!(simulator.calls()[0].kind, CallKind::ListClients);
    assert_eq!(call(&simulator, "POST", "/v1/clients", Some(json!({}))).await.status, 405);
}

/// Microseconds in the answer to a PATCH, milliseconds in that to a GET.
#[tokio::test(start_paused = true)]
async fn times_differ_in_precision_by_call() {
    let simulator = simulator(Config { read_time_digits: 3, ..Config::default() });
    advance(Duration::from_micros(123_456)).await;
    let written = patch(&simulator, "display_name", json!({"displayName": "A"})).await.json();
    let read = call(&simulator, "GET", ITEM, None).await.json();
    assert_eq!(written["updateTime"], "2026-01-01T00:00:00.123456Z");
    assert_eq!(read["updateTime"], "2026-01-01T00:00:00.123Z");
}

/// The server's clock, not the host's, which may go wrong while it runs; errors have it too.
#[tokio::test(start_paused = true)]
async fn every_answer_tells_the_server_time() {
    let simulator = simulator(Config::default());
    advance(Duration::from_secs(61)).await;
    let date = async |uri: &str| call(&simulator, "GET", uri, None).await.header("date").map(str::to_owned);
    assert_eq!(date(ITEM).await.as_deref(), Some("Thu, 01 Jan 2026 00:01:01 GMT"));
    simulator.reconfigure(|config| config.clock_skew_milliseconds = -3_661_000);
    assert_eq!(date("/v1/nowhere").await.as_deref(), Some("Wed, 31 Dec 2025 23:00:00 GMT"));
    simulator.fault(Fault::once(FaultKind::WithoutDate));
    assert_eq!(date(ITEM).await, None);
}

/// A use is told in the batch in which it came, after the delay, and never takes back a later one.
#[tokio::test(start_paused = true)]
async fn last_use_is_reported_late() {
    let config = Config { seen_batch_milliseconds: 10_000, seen_delay_milliseconds: 60_000, ..Config::default() };
    let simulator = simulator(config);
    let seen = || simulator.get("c", "k").unwrap().last_seen_time;
    advance(Duration::from_secs(1)).await;
    let first = simulator.resolve("s3cret").unwrap();
    advance(Duration::from_secs(1)).await;
    let last = simulator.resolve("s3cret").unwrap();
    advance(Duration::from_secs(67)).await;
    assert_eq!(seen(), None);
    advance(Duration::from_secs(1)).await;
    assert_eq!(seen(), Some(last.time));
    assert_eq!(simulator.uses(), [first, last]);
    simulator.resolve("s3cret").unwrap();
    advance(Duration::from_secs(1)).await;
    simulator.touch("c", "k");
    let touched = seen();
    advance(Duration::from_secs(70)).await;
    assert_eq!(seen(), touched);
}

/// Applications resolve with the secret alone, and an unknown one is refused.
#[tokio::test]
async fn application_resolves_with_a_live_secret() {
    let simulator = simulator(Config::default());
    let resolve = async |body: Value| {
        let request = Request::post("/v1/flags:resolve").header("content-type", "application/json");
        send(&simulator, request.body(Body::from(body.to_string())).unwrap()).await.status
    };
    assert_eq!(resolve(json!({"clientSecret": "s3cret", "flags": []})).await, 200);
    assert_eq!(simulator.uses()[0].credential, "k");
    assert_eq!(resolve(json!({"clientSecret": ""})).await, 401);
    assert_eq!(resolve(json!({})).await, 400);
    patch(&simulator, "client_secret", json!({"displayName": "A", "clientSecret": {"secret": "new"}})).await;
    assert_eq!(resolve(json!({"clientSecret": "s3cret"})).await, 401);
    assert_eq!(resolve(json!({"clientSecret": "new"})).await, 200);
    assert_eq!(simulator.call_count(), 1);
}

/// Statuses that no API answers, and a page of HTML in its place.
#[tokio::test]
async fn proxies_answer_in_their_own_words() {
    let simulator = simulator(Config::default());
    for code in [403, 404, 502] {
        simulator.fault(Fault::once(FaultKind::Html { code }));
        let answer = call(&simulator, "GET", ITEM, None).await;
        assert_eq!((answer.status, answer.json()), (code, Value::Null));
    }
    for code in [405, 499] {
        simulator.fault(Fault::once(FaultKind::Empty { code }));
        assert_eq!(call(&simulator, "GET", ITEM, None).await.status, code);
    }
    simulator.fault(Fault::once(FaultKind::Redirect { code: 307, location: "https://login.example".to_owned() }));
    let sent_elsewhere = call(&simulator, "DELETE", ITEM, None).await;
    assert_eq!((sent_elsewhere.status, sent_elsewhere.header("location")), (307, Some("https://login.example")));
    assert!(simulator.get("c", "k").is_some());
}

/// One entry of a page is unreadable, the others are whole.
#[tokio::test]
async fn one_entry_of_a_page_is_unreadable() {
    let simulator = simulator(Config::default());
    simulator.put("c", "l", Credential::named("L"));
    simulator.fault(Fault::once(FaultKind::UnreadableEntry { index: 1 }));
    let page = call(&simulator, "GET", LIST, None).await.json();
    let readable: Vec<_> = page["clientCredentials"].as_array().unwrap().iter().map(|it| &it["displayName"]).collect();
    assert_eq!((readable[0], readable[1].is_string()), (&json!("Checkout"), false));
    assert_eq!(listed(&simulator).await, ["Checkout", "L"]);
}
