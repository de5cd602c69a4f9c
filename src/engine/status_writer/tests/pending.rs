//! What is still to be written, through the races between attempts, writes and the watch.

use super::*;

struct Statuses(PendingStatuses<Widget>);

fn statuses() -> Statuses {
    Statuses(PendingStatuses::default())
}

fn key() -> Key {
    Key::new("ns", "a")
}

impl Statuses {
    fn put(&self, object: &Arc<Widget>, phase: &str, events: Vec<EventDraft>) -> bool {
        self.0.put(&key(), object, pending(phase, events))
    }

    fn begin(&self) -> Job<Widget> {
        self.0.begin(&key()).unwrap()
    }

    /// A write is taken over the version that it was made from, and this version comes of it.
    fn end(&self, job: &Job<Widget>, version: &str) -> (Vec<EventDraft>, bool) {
        let over = vec![job.object.metadata.resource_version.clone(), job.version.clone()];
        let rest = self.0.written(&key(), job, over, Some(version.to_owned()));
        self.0.end();
        rest
    }

    fn write(&self, version: &str) -> (Vec<EventDraft>, bool) {
        self.end(&self.begin(), version)
    }

    fn current(&self, object: &Widget) -> WidgetStatus {
        self.0.current(&key(), object)
    }

    fn seen(&self, object: &Widget, previous: &Widget) -> StatusOrigin {
        self.0.seen(&key(), object, Some(previous))
    }
}

/// Until the watch shows it, what was written is the status, and its version is the one to write over.
#[test]
fn unseen_status_is_current_and_written_over() {
    let statuses = statuses();
    let old = widget("1", Some("old"));
    assert!(statuses.put(&old, "new", Vec::new()));
    assert_eq!(statuses.current(&old), says("new"));
    assert_eq!(statuses.write("2"), (Vec::new(), false));
    assert_eq!(statuses.current(&old), says("new"));
    statuses.put(&old, "newer", Vec::new());
    let job = statuses.begin();
    assert_eq!((job.version.as_deref(), job.after), (Some("2"), says("newer")));
}

/// Somebody else's version 2 was met and written over; the watch shows it late.
#[test]
fn late_version_is_not_taken_for_newer() {
    let statuses = statuses();
    statuses.put(&widget("1", None), "first", Vec::new());
    let job = statuses.begin();
    let over = vec![Some("1".to_owned()), Some("2".to_owned())];
    statuses.0.written(&key(), &job, over, Some("3".to_owned()));
    statuses.put(&widget("1", None), "second", Vec::new());
    statuses.write("4");
    let late = widget("2", None);
    assert_eq!(statuses.seen(&late, &widget("1", None)), StatusOrigin::Expected);
    assert_eq!(statuses.current(&late), says("second"));
    assert_eq!(statuses.seen(&widget("4", Some("second")), &late), StatusOrigin::Expected);
    assert!(statuses.0.is_empty());
}

/// Nothing stays behind, whether the answer or the watch comes first.
#[test]
fn shown_status_leaves_nothing_behind() {
    for watch_is_first in [false, true] {
        let statuses = statuses();
        let (old, new) = (widget("1", None), widget("2", Some("new")));
        statuses.put(&old, "new", Vec::new());
        let job = statuses.begin();
        if watch_is_first {
            assert_eq!(statuses.seen(&new, &old), StatusOrigin::Expected);
            statuses.end(&job, "2");
        } else {
            statuses.end(&job, "2");
            assert_eq!(statuses.seen(&new, &old), StatusOrigin::Expected);
        }
        assert!(statuses.0.is_empty(), "{watch_is_first}");
    }
}

/// A status that moves on during its write is written again, and no event is lost or told twice.
#[test]
fn moved_status_is_written_again() {
    let statuses = statuses();
    let object = widget("1", None);
    assert!(statuses.put(&object, "a", vec![event("1")]));
    let job = statuses.begin();
    assert!(!statuses.put(&object, "b", vec![event("2")]), "a writer has it");
    assert_eq!(statuses.end(&job, "2"), (vec![event("1"), event("2")], true));
    assert_eq!(statuses.begin().after, says("b"));
}

/// Several attempts before a write cost one.
#[test]
fn attempts_before_write_cost_one() {
    let statuses = statuses();
    let object = widget("1", None);
    assert!(statuses.put(&object, "a", vec![event("1")]));
    assert!(!statuses.put(&object, "b", vec![event("2")]));
    assert_eq!(statuses.write("2").0, [event("1"), event("2")]);
    assert!(statuses.0.begin(&key()).is_none());
}

/// A write that failed stays to be written.
#[test]
fn failed_status_stays_pending() {
    let statuses = statuses();
    let object = widget("1", Some("old"));
    statuses.put(&object, "a", Vec::new());
    statuses.begin();
    assert_eq!((statuses.0.failed(&key(), false), statuses.0.failed(&key(), false)), (1, 2));
    assert_eq!(statuses.current(&object), says("a"));
    assert_eq!(statuses.begin().after, says("a"));
}

/// A resource was deleted and made anew during a write: the writer goes on with the new one, which gets nothing of the
/// old one's.
#[test]
fn recreated_resource_gets_only_its_own() {
    for taken in [true, false] {
        let statuses = statuses();
        statuses.put(&widget("1", None), "a", vec![event("1")]);
        let job = statuses.begin();
        statuses.0.remove(&key());
        let second = recreated();
        assert_eq!(statuses.current(&second), WidgetStatus::default());
        assert!(!statuses.put(&second, "b", Vec::new()), "there is a writer");
        let (events, is_due_again) =
            if taken { statuses.end(&job, "2") } else { (Vec::new(), statuses.0.drop_pending(&key(), &job)) };
        assert!(events.is_empty() && is_due_again);
        let next = statuses.begin();
        assert_eq!((next.version.as_deref(), next.after), (Some("9"), says("b")));
    }
}

/// A pointless write takes nothing with it that was put down meanwhile.
#[test]
fn pointless_write_keeps_moved_status() {
    let statuses = statuses();
    statuses.put(&widget("1", None), "old", Vec::new());
    let job = statuses.begin();
    statuses.put(&widget("1", None), "new", Vec::new());
    assert!(statuses.0.drop_pending(&key(), &job));
    let job = statuses.begin();
    assert_eq!(job.after, says("new"));
    assert!(!statuses.0.drop_pending(&key(), &job));
    assert!(statuses.0.is_empty());
}

/// The writer of a resource that is gone finds nothing left to write.
#[test]
fn removed_resource_leaves_nothing_behind() {
    let statuses = statuses();
    statuses.put(&widget("1", None), "new", Vec::new());
    statuses.0.remove(&key());
    assert!(statuses.0.begin(&key()).is_none());
    assert!(statuses.0.is_empty());
}

/// Somebody wipes a status, puts an old one back, or says something else: before, after and during our own writes.
#[test]
fn foreign_status_is_noticed() {
    let (ours, wiped) = (widget("2", Some("new")), widget("3", None));
    let at_rest = statuses();
    assert_eq!(at_rest.seen(&wiped, &ours), StatusOrigin::Foreign);
    assert_eq!(at_rest.seen(&widget("3", Some("new")), &ours), StatusOrigin::Expected, "a label changed");
    assert_eq!(at_rest.0.seen(&key(), &wiped, None), StatusOrigin::Expected, "nothing is known of it yet");

    let unseen = statuses();
    let old = widget("1", None);
    unseen.put(&old, "new", Vec::new());
    unseen.write("2");
    assert_eq!(unseen.seen(&widget("3", Some("theirs")), &old), StatusOrigin::Foreign);

    let unwritten = statuses();
    unwritten.put(&old, "new", Vec::new());
    assert_eq!(unwritten.seen(&widget("2", Some("theirs")), &old), StatusOrigin::Foreign);
}

/// The end of the program waits for what is to be written and told, but not for what is refused for good.
#[tokio::test]
async fn end_waits_for_writes_but_not_refusals() {
    let statuses = statuses();
    statuses.0.all_written().await;
    statuses.put(&widget("1", None), "a", vec![event("1")]);
    let waiting = statuses.0.all_written();
    futures::pin_mut!(waiting);
    assert!(futures::poll!(&mut waiting).is_pending());
    let job = statuses.begin();
    statuses.0.written(&key(), &job, Vec::new(), Some("2".to_owned()));
    assert!(futures::poll!(&mut waiting).is_pending(), "its event is not told yet");
    statuses.0.end();
    waiting.await;
    statuses.put(&widget("2", None), "b", Vec::new());
    statuses.begin();
    statuses.0.failed(&key(), true);
    statuses.0.end();
    statuses.0.all_written().await;
}
