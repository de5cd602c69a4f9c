//! Requests and answers held against the vendor's document.

use crate::common::{ITEM, call, patch, simulator};
use confidence_simulator::openapi::{Strictness, check_answer, check_request};
use confidence_simulator::{Config, Contract, LabelsShape, NameForm, Secrets, Simulator};
use serde_json::{Value, json};

/// Updates of all kinds, and the answers.
async fn updates(simulator: &Simulator, labels: Value, none: Value) -> Vec<Value> {
    let mut answers = Vec::new();
    simulator.touch("c", "k");
    for (mask, body) in [
        ("display_name", json!({"displayName": "A"})),
        ("environments", json!({"displayName": "A", "environments": []})),
        ("labels,sdk_type", json!({"displayName": "A", "labels": labels, "sdkType": "FRONTEND"})),
        ("labels", json!({"displayName": "A", "labels": none})),
        ("sdk_type", json!({"displayName": "A", "sdkType": "SDK_TYPE_UNSPECIFIED"})),
        ("client_secret", json!({"displayName": "A", "clientSecret": {"secret": "s"}})),
    ] {
        let answer = patch(simulator, mask, body).await;
        assert_eq!(answer.status, 200, "{mask}: {}", answer.json());
        answers.push(answer.json());
    }
    answers
}

/// Updates of all kinds and their answers, held against the vendor's document.
#[tokio::test]
async fn openapi_contract_follows_document_to_the_letter() {
    for timestamp_fields in [false, true] {
        for secrets in [Secrets::Withheld, Secrets::Returned] {
            let config = Config { contract: Contract::Openapi, timestamp_fields, secrets, ..Config::default() };
            let simulator = simulator(config);
            for answer in updates(&simulator, json!([{"a": "b"}, {"c": "d"}]), json!([])).await {
                assert_eq!(check_answer(&answer, Strictness::ToTheLetter), Ok(()), "{answer}");
            }
            for call in simulator.calls() {
                assert_eq!(check_request(&call, Strictness::ToTheLetter), Ok(()), "{}", call.line);
            }
        }
    }
}

/// In labels and times, and nowhere else.
#[tokio::test]
async fn full_contract_departs_where_document_errs() {
    for (labels, names) in
        [(LabelsShape::Object, NameForm::Credentials), (LabelsShape::Array, NameForm::ClientCredentials)]
    {
        let simulator = simulator(Config { labels, names, secrets: Secrets::Returned, ..Config::default() });
        let (some, none) = match labels {
            LabelsShape::Object => (json!({"a": "b"}), json!({})),
            LabelsShape::Array => (json!([{"a": "b"}]), json!([])),
        };
        for answer in updates(&simulator, some, none).await {
            assert_eq!(check_answer(&answer, Strictness::AsRecorded), Ok(()), "{answer}");
            assert!(check_answer(&answer, Strictness::ToTheLetter).is_err(), "times are no objects: {answer}");
        }
        for call in simulator.calls() {
            assert_eq!(check_request(&call, Strictness::AsRecorded), Ok(()), "{}", call.line);
        }
    }
}

/// Each wrong in one field.
#[tokio::test]
async fn check_rejects_wrong_answers() {
    let simulator = simulator(Config::default());
    let good = patch(&simulator, "display_name", json!({"displayName": "A"})).await.json();
    for (key, value) in [
        ("labels", json!({"a": 1})),
        ("environments", json!("production")),
        ("sdkType", json!("EDGE")),
        ("updateTime", json!("yesterday")),
        ("etag", json!("1")),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        assert!(check_answer(&bad, Strictness::AsRecorded).is_err(), "{key} passed");
    }
    let mut without = good;
    without.as_object_mut().unwrap().remove("updater");
    assert!(check_answer(&without, Strictness::AsRecorded).is_err());
}

/// A wrong mask, a wrong body, a parameter and a method that are not documented.
#[tokio::test]
async fn check_rejects_wrong_requests() {
    let simulator = simulator(Config::default());
    patch(&simulator, "displayName", json!({"displayName": "A"})).await;
    patch(&simulator, "labels", json!({"labels": {}})).await;
    patch(&simulator, "labels", json!({"displayName": "A", "etag": 1})).await;
    call(&simulator, "PATCH", &format!("{ITEM}?validateOnly=true"), Some(json!({"displayName": "A"}))).await;
    call(&simulator, "GET", ITEM, None).await;
    let calls = simulator.calls();
    assert_eq!(calls.len(), 5);
    for call in calls {
        assert!(check_request(&call, Strictness::AsRecorded).is_err(), "{} passed", call.line);
    }
}
