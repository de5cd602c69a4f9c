//! Faults of the server: each is told, none is repeated without end, all pass.

use confidence_simulator::CallKind::{Get, Update};
use confidence_simulator::{CallKind, Config, Fault, FaultKind};
use futures::{StreamExt, stream};
use serde_json::json;

use crate::world::{CLIENT, World, condition, message};

/// What each fault in a table, met by the first call of a kind, makes the operator ask.
async fn each_asks(kind: CallKind, table: impl IntoIterator<Item = (&'static str, FaultKind)>, expected: &[CallKind]) {
    // Some at a time: most of each is waiting.
    let each = stream::iter(table).map(async |(id, fault)| {
        let world = World::new(Config::default()).await;
        world.seed(id);
        world.simulator.fault(Fault::once(fault).on(kind));
        let _operator = world.operator(&[]);
        world.apply(id, json!({"sdkType": "BACKEND"})).await;
        world.until_reason(id, "InSync").await;
        assert_eq!(world.credential(id).sdk_type, "BACKEND", "{id}");
        let kinds: Vec<_> = world.simulator.calls().into_iter().map(|call| call.kind).collect();
        assert_eq!(kinds, expected, "{id}");
    });
    each.buffer_unordered(4).collect::<()>().await;
}

#[tokio::test]
async fn a_look_that_fails_is_made_once_more() {
    let faults = [
        ("look-500", FaultKind::status(500)),
        ("look-503", FaultKind::status(503)),
        ("look-408", FaultKind::status(408)),
        ("look-reset", FaultKind::Reset),
        ("look-lost", FaultKind::ResetAfter),
        ("look-hang", FaultKind::Hang),
        ("look-html-502", FaultKind::Html { code: 502 }),
    ];
    each_asks(Get, faults, &[Get, Get, Update]).await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_no_crash_and_no_loop() {
    let faults = [
        ("broken", FaultKind::BrokenJson),
        ("shape", FaultKind::WrongShape),
        ("huge", FaultKind::Huge { bytes: 4 << 20 }),
        ("html", FaultKind::Html { code: 200 }),
        ("empty", FaultKind::Empty { code: 200 }),
        ("no-content", FaultKind::Empty { code: 204 }),
    ];
    each_asks(Get, faults, &[Get, Get, Update]).await;
}

#[tokio::test]
async fn a_lost_answer_to_an_update_leads_to_a_look_and_not_to_a_second_update() {
    let faults = [
        ("lost", FaultKind::ResetAfter),
        ("lost-hang", FaultKind::HangAfter),
        ("lost-broken", FaultKind::BrokenJson),
        ("lost-shape", FaultKind::WrongShape),
        ("lost-huge", FaultKind::Huge { bytes: 4 << 20 }),
    ];
    each_asks(Update, faults, &[Get, Update, Get]).await;
}

#[tokio::test]
async fn an_update_that_was_not_carried_out_is_made_again_after_a_look() {
    let faults = [
        ("undone-500", FaultKind::status(500)),
        ("undone-409", FaultKind::status(409)),
        ("undone-reset", FaultKind::Reset),
        ("undone-hang", FaultKind::Hang),
        ("undone-html", FaultKind::Html { code: 200 }),
        ("undone-html-502", FaultKind::Html { code: 502 }),
        ("undone-empty", FaultKind::Empty { code: 200 }),
    ];
    each_asks(Update, faults, &[Get, Update, Get, Update]).await;
}

#[tokio::test]
async fn an_answer_that_is_slow_but_in_time_is_waited_for() {
    each_asks(Get, [("slow", FaultKind::Slow { milliseconds: 3000 })], &[Get, Update]).await;
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
        let calls = || world.simulator.calls().iter().filter(|it| it.credential.as_deref() == Some(id)).count();
        let before = calls();
        world.seed("witness");
        world.apply("witness", json!({})).await;
        world.until_reason("witness", "InSync").await;
        assert_eq!(calls(), before, "{id}: {:#?}", world.simulator.calls());
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

#[tokio::test]
async fn a_credential_that_goes_away_and_comes_back_costs_one_look_each_time_and_one_update() {
    let world = World::new(Config::default()).await;
    world.seed("away");
    let _operator = world.operator(&[]);
    world.apply("away", json!({"sdkType": "BACKEND"})).await;
    world.until_reason("away", "InSync").await;
    world.simulator.delete(CLIENT, "away").unwrap();
    let object = world.look_at("away", "gone").await;
    assert_eq!(condition(&object, "Stalled"), Some(("True".into(), "CredentialNotFound".into())));
    world.seed("away");
    let object = world.look_at("away", "back").await;
    assert_eq!(condition(&object, "Ready"), Some(("True".into(), "InSync".into())));
    assert_eq!(condition(&object, "Stalled"), None);
    let calls: Vec<_> = world.simulator.calls().into_iter().map(|call| (call.kind, call.status.unwrap())).collect();
    assert_eq!(calls, [(Get, 200), (Update, 200), (Get, 404), (Get, 200), (Update, 200)]);
    world.until_events("away", &["Updated", "CredentialNotFound", "Updated"]).await;
}
