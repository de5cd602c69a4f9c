//! The servers that there are: every shape of labels and names, with and without reading, and the OpenAPI to the letter.

use confidence_simulator::config::UPDATE;
use confidence_simulator::{CallKind, Config, Contract, Fault, FaultKind, LabelsShape, NameForm, Reading, Token};
use serde_json::json;

use crate::world::{CLIENT, World, condition, message, status, version};

#[tokio::test]
async fn labels_are_written_in_the_array_form_where_the_server_shows_it() {
    let world = World::new(Config { labels: LabelsShape::Array, ..Config::default() }).await;
    world.seed("array");
    let _operator = world.operator(&[]);
    world.apply("array", json!({"labels": {"a": "1", "b": "2"}})).await;
    world.until_reason("array", "InSync").await;
    let updates = world.updates();
    assert_eq!(updates.len(), 1, "{updates:#?}");
    assert_eq!(updates[0].body["labels"], json!([{"a": "1", "b": "2"}]));
    world.look_at("array", "1").await;
    assert_eq!(world.updates().len(), 1, "two maps of one label each are the same labels");
}

#[tokio::test]
async fn a_name_in_the_other_form_is_the_same_credential() {
    let world = World::new(Config { names: NameForm::ClientCredentials, ..Config::default() }).await;
    world.seed("named");
    let _operator = world.operator(&[]);
    world
        .apply("named", json!({"name": format!("clients/{CLIENT}/clientCredentials/named"), "sdkType": "BACKEND"}))
        .await;
    let object = world.until_reason("named", "InSync").await;
    assert_eq!(status(&object).name.unwrap(), format!("clients/{CLIENT}/credentials/named"));
    assert!(world.simulator.calls().iter().all(|call| call.line.contains("/credentials/named")));
}

#[tokio::test]
async fn where_reading_is_not_offered_the_answer_to_an_update_is_the_look() {
    for reading in [Reading::MethodNotAllowed, Reading::NotImplemented, Reading::NotFoundHtml] {
        let world = World::new(Config { reading, ..Config::default() }).await;
        fallback_works(&world).await;
    }
}

#[tokio::test]
async fn where_the_token_may_not_read_the_answer_to_an_update_is_the_look() {
    let config = Config::default();
    let token = Token { scopes: [UPDATE.to_owned()].into(), ..Token::default() };
    let world = World::new(Config { tokens: [("test-token".to_owned(), token)].into(), ..config }).await;
    fallback_works(&world).await;
}

async fn fallback_works(world: &World) {
    world.seed("blind");
    let _operator = world.operator(&["--interval", "1s"]);
    world.apply("blind", json!({"sdkType": "BACKEND"})).await;
    let before = world.until_reason("blind", "InSync").await;
    let masks: Vec<_> = world.updates().into_iter().map(|call| call.mask).collect();
    assert_eq!(masks[..2], [["display_name"], ["sdk_type"]]);
    // From now on each look is one update of the display name, and nothing is written to the API server for it.
    let looks = world.updates().len();
    world.until_calls(|calls| calls.len() >= looks + 4).await;
    assert_eq!(version(&world.api().get("blind").await.unwrap()), version(&before));
    assert_eq!(world.calls(CallKind::Get).len(), 1, "that reading is not offered is remembered");
    world.simulator.edit(CLIENT, "blind", |it| it.sdk_type = "FRONTEND".to_owned());
    world.until("blind", |it| status(it).last_update != status(&before).last_update).await;
    assert_eq!(world.credential("blind").sdk_type, "BACKEND");
}

#[tokio::test]
async fn report_without_reading_is_stalled_and_says_which_scope_is_missing() {
    let world = World::new(Config { reading: Reading::MethodNotAllowed, ..Config::default() }).await;
    world.seed("unreadable");
    let _operator = world.operator(&[]);
    world.apply("unreadable", json!({"driftPolicy": "Report"})).await;
    let object = world.until_reason("unreadable", "ReadNotAllowed").await;
    assert_eq!(condition(&object, "Stalled").unwrap().0, "True");
    assert!(message(&object).contains("scope to read"), "{}", message(&object));
    assert!(world.updates().is_empty());
}

#[tokio::test]
async fn a_server_that_is_the_openapi_to_the_letter_is_brought_in_line_drift_included() {
    let world = World::new(Config { contract: Contract::Openapi, ..Config::default() }).await;
    world.seed("letter");
    let _operator = world.operator(&["--interval", "1s"]);
    world.put_secret("letter", "secret", "hunter2-letter").await;
    let reference = json!({"secretKeyRef": {"name": "letter", "key": "secret"}});
    world
        .apply("letter", json!({"labels": {"a": "1", "b": "2"}, "environments": ["x"], "sdkType": "BACKEND", "clientSecret": reference}))
        .await;
    let before = world.until_reason("letter", "InSync").await;
    assert_eq!(world.credential("letter").secret, "hunter2-letter");
    world.simulator.edit(CLIENT, "letter", |it| it.environments = vec!["other".to_owned()]);
    world.until("letter", |it| status(it).last_update != status(&before).last_update).await;
    assert_eq!(world.credential("letter").environments, ["x"]);
    let refused = world.updates().into_iter().filter(|call| call.status.is_some_and(|status| status >= 400));
    assert_eq!(refused.count(), 0, "every request is one that the OpenAPI allows");
    let secrets = world.updates().into_iter().filter(|call| call.mask.contains(&"client_secret".to_owned()));
    assert_eq!(secrets.count(), 1, "a withheld secret is written once");
}

#[tokio::test]
async fn an_update_that_is_not_taken_is_reported_and_not_repeated_before_the_interval() {
    let world = World::new(Config::default()).await;
    world.seed("stubborn");
    world.simulator.fault(Fault::always(FaultKind::NotTaken { fields: vec!["labels".to_owned()] }));
    let _operator = world.operator(&[]);
    world.apply("stubborn", json!({"labels": {"a": "1"}, "sdkType": "BACKEND"})).await;
    let object = world.until_reason("stubborn", "UpdateNotApplied").await;
    assert_eq!(condition(&object, "Ready").unwrap().0, "False");
    assert_eq!(condition(&object, "Stalled").unwrap().0, "True");
    assert_eq!(status(&object).drift.unwrap().fields, ["labels"]);
    assert!(message(&object).contains("labels"));
    world.seed("witness");
    world.apply("witness", json!({})).await;
    world.until_reason("witness", "InSync").await;
    assert_eq!(world.updates().len(), 1);
}

#[tokio::test]
async fn what_no_one_knows_yet_in_an_answer_breaks_nothing() {
    let world = World::new(Config::default()).await;
    world.seed("tomorrow");
    world.simulator.fault(Fault::always(FaultKind::Unknown));
    let _operator = world.operator(&[]);
    world.apply("tomorrow", json!({"labels": {"a": "1"}})).await;
    world.until_reason("tomorrow", "InSync").await;
    assert_eq!(world.updates()[0].mask, ["labels"]);
    world.simulator.clear_faults();
    world.simulator.fault(Fault::always(FaultKind::BadName));
    let object = world.look_at("tomorrow", "1").await;
    assert_eq!(status(&object).name.unwrap(), format!("clients/{CLIENT}/credentials/tomorrow"));
}
