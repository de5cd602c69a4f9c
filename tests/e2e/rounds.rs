//! Many credentials with few calls: what a round costs, and what it finds.

use std::collections::BTreeSet;

use confidence_simulator::{Call, CallKind, Config, Fault, FaultKind};
use serde_json::json;
use testbed::{Deadline, eventually};

use crate::crowd::Crowd;
use crate::program::{get, until_status_writes};
use crate::world::{CLIENT, World, credential, status};

/// The pages of a list of this world's credentials: 150 that are managed, and 80 that are nobody's.
const PAGES: usize = 3;
const MANAGED: usize = 150;
const OTHERS: usize = 80;

/// A client with many credentials, and resources for most of them.
async fn crowd() -> (World, Crowd) {
    let world = World::new(Config::default()).await;
    for number in 0..OTHERS {
        world.simulator.put(CLIENT, &format!("other-{number}"), credential("Nobody's"));
    }
    let crowd = Crowd::new(&world, MANAGED, json!({"sdkType": "BACKEND"})).await;
    (world, crowd)
}

/// Waits until so many lists were read whole from now on; gives the calls of that time.
async fn rounds(world: &World, rounds: usize) -> Vec<Call> {
    let before = world.simulator.call_count();
    let lists =
        |calls: &[Call]| calls[before..].iter().filter(|it| it.kind == CallKind::List && it.status.is_some()).count();
    let calls = world.until_calls(|calls| lists(calls) >= rounds * PAGES).await;
    calls[before..].to_vec()
}

fn count(calls: &[Call], kind: CallKind) -> usize {
    calls.iter().filter(|call| call.kind == kind).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_brought_in_line_with_one_list_and_one_update_and_one_status_write_each() {
    let (world, crowd) = crowd().await;
    let operator = world.operator(&["--interval", "1h"]);
    crowd.until_reason(&world, "InSync").await;
    let calls = world.simulator.calls();
    let found = (count(&calls, CallKind::List), count(&calls, CallKind::Get), count(&calls, CallKind::Update));
    assert_eq!(found, (PAGES, 0, MANAGED));
    until_status_writes(&operator, MANAGED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_more_pages_than_there_are_passes_at_once_still_spares_each_its_look_at_the_start() {
    let world = World::new(Config { max_page_size: 2, ..Config::default() }).await;
    let crowd = Crowd::new(&world, MANAGED, json!({"sdkType": "BACKEND"})).await;
    let _operator = world.operator(&["--interval", "1h"]);
    crowd.until_reason(&world, "InSync").await;
    let calls = world.simulator.calls();
    let found = (count(&calls, CallKind::List), count(&calls, CallKind::Get), count(&calls, CallKind::Update));
    assert_eq!(found, (MANAGED / 2, 0, MANAGED));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_in_which_nothing_changed_costs_the_pages_of_the_list_and_nothing_else() {
    let (world, crowd) = crowd().await;
    let operator = world.operator(&["--interval", "1s"]);
    crowd.until_reason(&world, "InSync").await;
    rounds(&world, 1).await;
    until_status_writes(&operator, MANAGED).await;
    let calls = rounds(&world, 5).await;
    assert_eq!(calls.len(), count(&calls, CallKind::List), "{calls:#?}");
    until_status_writes(&operator, MANAGED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_over_many_unchanged_resources_costs_one_list_and_no_write() {
    let (world, crowd) = crowd().await;
    let mut operator = world.operator(&["--interval", "1h"]);
    crowd.until_reason(&world, "InSync").await;
    operator.kill().unwrap();
    let before = world.simulator.call_count();
    let operator = world.operator(&["--interval", "1h"]);
    world.seed("witness");
    world.until_calls(|calls| count(&calls[before..], CallKind::List) == PAGES).await;
    world.apply("witness", json!({})).await;
    world.until_reason("witness", "InSync").await;
    let calls = world.simulator.calls();
    assert_eq!(calls.len() - before, PAGES + 1, "a list, and the look at the witness");
    // The witness's.
    until_status_writes(&operator, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_drifted_costs_an_update_each_beside_the_list() {
    let (world, crowd) = crowd().await;
    let _operator = world.operator(&["--interval", "2s"]);
    crowd.until_reason(&world, "InSync").await;
    rounds(&world, 1).await;
    let before = world.simulator.call_count();
    let drifted: BTreeSet<String> = crowd.ids.iter().step_by(50).cloned().collect();
    for id in &drifted {
        world.simulator.edit(CLIENT, id, |it| it.sdk_type = "FRONTEND".to_owned());
    }
    world.until_calls(|calls| count(&calls[before..], CallKind::Update) >= drifted.len()).await;
    rounds(&world, 2).await;
    let calls = world.simulator.calls();
    let updated = calls[before..].iter().filter(|call| call.kind == CallKind::Update);
    let updated: Vec<String> = updated.filter_map(|call| call.credential.clone()).collect();
    assert_eq!(updated.len(), drifted.len(), "each once");
    assert_eq!(updated.into_iter().collect::<BTreeSet<_>>(), drifted);
    assert_eq!(count(&calls[before..], CallKind::Get), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_a_list_lacks_is_read_before_it_is_called_gone() {
    let (world, crowd) = crowd().await;
    let _operator = world.operator(&["--interval", "1s"]);
    crowd.until_reason(&world, "InSync").await;
    let gone = &crowd.ids[7];
    world.simulator.delete(CLIENT, gone);
    world.until_reason(gone, "CredentialNotFound").await;
    let reads = world.calls(CallKind::Get);
    assert!(!reads.is_empty());
    assert!(reads.iter().all(|call| call.credential.as_ref() == Some(gone)), "{reads:#?}");
    world.seed(gone);
    world.until_reason(gone, "InSync").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_lacks_most_of_what_was_there_is_not_believed_at_first() {
    let (world, crowd) = crowd().await;
    let operator = world.operator(&["--interval", "2s"]);
    crowd.until_reason(&world, "InSync").await;
    rounds(&world, 1).await;
    for id in &crowd.ids[..100] {
        world.simulator.delete(CLIENT, id);
    }
    let unbelieved = r#"confidence_operator_lists_total{outcome="distrusted"} 1"#;
    let metrics = async || get(&operator, "/metrics").await.1;
    eventually("it is told", Deadline::default(), metrics, |it| it.contains(unbelieved)).await;
    assert_eq!(world.calls(CallKind::Get).len(), 0, "nothing is done about it");
    let object = world.api().get(&crowd.ids[0]).await.unwrap();
    assert_eq!(status(&object).conditions.iter().find(|it| it.type_ == "Ready").unwrap().reason, "InSync");
    // It stays so: then it is confirmed one by one, and told.
    for id in &crowd.ids[..100] {
        world.until_reason(id, "CredentialNotFound").await;
    }
    world.until_reason(&crowd.ids[149], "InSync").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_breaks_off_is_thrown_away_and_read_again() {
    let (world, crowd) = crowd().await;
    let _operator = world.operator(&["--interval", "1s"]);
    crowd.until_reason(&world, "InSync").await;
    for fault in [FaultKind::Reset, FaultKind::BrokenJson, FaultKind::status(500)] {
        world.simulator.fault(Fault::once(fault).on(CallKind::List).skip(1));
        rounds(&world, 3).await;
    }
    assert_eq!(world.updates().len(), MANAGED);
    assert!(crowd.ids.iter().all(|id| world.credential(id).sdk_type == "BACKEND"));
    world.simulator.edit(CLIENT, &crowd.ids[3], |it| it.sdk_type = "FRONTEND".to_owned());
    world.until_calls(|calls| count(calls, CallKind::Update) == MANAGED + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_credentials_of_a_large_client_are_read_one_by_one() {
    let world = World::new(Config::default()).await;
    for number in 0..450 {
        world.simulator.put(CLIENT, &format!("few-other-{number}"), credential("Nobody's"));
    }
    let _operator = world.operator(&["--interval", "1s"]);
    for id in ["few-1", "few-2"] {
        world.seed(id);
        world.apply(id, json!({"sdkType": "BACKEND"})).await;
    }
    world.until_calls(|calls| count(calls, CallKind::Get) >= 10).await;
    assert!(world.calls(CallKind::List).len() <= 2, "tried once, and found to be longer than it is worth");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_lists_are_refused_credentials_are_read_one_by_one() {
    let world = World::new(Config::default()).await;
    world.simulator.fault(Fault::always(FaultKind::status(403)).on(CallKind::List));
    let _operator = world.operator(&["--interval", "1s"]);
    for id in ["listless-1", "listless-2", "listless-3"] {
        world.seed(id);
        world.apply(id, json!({"sdkType": "BACKEND"})).await;
        world.until_reason(id, "InSync").await;
    }
    world.until_calls(|calls| count(calls, CallKind::Get) >= 9).await;
    assert_eq!(world.calls(CallKind::List).len(), 1);
    assert_eq!(world.updates().len(), 3);
}

#[tokio::test]
async fn a_new_spec_is_planned_from_the_last_look_without_another() {
    let world = World::new(Config::default()).await;
    world.seed("edited");
    let _operator = world.operator(&["--interval", "1h"]);
    world.apply("edited", json!({"sdkType": "BACKEND"})).await;
    world.until_reason("edited", "InSync").await;
    for sdk_type in ["FRONTEND", "BACKEND", "FRONTEND"] {
        world.apply("edited", json!({"sdkType": sdk_type})).await;
        world.until_reason("edited", "InSync").await;
        assert_eq!(world.credential("edited").sdk_type, sdk_type);
    }
    world.apply("edited", json!({"sdkType": "FRONTEND", "interval": "2h"})).await;
    world.until_reason("edited", "InSync").await;
    let kinds: Vec<_> = world.simulator.calls().into_iter().map(|call| call.kind).collect();
    assert_eq!(kinds, [CallKind::Get, CallKind::Update, CallKind::Update, CallKind::Update, CallKind::Update]);
}

#[tokio::test]
async fn what_the_answer_to_an_update_shows_beside_it_is_corrected_at_once() {
    let world = World::new(Config::default()).await;
    world.seed("besides");
    let _operator = world.operator(&["--interval", "1h"]);
    world.apply("besides", json!({"sdkType": "BACKEND", "environments": ["a"]})).await;
    world.until_reason("besides", "InSync").await;
    world.simulator.edit(CLIENT, "besides", |it| it.environments = ["theirs".to_owned()].into());
    world.apply("besides", json!({"sdkType": "FRONTEND", "environments": ["a"]})).await;
    world.until_reason("besides", "InSync").await;
    let masks: Vec<_> = world.updates().into_iter().map(|call| call.mask.join(",")).collect();
    assert_eq!(masks[1..], ["sdk_type", "environments"]);
}
