//! When a resource is due, and what is known of its credential.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::api::{ConfidenceClientCredentialSpec, ConfidenceClientCredentialStatus};

fn object(generation: i64) -> ConfidenceClientCredential {
    let mut object = ConfidenceClientCredential::new("a", ConfidenceClientCredentialSpec::default());
    object.metadata.namespace = Some("ns".to_owned());
    object.metadata.uid = Some("uid".to_owned());
    object.metadata.generation = Some(generation);
    object
}

fn key() -> Key {
    Key::new("ns", "a")
}

fn begin(memory: &Memory, generation: i64) -> Turn {
    memory.begin(&key(), &object(generation))
}

const DONE: Next = Next::Rest { settled: true };

fn credential(name: &str, update_time: i64) -> ClientCredential {
    let time = jiff::Timestamp::from_second(update_time).unwrap();
    let json = serde_json::json!({"displayName": name, "updateTime": time.to_string()});
    ClientCredential::from_json(json.to_string().as_bytes()).unwrap()
}

fn saw(memory: &Memory, name: &str, update_time: i64, at: Instant) {
    memory.saw(&key(), Remembered::read(credential(name, update_time), at));
}

/// A memory of one resource in order, whose credential was seen with this name.
fn settled(name: &str) -> Memory {
    let memory = Memory::new(Some(1));
    begin(&memory, 1);
    saw(&memory, name, 1, Instant::now());
    memory.end(&key(), DONE);
    memory
}

fn seen_name(memory: &Memory) -> Option<String> {
    memory.look(&key(), Duration::MAX).map(|it| it.credential.display_name)
}

#[tokio::test(start_paused = true)]
async fn an_unrelated_event_does_not_shorten_a_backoff() {
    let memory = Memory::new(Some(1));
    assert!(matches!(begin(&memory, 1), Turn::Go { .. }));
    for _ in 0..8 {
        memory.end(&key(), Next::Backoff);
    }
    let wait = memory.end(&key(), Next::Backoff).unwrap();
    let mut relabelled = object(1);
    relabelled.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
    assert!(!memory.is_news(&key(), &relabelled));
    assert_eq!(memory.begin(&key(), &relabelled), Turn::Rest(Some(wait)));
    tokio::time::advance(wait).await;
    assert!(matches!(memory.begin(&key(), &relabelled), Turn::Go { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_new_spec_is_news_is_served_at_once_and_starts_the_backoff_anew() {
    let memory = Memory::new(Some(1));
    begin(&memory, 1);
    for _ in 0..20 {
        memory.end(&key(), Next::Backoff);
    }
    assert!(memory.is_news(&key(), &object(2)));
    assert!(matches!(begin(&memory, 2), Turn::Go { priority: Priority::Interactive, .. }));
    assert!(memory.end(&key(), Next::Backoff).unwrap() <= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_woken_resource_is_served_at_once_and_only_once() {
    let memory = settled("x");
    memory.wake(&key(), Wake::Asked);
    assert!(matches!(begin(&memory, 1), Turn::Go { priority: Priority::Interactive, .. }));
    memory.end(&key(), DONE);
    assert_eq!(begin(&memory, 1), Turn::Rest(None));
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_is_woken_during_a_pass_gets_another_at_once() {
    let memory = Memory::new(Some(1));
    begin(&memory, 1);
    memory.wake(&key(), Wake::Asked);
    assert_eq!(memory.end(&key(), DONE), Some(Duration::ZERO));
    assert!(matches!(begin(&memory, 1), Turn::Go { priority: Priority::Interactive, .. }));
}

#[tokio::test(start_paused = true)]
async fn those_that_wait_for_the_account_are_woken_together() {
    let memory = Memory::new(Some(1));
    begin(&memory, 1);
    memory.end(&key(), Next::AccountOpens(Duration::from_mins(5)));
    assert_eq!(memory.wake_held(), [key()]);
    assert!(matches!(begin(&memory, 1), Turn::Go { .. }));
    assert!(memory.wake_held().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_person_waits_until_a_pass_has_an_end_of_its_own_and_comes_first_when_the_account_opens() {
    let memory = Memory::new(Some(1));
    let other = Key::new("ns", "other");
    memory.begin(&other, &object(1));
    memory.end(&other, DONE);
    memory.wake(&other, Wake::Found);
    assert_eq!(memory.begin(&other, &object(1)), Turn::Go { priority: Priority::Background, confirm: false });
    memory.end(&other, Next::AccountOpens(Duration::from_mins(5)));
    begin(&memory, 1);
    for next in [Next::Backoff, Next::AccountOpens(Duration::from_mins(5))] {
        memory.end(&key(), next);
        tokio::time::advance(Duration::from_mins(6)).await;
        assert!(matches!(begin(&memory, 1), Turn::Go { priority: Priority::Interactive, .. }), "{next:?}");
    }
    memory.end(&key(), Next::AccountOpens(Duration::from_mins(5)));
    assert_eq!(memory.wake_held(), [key(), other]);
    begin(&memory, 1);
    memory.end(&key(), DONE);
    memory.wake(&key(), Wake::Found);
    assert!(matches!(begin(&memory, 1), Turn::Go { priority: Priority::Background, .. }), "it has been answered");
}

#[tokio::test(start_paused = true)]
async fn what_another_run_left_in_order_is_no_news_and_awaits_a_look() {
    let memory = Memory::new(None);
    memory.adopt(&key(), &object(3));
    assert!(!memory.is_news(&key(), &object(3)));
    assert_eq!(begin(&memory, 3), Turn::Rest(None));
    assert!(memory.awaits_a_look(&key()));
    assert!(matches!(begin(&memory, 4), Turn::Go { priority: Priority::Interactive, .. }));
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_a_resource_that_was_reported_is_no_hurry() {
    let mut known = object(3);
    known.status = Some(ConfidenceClientCredentialStatus {
        observed_generation: Some(3),
        ..ConfidenceClientCredentialStatus::default()
    });
    assert!(matches!(Memory::new(None).begin(&key(), &known), Turn::Go { priority: Priority::Background, .. }));
    assert!(matches!(begin(&Memory::new(None), 3), Turn::Go { priority: Priority::Interactive, .. }));
}

#[tokio::test(start_paused = true)]
async fn the_annotation_and_a_lost_answer_make_earlier_looks_worthless() {
    let memory = settled("x");
    assert_eq!(seen_name(&memory).as_deref(), Some("x"));
    let mut asking = object(1);
    asking.metadata.annotations = Some([(RECONCILE_REQUESTED_AT.to_owned(), "1".to_owned())].into());
    let before = Instant::now();
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(matches!(memory.begin(&key(), &asking), Turn::Go { priority: Priority::Interactive, .. }));
    assert_eq!(seen_name(&memory), None);
    saw(&memory, "late", 2, before);
    assert_eq!(seen_name(&memory), None, "what was asked for before it was lost is lost too");
    saw(&memory, "new", 2, Instant::now());
    assert_eq!(seen_name(&memory).as_deref(), Some("new"));
    memory.forget_look(&key());
    assert_eq!(seen_name(&memory), None);
}

#[tokio::test(start_paused = true)]
async fn another_resource_of_the_same_name_inherits_nothing() {
    let memory = settled("x");
    let mut other = object(1);
    other.metadata.uid = Some("other".to_owned());
    assert!(matches!(memory.begin(&key(), &other), Turn::Go { .. }));
    assert_eq!(seen_name(&memory), None);
}

#[tokio::test(start_paused = true)]
async fn what_a_pass_finds_out_about_a_resource_that_went_is_not_taken_for_what_another_of_its_name_has() {
    let memory = Memory::new(Some(1));
    begin(&memory, 1);
    memory.forget(&key());
    memory.wake(&key(), Wake::Asked);
    saw(&memory, "of the old one", 1, Instant::now());
    assert_eq!(seen_name(&memory), None);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_is_too_old_is_none() {
    let memory = settled("x");
    tokio::time::advance(Duration::from_secs(10)).await;
    assert!(memory.look(&key(), Duration::from_secs(10)).is_some());
    assert!(memory.look(&key(), Duration::from_secs(9)).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_we_wrote_ourselves_wins_over_a_page_that_was_asked_for_before_and_over_one_that_is_older_there() {
    let memory = settled("x");
    let page = Instant::now();
    tokio::time::advance(Duration::from_secs(1)).await;
    memory.wake(&key(), Wake::Asked);
    begin(&memory, 1);
    saw(&memory, "written", 5, Instant::now());
    memory.end(&key(), DONE);
    assert_eq!(memory.saw_elsewhere(&key(), credential("stale", 1), page), Seen::Older);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(memory.saw_elsewhere(&key(), credential("lagging", 4), Instant::now()), Seen::Older);
    assert_eq!(memory.saw_elsewhere(&key(), credential("foreign", 6), Instant::now()), Seen::New);
    assert_eq!(seen_name(&memory).as_deref(), Some("foreign"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_restored_from_a_backup_is_believed_after_a_while() {
    let memory = Memory::new(Some(1));
    begin(&memory, 1);
    saw(&memory, "written", 5, Instant::now());
    memory.end(&key(), DONE);
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(memory.saw_elsewhere(&key(), credential("restored", 2), Instant::now()), Seen::Older);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(memory.saw_elsewhere(&key(), credential("restored", 2), Instant::now()), Seen::New);
    assert_eq!(seen_name(&memory).as_deref(), Some("restored"));
}

#[tokio::test(start_paused = true)]
async fn new_credentials_of_the_account_make_those_due_that_stalled_and_nobody_else() {
    let memory = settled("x");
    assert!(memory.wake_stalled().is_empty());
    let stalled = Key::new("ns", "stalled");
    memory.begin(&stalled, &object(1));
    assert!(memory.wake_stalled().is_empty(), "it is in hand");
    memory.end(&stalled, Next::Rest { settled: false });
    assert_eq!(memory.wake_stalled(), std::slice::from_ref(&stalled));
    assert!(matches!(memory.begin(&stalled, &object(1)), Turn::Go { priority: Priority::Interactive, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_list_changes_nothing_under_a_pass_in_hand() {
    let memory = settled("x");
    memory.wake(&key(), Wake::Asked);
    begin(&memory, 1);
    assert_eq!(memory.saw_elsewhere(&key(), credential("foreign", 6), Instant::now()), Seen::Older);
    memory.end(&key(), DONE);
    assert!(!memory.is_as_left(&key(), &credential("foreign", 6)), "the next list finds it out");
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_is_not_in_order_is_taken_up_with_each_look_although_nothing_moved() {
    let memory = settled("x");
    assert_eq!(memory.saw_elsewhere(&key(), credential("x", 1), Instant::now()), Seen::Same);
    memory.settle(&key(), false);
    assert_eq!(memory.saw_elsewhere(&key(), credential("x", 1), Instant::now()), Seen::New);
}

#[tokio::test(start_paused = true)]
async fn a_round_leaves_alone_what_has_a_time_of_its_own() {
    let memory = settled("x");
    assert!(memory.wake_to_look(&key(), Wake::Found));
    assert!(!memory.wake_to_look(&key(), Wake::Found), "it is woken already");
    begin(&memory, 1);
    assert!(!memory.wake_to_look(&key(), Wake::Found), "it is in hand");
    memory.end(&key(), Next::Backoff);
    assert!(!memory.wake_to_look(&key(), Wake::Found), "it waits for its next try");
}
