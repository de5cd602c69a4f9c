//! What an attempt knows of its object, and what the queue forgets.

use super::*;

/// An edit during an attempt is served by another one, at once, whatever the first one came to.
#[tokio::test(start_paused = true)]
async fn trigger_in_flight_queues_key_again() {
    let mut scene = Scene::new(1, 1);
    for next in [Next::Done, Next::Stalled, Next::Retry, blocked(Duration::from_hours(1))] {
        scene.change("a/1");
        let attempt = scene.begin_only("a/1");
        scene.change("a/1");
        assert_eq!(scene.handed_out(), Vec::<String>::new(), "never two at once");
        scene.queue.finish(&attempt, next);
        scene.run(&Next::Done);
    }
}

/// A resync during an attempt is served by its retry, if there is one, else by an attempt of its own.
#[tokio::test(start_paused = true)]
async fn resync_in_flight_leaves_backoff() {
    for (next, due) in [(Next::Done, vec!["a/1"]), (Next::Retry, vec![])] {
        let mut scene = Scene::new(1, 1);
        scene.change("a/1");
        let attempt = scene.begin_only("a/1");
        scene.queue.trigger(&key("a/1"), Trigger::Resync);
        scene.queue.finish(&attempt, next);
        assert_eq!(scene.handed_out(), due);
    }
}

/// An attempt is current until its object, or what that depends on, is another one.
#[tokio::test(start_paused = true)]
async fn attempt_is_current_until_something_is_new() {
    type News = fn(&mut Scene);
    let news: [(News, bool); 6] = [
        (|_| {}, true),
        (|scene| scene.queue.trigger(&key("a/1"), Trigger::Resync), true),
        (|scene| scene.queue.trigger(&key("a/1"), Trigger::DependencyChanged), false),
        (|scene| scene.change("a/1"), false),
        (|scene| scene.queue.remove(&key("a/1")), false),
        (|scene| scene.queue.clear(), false),
    ];
    for (index, (news, is_current)) in news.into_iter().enumerate() {
        let mut scene = Scene::new(1, 1);
        scene.change("a/1");
        let attempt = scene.begin_only("a/1");
        news(&mut scene);
        assert_eq!(scene.queue.is_current(&attempt), is_current, "{index}");
        scene.queue.finish(&attempt, Next::Done);
        assert!(!scene.queue.is_current(&attempt), "it is over");
    }
}

/// The same object again, with another status: neither due nor outdated.
#[tokio::test(start_paused = true)]
async fn unchanged_object_is_no_news() {
    let mut scene = Scene::new(1, 1);
    scene.change("a/1");
    let attempt = scene.begin_only("a/1");
    scene.queue.apply(&key("a/1"), &"lane".into(), scene.queue.revision(&object(1), &[REQUEST]));
    assert!(scene.queue.is_current(&attempt));
    scene.queue.finish(&attempt, Next::Done);
    assert_eq!(scene.handed_out(), Vec::<String>::new());
    assert!(scene.queue.is_idle(&key("a/1")) && scene.queue.is_converged(&key("a/1")));
}

/// A value of the annotation is a request once; its removal is none, and neither is an endless value.
#[tokio::test(start_paused = true)]
async fn annotation_requests_unless_removed_or_long() {
    let mut scene = Scene::new(1, 1);
    scene.adopt("a/1");
    let long = "ü".repeat(129);
    let (longest, removed) = ("ü".repeat(128), None);
    let values = [(Some("1"), 1), (Some("1"), 0), (removed, 0), (Some("1"), 1), (Some("2"), 1), (Some(&*long), 0)];
    for (index, (value, due)) in values.into_iter().chain([(Some(&*longest), 1)]).enumerate() {
        let mut object = object(0);
        object.metadata.annotations = value.map(|value| [(REQUEST.to_owned(), value.to_owned())].into());
        scene.queue.apply(&key("a/1"), &"lane".into(), scene.queue.revision(&object, &["other", REQUEST]));
        let attempts = scene.begun();
        assert_eq!(attempts.len(), due, "{index}");
        for attempt in attempts {
            scene.queue.finish(&attempt, Next::Done);
        }
    }
}

/// Of two annotations one is removed and the other stays as it is: nobody asks for anything.
#[tokio::test(start_paused = true)]
async fn removed_annotation_beside_another_requests_nothing() {
    let mut scene = Scene::new(1, 1);
    scene.adopt("a/1");
    for (annotations, due) in [(vec!["other", REQUEST], 1), (vec!["other"], 0), (vec!["other", REQUEST], 1)] {
        let mut object = object(0);
        object.metadata.annotations =
            Some(annotations.iter().map(|name| ((*name).to_owned(), "1".to_owned())).collect());
        scene.queue.apply(&key("a/1"), &"lane".into(), scene.queue.revision(&object, &["other", REQUEST]));
        let attempts = scene.begun();
        assert_eq!(attempts.len(), due, "{annotations:?}");
        for attempt in attempts {
            scene.queue.finish(&attempt, Next::Done);
        }
    }
}

/// What an earlier run left converged is known and waits for the resync.
#[tokio::test(start_paused = true)]
async fn adopted_key_waits_for_resync() {
    let mut scene = Scene::new(1, 1);
    scene.adopt("a/1");
    assert_eq!(scene.handed_out(), Vec::<String>::new());
    assert!(scene.queue.is_idle(&key("a/1")) && scene.queue.is_converged(&key("a/1")));
    scene.queue.trigger(&key("a/1"), Trigger::Resync);
    let attempt = scene.begin_only("a/1");
    assert!(!scene.queue.is_idle(&key("a/1")));
    scene.queue.finish(&attempt, Next::Stalled);
    assert!(scene.queue.is_idle(&key("a/1")) && !scene.queue.is_converged(&key("a/1")));
}

/// A list that names a known object again overlooks no edit.
#[tokio::test(start_paused = true)]
async fn adopted_again_key_takes_news() {
    let mut scene = Scene::new(1, 1);
    scene.change("a/1");
    scene.run(&Next::Done);
    scene.adopt("a/1");
    assert_eq!(scene.handed_out(), ["a/1"], "it has another generation");
}

/// A Secret changes whose user is gone: nothing runs, and nothing stays behind.
#[tokio::test(start_paused = true)]
async fn unknown_key_is_ignored() {
    let mut scene = Scene::new(1, 1);
    scene.queue.trigger(&key("a/1"), Trigger::Changed);
    assert_eq!(scene.handed_out(), Vec::<String>::new());
    scene.adopt("a/1");
    assert_eq!(scene.handed_out(), Vec::<String>::new());
    assert!(scene.queue.begin(&key("a/1")).is_none());
}

/// An object goes between the stream and its attempt: its slot is free again.
#[tokio::test(start_paused = true)]
async fn removed_key_gives_slot_back() {
    let mut scene = Scene::new(1, 1);
    scene.change("a/1");
    scene.change("a/2");
    assert_eq!(scene.handed_out(), ["a/1"]);
    scene.queue.remove(&key("a/1"));
    assert!(scene.queue.begin(&key("a/1")).is_none());
    assert_eq!(scene.handed_out(), ["a/2"]);
}

/// An object that is due or waits is deleted: nothing runs, even if its account is released or its time comes.
#[tokio::test(start_paused = true)]
async fn removed_key_leaves_nothing_behind() {
    let mut scene = Scene::new(9, 9);
    scene.change("a/1");
    scene.run(&blocked(Duration::from_secs(1)));
    scene.change("a/2");
    scene.queue.remove(&key("a/1"));
    scene.queue.remove(&key("a/2"));
    scene.queue.release("account");
    tokio::time::advance(Duration::from_hours(1)).await;
    assert_eq!(scene.handed_out(), Vec::<String>::new());
}

/// An object is deleted and created again while its attempt is in flight. The new one waits, and is new in all.
#[tokio::test(start_paused = true)]
async fn recreated_key_waits_for_old_attempt() {
    let mut scene = Scene::new(9, 9);
    scene.change("a/1");
    let old = scene.begin_only("a/1");
    scene.queue.remove(&key("a/1"));
    let mut object = object(1);
    object.metadata.uid = Some("b".to_owned());
    scene.queue.apply(&key("a/1"), &"lane".into(), scene.queue.revision(&object, &[]));
    assert_eq!(scene.handed_out(), Vec::<String>::new());
    assert!(!scene.queue.is_current(&old));
    scene.queue.finish(&old, Next::Retry);
    let new = scene.begin_only("a/1");
    assert_eq!((new.failures_before, new.revision.is_same_object(&old.revision)), (0, false));
}

/// The watch misses the deletion and shows the new object: the same.
#[tokio::test(start_paused = true)]
async fn replaced_object_forgets_failures() {
    let mut scene = Scene::new(9, 9);
    scene.change("a/1");
    scene.run(&Next::Retry);
    let mut object = object(1);
    object.metadata.uid = Some("b".to_owned());
    scene.queue.apply(&key("a/1"), &"lane".into(), scene.queue.revision(&object, &[]));
    assert_eq!(scene.begin_only("a/1").failures_before, 0);
}

/// An object moves to another account: what is due counts there; what is in flight holds its old slot.
#[tokio::test(start_paused = true)]
async fn moved_key_counts_in_new_lane() {
    let mut scene = Scene::new(1, 1);
    scene.change_in("old", "a/1");
    scene.change_in("old", "a/2");
    let first = scene.begin_only("a/1");
    scene.change_in("new", "a/2");
    let second = scene.begin_only("a/2");
    scene.change_in("new", "a/1");
    scene.queue.finish(&first, Next::Done);
    assert_eq!(scene.handed_out(), Vec::<String>::new(), "the new lane is full");
    scene.queue.finish(&second, Next::Done);
    assert_eq!(scene.handed_out(), ["a/1"]);
}

/// An attempt that is finished twice gives back one slot.
#[tokio::test(start_paused = true)]
async fn second_finish_changes_nothing() {
    let mut scene = Scene::new(1, 1);
    scene.change("a/1");
    let attempt = scene.begin_only("a/1");
    scene.queue.finish(&attempt, Next::Done);
    scene.change("a/1");
    scene.change("a/2");
    let _running = scene.begin_only("a/1");
    scene.queue.finish(&attempt, Next::Done);
    assert_eq!(scene.handed_out(), Vec::<String>::new());
}

/// The executor's store is empty until the first list is complete: nothing is handed out before.
#[tokio::test(start_paused = true)]
async fn paused_queue_hands_out_later() {
    let mut scene = Scene::new(1, 1);
    scene.queue.pause();
    scene.change("a/1");
    assert_eq!(scene.handed_out(), Vec::<String>::new());
    scene.queue.resume();
    assert_eq!(scene.handed_out(), ["a/1"]);
}

/// The program ends: the stream is over, and what it handed out does not begin.
#[tokio::test(start_paused = true)]
async fn stopped_queue_begins_nothing() {
    let mut scene = Scene::new(2, 2);
    scene.change("a/1");
    assert_eq!(scene.handed_out(), ["a/1"]);
    scene.change("a/2");
    scene.queue.stop();
    assert!(scene.queue.begin(&key("a/1")).is_none());
    assert_eq!(scene.stream.next().await, None);
}
