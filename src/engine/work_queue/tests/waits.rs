//! When a key is due again.

use tokio::time::advance;

use super::*;

const HOUR: Duration = Duration::from_hours(1);

/// After a failure the next attempt comes by itself, within a second, and knows of the failure.
#[tokio::test(start_paused = true)]
async fn failed_attempt_is_retried_after_backoff() {
    let mut scene = Scene::new(1, 1);
    scene.change("a/1");
    scene.run(&Next::Retry);
    assert_eq!(scene.handed_out(), Vec::<String>::new());
    advance(Duration::from_secs(1)).await;
    let attempt = scene.begin_only("a/1");
    assert_eq!((attempt.failures_before, attempt.trigger), (1, None));
}

/// Whoever waits for the stream is woken by a trigger, and by the time of a retry.
#[tokio::test(start_paused = true)]
async fn waiting_reader_is_woken() {
    let mut scene = Scene::new(1, 1);
    let queue = scene.queue.clone();
    let (revision, lane) = (queue.revision(&object(1), &[]), "lane".into());
    let (handed_out, ()) = tokio::join!(scene.stream.next(), async { queue.apply(&key("a/1"), &lane, revision) });
    assert_eq!(handed_out, Some(key("a/1")));
    let attempt = queue.begin(&key("a/1")).unwrap();
    let (began, wait) = (Instant::now(), Duration::from_secs(7));
    queue.finish(&attempt, Next::RetryAfter(wait));
    assert_eq!(scene.stream.next().await, Some(key("a/1")));
    assert_eq!(began.elapsed(), wait);
}

/// A new spec is tried at once, and its failures are counted anew.
#[tokio::test(start_paused = true)]
async fn change_ends_backoff_and_forgets_failures() {
    let mut scene = Scene::new(1, 1);
    scene.change("a/1");
    scene.run(&Next::Retry);
    scene.change("a/1");
    assert_eq!(scene.begin_only("a/1").failures_before, 0);
}

/// A changed Secret is tried at once; the failures still count, for the Secret may change in a loop.
#[tokio::test(start_paused = true)]
async fn changed_dependency_ends_backoff() {
    let mut scene = Scene::new(1, 1);
    scene.change("a/1");
    scene.run(&Next::Retry);
    scene.queue.trigger(&key("a/1"), Trigger::DependencyChanged);
    assert_eq!(scene.begin_only("a/1").failures_before, 1);
}

/// A resync with a short interval must not undo the backoff.
#[tokio::test(start_paused = true)]
async fn resync_never_shortens_wait() {
    let mut scene = Scene::new(9, 9);
    for (name, next) in [("a/1", Next::RetryAfter(HOUR)), ("a/2", blocked(HOUR))] {
        scene.resync(&[name]);
        scene.run(&next);
        scene.queue.trigger(&key(name), Trigger::Resync);
        assert!(!scene.queue.is_idle(&key(name)));
    }
    assert_eq!(scene.handed_out(), Vec::<String>::new());
}

/// A user waits for an edit that fails once: its retry goes before the backlog. When it is done, nobody waits any more.
#[tokio::test(start_paused = true)]
async fn failed_edit_stays_interactive_until_done() {
    let mut scene = Scene::new(9, 9);
    scene.change("a/1");
    for next in [Next::Retry, Next::RetryAfter(HOUR), blocked(HOUR), Next::Done] {
        let attempt = scene.begin_only("a/1");
        assert_eq!(attempt.priority, Priority::Interactive);
        scene.queue.finish(&attempt, next);
        advance(2 * HOUR).await;
    }
    scene.queue.trigger(&key("a/1"), Trigger::Resync);
    assert_eq!(scene.begin_only("a/1").priority, Priority::Background);
}

/// When the account is available again all go on that wait for it, and no others; interactive ones first.
#[tokio::test(start_paused = true)]
async fn release_lets_blocked_go_on_interactive_first() {
    let mut scene = Scene::new(9, 9);
    scene.resync(&["a/1"]);
    scene.run(&blocked(HOUR));
    scene.change("a/2");
    scene.run(&blocked(HOUR));
    scene.change("a/3");
    scene.run(&Next::Blocked { group: "other".into(), at_latest: HOUR });
    scene.queue.release("account");
    assert_eq!(scene.handed_out(), ["a/2", "a/1"]);
}

/// Nobody releases the group: the keys come back by themselves, spread over a second.
#[tokio::test(start_paused = true)]
async fn blocked_keys_wake_spread_over_second() {
    let mut scene = Scene::new(99, 99);
    (0..50).for_each(|index| scene.change(&format!("a/{index}")));
    scene.run(&blocked(HOUR));
    advance(HOUR).await;
    let at_once = scene.handed_out().len();
    advance(Duration::from_millis(500)).await;
    let in_between = scene.handed_out().len();
    advance(Duration::from_millis(500)).await;
    let late = scene.handed_out().len();
    assert_eq!(at_once + in_between + late, 50);
    assert!(at_once < 5 && in_between > 10 && late > 10, "{at_once}, {in_between}, {late}");
}

/// An edit of a key that waits for the account is tried at once.
#[tokio::test(start_paused = true)]
async fn interactive_trigger_ends_blocked_wait() {
    let mut scene = Scene::new(9, 9);
    scene.resync(&["a/1", "a/2"]);
    scene.run(&blocked(HOUR));
    scene.queue.trigger(&key("a/2"), Trigger::DependencyChanged);
    assert_eq!(scene.begin_only("a/2").priority, Priority::Interactive);
    scene.queue.release("account");
    assert_eq!(scene.handed_out(), ["a/1"], "the other one still waited, this one does not");
}

/// New credentials of an account: what did not reach its end is tried again, at the priority that it has.
#[tokio::test(start_paused = true)]
async fn unfinished_keys_of_lane_are_triggered() {
    let mut scene = Scene::new(9, 9);
    scene.change_in("other", "a/0");
    scene.run(&Next::Stalled);
    for (name, next) in [("a/1", Next::Done), ("a/2", Next::Stalled), ("a/3", Next::RetryAfter(HOUR))] {
        scene.change(name);
        scene.run(&next);
    }
    scene.adopt("a/4");
    scene.queue.trigger_unfinished("lane");
    let due: Vec<_> = scene.begun().iter().map(|it| (it.key.to_string(), it.priority)).collect();
    assert_eq!(due, [("a/3".to_owned(), Priority::Interactive), ("a/2".to_owned(), Priority::Background)]);
}

/// New credentials come while an attempt with the old ones is in flight and about to be refused.
#[tokio::test(start_paused = true)]
async fn unfinished_attempt_in_flight_is_repeated() {
    let mut scene = Scene::new(1, 1);
    scene.change("a/1");
    let attempt = scene.begin_only("a/1");
    scene.queue.trigger_unfinished("lane");
    assert!(scene.queue.is_current(&attempt), "it may succeed");
    scene.queue.finish(&attempt, Next::Stalled);
    assert_eq!(scene.handed_out(), ["a/1"]);
}

/// What waits longer than any time can be does not bring the program down.
#[tokio::test(start_paused = true)]
async fn endless_wait_is_bounded() {
    let mut scene = Scene::new(9, 9);
    scene.change("a/1");
    scene.run(&Next::RetryAfter(Duration::MAX));
    scene.change("a/2");
    scene.run(&blocked(Duration::MAX));
    assert_eq!(scene.handed_out(), Vec::<String>::new());
}

/// A simulated schedule can be replayed: the same seed gives the same waits.
#[tokio::test(start_paused = true)]
async fn equal_seeds_give_equal_waits() {
    let mut orders = Vec::new();
    for _ in 0..2 {
        let mut scene = Scene::new(99, 99);
        (0..50).for_each(|index| scene.change(&format!("a/{index}")));
        scene.run(&Next::Retry);
        advance(Duration::from_secs(1)).await;
        orders.push(scene.handed_out());
    }
    assert_eq!(orders[0].len(), 50);
    assert_eq!(orders[0], orders[1]);
    assert!(!orders[0].is_sorted(), "the waits differ");
}
