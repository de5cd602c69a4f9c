//! Each fault, in memory.

use std::time::Duration;

use crate::common::{Answer, ITEM, call, patch, simulator};
use confidence_simulator::{CallKind, Config, Fault, FaultKind, Simulator};
use serde_json::{Value, json};

/// An update under a fault: the answer, and whether it was written.
async fn update_under(what: FaultKind) -> (Simulator, Answer, bool) {
    let simulator = simulator(Config::default());
    simulator.fault(Fault::once(what.clone()).on(CallKind::Update).about("k"));
    let answer = patch(&simulator, "display_name", json!({"displayName": "New"})).await;
    let call = simulator.calls().remove(0);
    assert_eq!(call.fault, Some(what));
    assert_eq!(call.status, (!answer.reset).then_some(answer.status));
    let written = simulator.get("c", "k").unwrap().display_name == "New";
    assert_eq!(call.changed == Some(true), written);
    (simulator, answer, written)
}

/// With Retry-After or without, in the words of google.rpc.Status.
#[tokio::test]
async fn status_fault_replaces_the_write() {
    let (_, answer, written) = update_under(FaultKind::Status { code: 429, retry_after: Some("7".into()) }).await;
    assert_eq!((answer.status, answer.header("retry-after"), written), (429, Some("7"), false));
    for (code, rpc) in [(401, 16), (403, 7), (404, 5), (409, 10), (429, 8), (500, 13), (503, 14), (504, 4)] {
        let (_, answer, written) = update_under(FaultKind::status(code)).await;
        assert_eq!((answer.status, answer.json()["code"].clone(), written), (code, json!(rpc), false));
        assert_eq!(answer.header("retry-after"), None);
    }
}

/// The token and the body stand in the message.
#[tokio::test]
async fn echo_fault_repeats_what_was_sent() {
    let (_, answer, written) = update_under(FaultKind::Echo { code: 400 }).await;
    assert_eq!((answer.status, written), (400, false));
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("test-token") && message.contains(r#"{"displayName":"New"}"#), "{message}");
}

/// A page of a proxy, and no body at all.
#[tokio::test]
async fn html_and_empty_faults_replace_the_write() {
    let (_, html, written) = update_under(FaultKind::Html { code: 502 }).await;
    assert!(html.header("content-type").unwrap().starts_with("text/html"));
    assert_eq!((html.status, html.body.starts_with(b"<html>"), written), (502, true, false));
    let (_, empty, written) = update_under(FaultKind::Empty { code: 200 }).await;
    assert_eq!((empty.status, empty.body.len(), written), (200, 0, false));
}

/// The caller cannot tell which.
#[tokio::test]
async fn reset_comes_before_or_after_the_write() {
    let (simulator, answer, written) = update_under(FaultKind::Reset).await;
    assert_eq!((answer.reset, written), (true, false));
    assert_eq!(simulator.calls()[0].body, Value::Null);
    let (simulator, answer, written) = update_under(FaultKind::ResetAfter).await;
    assert_eq!((answer.reset, written), (true, true));
    assert_eq!(simulator.stats().unanswered, 1);
}

/// It lasts until the caller leaves, and the next call is answered.
#[tokio::test(start_paused = true)]
async fn hang_comes_before_or_after_the_write() {
    for (what, written) in [(FaultKind::Hang, "Checkout"), (FaultKind::HangAfter, "New")] {
        let simulator = simulator(Config::default());
        simulator.fault(Fault::once(what));
        let update = patch(&simulator, "display_name", json!({"displayName": "New"}));
        assert!(tokio::time::timeout(Duration::from_hours(1), update).await.is_err());
        assert_eq!(simulator.get("c", "k").unwrap().display_name, written);
        let call = simulator.calls().remove(0);
        assert_eq!((call.settled, call.status), (true, None));
        assert_eq!(call_again(&simulator).await, 200);
    }
}

async fn call_again(simulator: &Simulator) -> u16 {
    call(simulator, "GET", ITEM, None).await.status
}

/// The write is done, and its answer is of no use.
#[tokio::test]
async fn damaged_answers_follow_the_write() {
    let (_, broken, written) = update_under(FaultKind::BrokenJson).await;
    assert!(serde_json::from_slice::<Value>(&broken.body).is_err());
    assert_eq!((broken.status, broken.body.first(), written), (200, Some(&b'{'), true));
    let (_, shape, written) = update_under(FaultKind::WrongShape).await;
    assert_eq!((shape.status, shape.json(), written), (200, json!([]), true));
    let (_, huge, written) = update_under(FaultKind::Huge { bytes: 3_000_000 }).await;
    assert_eq!((huge.body.len(), written), (3_000_000, true));
    let (_, name, written) = update_under(FaultKind::BadName).await;
    assert_eq!((name.json()["name"].clone(), written), (json!("string"), true));
}

/// Of a GET, and in each entry of a page.
#[tokio::test]
async fn unknown_fields_show_in_every_answer() {
    let simulator = simulator(Config::default());
    simulator.fault(Fault::always(FaultKind::Unknown));
    let single = call(&simulator, "GET", ITEM, None).await.json();
    let page = call(&simulator, "GET", "/v1/clients/c/credentials", None).await.json();
    for credential in [&single, &page["clientCredentials"][0]] {
        assert_eq!((&credential["sdkType"], credential["rotationPolicy"].is_object()), (&json!("EDGE"), true));
        assert_eq!(credential["displayName"], "Checkout");
    }
}

/// The answer is a success, and the other field is written.
#[tokio::test]
async fn field_not_applied_keeps_its_value() {
    let simulator = simulator(Config::default());
    simulator.fault(Fault::always(FaultKind::NotTaken { fields: vec!["labels".into()] }));
    let body = json!({"displayName": "New", "labels": {}});
    let answer = patch(&simulator, "display_name,labels", body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["labels"], json!({"team": "checkout"}));
    assert_eq!(answer.json()["displayName"], "New");
}

/// Three seconds beside the usual ten milliseconds.
#[tokio::test(start_paused = true)]
async fn slow_fault_adds_to_latency() {
    let simulator = simulator(Config { latency_milliseconds: 10, ..Config::default() });
    simulator.fault(Fault::once(FaultKind::Slow { milliseconds: 3_000 }));
    let start = tokio::time::Instant::now();
    assert_eq!(call_again(&simulator).await, 200);
    assert_eq!(start.elapsed(), Duration::from_millis(3_010));
}

/// And no other call does.
#[tokio::test]
async fn token_call_meets_faults() {
    let simulator = simulator(Config::default());
    simulator.fault(Fault::always(FaultKind::status(503)).on(CallKind::Token));
    assert_eq!(call(&simulator, "POST", "/v1/oauth/token", Some(json!({}))).await.status, 503);
    assert_eq!(call_again(&simulator).await, 200);
    simulator.clear_faults();
    assert_eq!(call(&simulator, "POST", "/v1/oauth/token", Some(json!({}))).await.status, 400);
}

/// The call that is waited for comes, or it does not come within the hour.
#[tokio::test(start_paused = true)]
async fn waiting_ends_with_call_or_time() {
    let simulator = simulator(Config { latency_milliseconds: 100, ..Config::default() });
    let hour = Duration::from_hours(1);
    let (waited, _) =
        tokio::join!(simulator.wait_for_call(|call| call.kind == CallKind::Get, hour), call_again(&simulator));
    assert_eq!(waited.unwrap().status, Some(200));
    assert!(simulator.wait_for_call(|call| call.kind == CallKind::Delete, hour).await.is_none());
    assert!(simulator.wait_until(|simulator| simulator.call_count() == 1, hour).await);
}
