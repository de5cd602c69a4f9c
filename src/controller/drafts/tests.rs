//! What is still to be written, through the races between passes, writes and the watch.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::api::ConfidenceClientCredentialSpec;

fn object(version: &str, status: Option<&str>) -> Arc<ConfidenceClientCredential> {
    let mut object = ConfidenceClientCredential::new("a", ConfidenceClientCredentialSpec::default());
    object.metadata.namespace = Some("ns".to_owned());
    object.metadata.uid = Some("uid".to_owned());
    object.metadata.resource_version = Some(version.to_owned());
    object.status = status.map(says);
    Arc::new(object)
}

/// A status that is told from others by its name.
fn says(name: &str) -> Status {
    Status { name: Some(name.to_owned()), ..Status::default() }
}

fn key() -> Key {
    Key::new("ns", "a")
}

fn event(note: &str) -> events::Draft {
    events::Draft { warning: false, reason: "Updated".to_owned(), action: "Update", note: note.to_owned() }
}

fn put(drafts: &Drafts, object: &Arc<ConfidenceClientCredential>, status: Status, events: Vec<events::Draft>) -> bool {
    drafts.put(&key(), object, Wanted { status, events, pass: PassId(1) })
}

fn is_empty(drafts: &Drafts) -> bool {
    lock(&drafts.entries).is_empty()
}

fn write(drafts: &Drafts, came: &str) -> Rest {
    let job = drafts.job(&key()).unwrap();
    drafts.written(&key(), &job, vec![job.object.resource_version(), job.version.clone()], Some(came.to_owned()))
}

#[test]
fn until_the_watch_shows_it_what_was_written_is_the_status_and_its_version_is_written_over() {
    let drafts = Drafts::default();
    let old = object("1", Some("old"));
    assert!(put(&drafts, &old, says("new"), Vec::new()));
    assert_eq!(drafts.current(&key(), &old), says("new"));
    assert_eq!(write(&drafts, "2"), Rest { events: Vec::new(), again: false });
    assert_eq!(drafts.current(&key(), &old), says("new"));
    put(&drafts, &old, says("newer"), Vec::new());
    let job = drafts.job(&key()).unwrap();
    assert_eq!((job.before, job.version.as_deref(), job.after), (says("new"), Some("2"), says("newer")));
}

#[test]
fn a_version_that_the_watch_shows_late_is_not_taken_for_a_newer_one() {
    let drafts = Drafts::default();
    put(&drafts, &object("1", None), says("first"), Vec::new());
    let job = drafts.job(&key()).unwrap();
    // Somebody else's version 2 was met and written over, and the watch has shown neither yet.
    drafts.written(&key(), &job, vec![Some("1".to_owned()), Some("2".to_owned())], Some("3".to_owned()));
    put(&drafts, &object("1", None), says("second"), Vec::new());
    write(&drafts, "4");
    let late = object("2", None);
    drafts.seen(&key(), &late);
    assert_eq!(drafts.current(&key(), &late), says("second"));
    drafts.seen(&key(), &object("4", Some("second")));
    assert!(is_empty(&drafts));
}

#[test]
fn nothing_is_kept_once_the_watch_has_shown_it_in_whichever_order_answer_and_watch_come() {
    for watch_is_first in [false, true] {
        let drafts = Drafts::default();
        put(&drafts, &object("1", None), says("new"), Vec::new());
        let shown = object("2", Some("new"));
        if watch_is_first {
            drafts.seen(&key(), &shown);
            write(&drafts, "2");
        } else {
            write(&drafts, "2");
            drafts.seen(&key(), &shown);
        }
        assert!(is_empty(&drafts), "{watch_is_first}");
    }
}

#[test]
fn a_status_that_moves_on_during_the_write_is_written_again_and_no_event_is_lost_or_told_twice() {
    let drafts = Drafts::default();
    let object = object("1", None);
    assert!(put(&drafts, &object, says("a"), vec![event("1")]));
    let job = drafts.job(&key()).unwrap();
    assert!(!put(&drafts, &object, says("b"), vec![event("2")]), "the writer has it in hand");
    let rest = drafts.written(&key(), &job, vec![Some("1".to_owned())], Some("2".to_owned()));
    assert_eq!(rest, Rest { events: vec![event("1"), event("2")], again: true });
    let job = drafts.job(&key()).unwrap();
    assert_eq!((job.before.name.as_deref(), job.after.name.as_deref()), (Some("a"), Some("b")));
    assert_eq!(write(&drafts, "3"), Rest { events: Vec::new(), again: false });
}

#[test]
fn several_passes_before_a_write_cost_one() {
    let drafts = Drafts::default();
    let object = object("1", None);
    assert!(put(&drafts, &object, says("a"), vec![event("1")]));
    assert!(!put(&drafts, &object, says("b"), vec![event("2")]));
    assert_eq!(write(&drafts, "2").events, [event("1"), event("2")]);
    assert!(drafts.job(&key()).is_none());
}

#[test]
fn a_write_that_failed_stays_to_be_written() {
    let drafts = Drafts::default();
    let object = object("1", Some("old"));
    put(&drafts, &object, says("a"), Vec::new());
    drafts.job(&key()).unwrap();
    assert_eq!((drafts.failed(&key()), drafts.failed(&key())), (1, 2));
    assert_eq!(drafts.current(&key(), &object), says("a"));
    assert_eq!(drafts.job(&key()).unwrap().after, says("a"));
}

#[test]
fn another_resource_of_the_same_name_gets_nothing_of_the_first_ones() {
    let drafts = Drafts::default();
    put(&drafts, &object("1", None), says("a"), vec![event("1")]);
    let job = drafts.job(&key()).unwrap();
    let mut other = ConfidenceClientCredential::clone(&object("9", None));
    other.metadata.uid = Some("other".to_owned());
    let other = Arc::new(other);
    assert_eq!(drafts.current(&key(), &other), Status::default());
    put(&drafts, &other, says("b"), Vec::new());
    let rest = drafts.written(&key(), &job, vec![Some("1".to_owned())], Some("2".to_owned()));
    assert!(rest.events.is_empty());
    let job = drafts.job(&key()).unwrap();
    assert_eq!((job.version.as_deref(), job.after), (Some("9"), says("b")));
}

fn recreated() -> Arc<ConfidenceClientCredential> {
    let mut object = ConfidenceClientCredential::clone(&object("5", None));
    object.metadata.uid = Some("uid of another".to_owned());
    Arc::new(object)
}

#[test]
fn whoever_writes_for_a_resource_that_went_goes_on_with_the_one_that_came_in_its_place() {
    for taken in [false, true] {
        let drafts = Drafts::default();
        assert!(put(&drafts, &object("1", None), says("of the first"), Vec::new()));
        let job = drafts.job(&key()).unwrap();
        drafts.forget(&key());
        let second = recreated();
        assert!(!put(&drafts, &second, says("of the second"), Vec::new()), "there is a writer");
        let again = if taken {
            drafts.written(&key(), &job, vec![Some("1".to_owned())], Some("2".to_owned())).again
        } else {
            drafts.drop_wanted(&key(), &job)
        };
        assert!(again);
        let next = drafts.job(&key()).unwrap();
        assert_eq!(
            (next.object.uid(), next.before, next.after),
            (second.uid(), Status::default(), says("of the second"))
        );
    }
}

#[test]
fn a_status_that_moved_on_is_written_even_if_what_was_in_hand_was_pointless() {
    let drafts = Drafts::default();
    put(&drafts, &object("1", None), says("old"), Vec::new());
    let job = drafts.job(&key()).unwrap();
    put(&drafts, &object("1", None), says("new"), Vec::new());
    assert!(drafts.drop_wanted(&key(), &job));
    let job = drafts.job(&key()).unwrap();
    assert_eq!(job.after, says("new"));
    assert!(!drafts.drop_wanted(&key(), &job));
    assert!(is_empty(&drafts));
}

#[test]
fn a_writer_finds_nothing_left_of_a_resource_that_is_gone() {
    let drafts = Drafts::default();
    put(&drafts, &object("1", None), says("new"), Vec::new());
    drafts.forget(&key());
    assert!(drafts.job(&key()).is_none());
    assert!(is_empty(&drafts));
}

#[tokio::test]
async fn the_end_waits_for_what_is_to_be_written() {
    let drafts = Drafts::default();
    drafts.all_written().await;
    put(&drafts, &object("1", None), says("a"), Vec::new());
    let waiting = drafts.all_written();
    futures::pin_mut!(waiting);
    assert!(futures::poll!(&mut waiting).is_pending());
    write(&drafts, "2");
    waiting.await;
}
