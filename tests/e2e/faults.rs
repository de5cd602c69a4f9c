//! Faults of the server: each is told, none is repeated without end, all pass.

use confidence_simulator::{CallKind, Config, Fault, FaultKind};
use serde_json::json;

use crate::world::{CLIENT, World, condition, message};

/// A fault that meets the first call alone leaves nothing behind but a delay.
async fn passes(id: &str, fault: FaultKind, kind: CallKind) -> World {
    let world = World::new(Config::default()).await;
    world.seed(id);
    world.simulator.fault(Fault::always(fault).on(kind).times(1));
    let _operator = world.operator(&[]);
    world.apply(id, json!({"sdkType": "BACKEND"})).await;
    world.until_reason(id, "InSync").await;
    assert_eq!(world.credential(id).sdk_type, "BACKEND");
    world
}

#[tokio::test]
async fn a_server_error_is_tried_again() {
    let world = passes("e500", FaultKind::Status { code: 500, retry_after: None }, CallKind::Get).await;
    assert_eq!(world.simulator.call_count(), 3);
}

#[tokio::test]
async fn a_lost_answer_to_an_update_leads_to_a_look_and_not_to_a_second_update() {
    let world = passes("lost", FaultKind::ResetAfter, CallKind::Update).await;
    assert_eq!(world.updates().len(), 1);
    assert_eq!(world.calls(CallKind::Get).len(), 2);
}

#[tokio::test]
async fn an_update_that_was_reset_before_it_was_carried_out_is_made_after_a_look() {
    let world = passes("reset", FaultKind::Reset, CallKind::Update).await;
    let kinds: Vec<_> = world.simulator.calls().into_iter().map(|call| call.kind).collect();
    assert_eq!(kinds, [CallKind::Get, CallKind::Update, CallKind::Get, CallKind::Update]);
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_no_crash_and_no_loop() {
    for (id, fault) in [
        ("broken", FaultKind::BrokenJson),
        ("shape", FaultKind::WrongShape),
        ("huge", FaultKind::Huge { bytes: 4 << 20 }),
        ("html", FaultKind::Html { code: 200 }),
        ("empty", FaultKind::Empty { code: 200 }),
    ] {
        let world = passes(id, fault, CallKind::Get).await;
        assert_eq!(world.simulator.call_count(), 3, "{id}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_after_the_timeout() {
    let world = passes("hang", FaultKind::Hang, CallKind::Get).await;
    assert_eq!(world.simulator.call_count(), 3);
}

#[tokio::test]
async fn retry_after_holds_back_every_call_of_the_account_but_one_probe() {
    let world = World::new(Config::default()).await;
    let fault = FaultKind::Status { code: 429, retry_after: Some("3".to_owned()) };
    world.simulator.fault(Fault::always(fault).times(1));
    let ids: Vec<String> = (0..20).map(|number| format!("throttled-{number}")).collect();
    for id in &ids {
        world.seed(id);
        world.apply(id, json!({})).await;
    }
    // One at a time, so that there is one call when the refusal comes.
    let _operator = world.operator(&["--requests-per-second", "4"]);
    world.until_calls(|calls| calls.iter().any(|call| call.status == Some(429))).await;
    for id in &ids {
        world.until_reason(id, "InSync").await;
    }
    let calls = world.simulator.calls();
    let refused = calls.iter().find(|call| call.status == Some(429)).unwrap();
    let early =
        calls.iter().filter(|call| call.index > refused.index && call.milliseconds < refused.milliseconds + 2900);
    assert_eq!(early.count(), 0, "{calls:#?}");
}

#[tokio::test]
async fn what_only_a_person_can_mend_makes_no_call_until_the_interval() {
    for (id, code, reason) in
        [("bad", 400, "Rejected"), ("forbidden", 403, "Forbidden"), ("gone", 404, "CredentialNotFound")]
    {
        let world = World::new(Config::default()).await;
        world.seed(id);
        world.simulator.fault(Fault::always(FaultKind::Status { code, retry_after: None }).about(id));
        let _operator = world.operator(&[]);
        world.apply(id, json!({})).await;
        let object = world.until_reason(id, reason).await;
        assert_eq!(condition(&object, "Stalled").unwrap().0, "True");
        assert!(message(&object).contains(&code.to_string()), "{}", message(&object));
        let calls = world.simulator.call_count();
        world.seed("witness");
        world.apply("witness", json!({})).await;
        world.until_reason("witness", "InSync").await;
        assert_eq!(world.simulator.call_count(), calls + 1, "{id}");
    }
}

#[tokio::test]
async fn drift_that_cannot_be_written_is_told() {
    let world = World::new(Config::default()).await;
    world.seed("unwritable");
    world.simulator.edit(CLIENT, "unwritable", |it| it.sdk_type = "FRONTEND".to_owned());
    world.simulator.fault(Fault::always(FaultKind::Status { code: 400, retry_after: None }).on(CallKind::Update));
    let _operator = world.operator(&[]);
    world.apply("unwritable", json!({"sdkType": "BACKEND"})).await;
    let object = world.until_reason("unwritable", "Rejected").await;
    assert_eq!(condition(&object, "Drifted").unwrap().0, "True");
    assert_eq!(object.status.unwrap().drift.unwrap().fields, ["sdkType"]);
}
