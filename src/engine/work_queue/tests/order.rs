//! Who runs first, and how many at once.

use super::*;

/// No more keys are handed out than the lane has slots, and each that ends makes room for another at once.
#[tokio::test(start_paused = true)]
async fn slots_bound_attempts_of_lane() {
    let mut scene = Scene::new(2, 1);
    scene.change_all(&["a/1", "a/2", "a/3"]);
    let attempts = scene.begun();
    assert_eq!(attempts.len(), 2);
    scene.queue.finish(&attempts[0], Next::Done);
    assert_eq!(scene.handed_out(), ["a/3"]);
}

/// A key that was handed out holds its slot before its attempt begins.
#[tokio::test(start_paused = true)]
async fn handed_out_key_holds_slot() {
    let mut scene = Scene::new(1, 1);
    scene.change("a/1");
    scene.change("a/2");
    assert_eq!(scene.handed_out(), ["a/1"]);
    assert_eq!(scene.handed_out(), Vec::<String>::new());
}

/// The attempts of one account hang; another account has its own slots.
#[tokio::test(start_paused = true)]
async fn full_lane_starves_no_other() {
    let mut scene = Scene::new(1, 1);
    scene.change_in("throttled", "a/1");
    scene.change_in("throttled", "a/2");
    scene.change_in("other", "b/1");
    assert_eq!(scene.handed_out(), ["a/1", "b/1"]);
}

/// A resync finds everything drifted; an edit still finds a slot.
#[tokio::test(start_paused = true)]
async fn background_leaves_slot_to_interactive() {
    let mut scene = Scene::new(3, 2);
    scene.resync(&["a/1", "a/2", "a/3", "a/4"]);
    assert_eq!(scene.handed_out(), ["a/1", "a/2"]);
    scene.change("a/9");
    assert_eq!(scene.handed_out(), ["a/9"]);
}

/// An edit that comes after a backlog runs before it.
#[tokio::test(start_paused = true)]
async fn interactive_overtakes_background() {
    let mut scene = Scene::new(1, 1);
    scene.resync(&["a/1", "a/2"]);
    scene.change("a/9");
    scene.run(&Next::Done);
    assert_eq!(scene.handed_out(), ["a/1"]);
}

/// One namespace has three keys due, another two, which came later.
#[tokio::test(start_paused = true)]
async fn namespaces_are_served_in_turn() {
    let mut scene = Scene::new(9, 9);
    scene.change_all(&["a/1", "a/2", "a/3", "b/1", "b/2"]);
    assert_eq!(scene.handed_out(), ["a/1", "b/1", "a/2", "b/2", "a/3"]);
}

/// A namespace that was just served waits for the others, although nothing else of it was due meanwhile.
#[tokio::test(start_paused = true)]
async fn served_namespace_waits_for_others() {
    let mut scene = Scene::new(1, 1);
    scene.change("a/1");
    let attempt = scene.begin_only("a/1");
    scene.change("b/1");
    scene.change("a/2");
    scene.queue.finish(&attempt, Next::Done);
    let attempt = scene.begin_only("b/1");
    scene.change("b/2");
    scene.queue.finish(&attempt, Next::Done);
    assert_eq!(scene.handed_out(), ["a/2"]);
}

/// Background work is fair to namespaces too.
#[tokio::test(start_paused = true)]
async fn background_serves_namespaces_in_turn() {
    let mut scene = Scene::new(9, 9);
    scene.resync(&["a/1", "a/2", "b/1"]);
    assert_eq!(scene.handed_out(), ["a/1", "b/1", "a/2"]);
}

/// A key that is due in background is edited: it goes in front, and is not run twice.
#[tokio::test(start_paused = true)]
async fn interactive_trigger_moves_due_key_up() {
    let mut scene = Scene::new(9, 9);
    scene.resync(&["a/1", "a/2", "b/1", "a/3"]);
    scene.queue.trigger(&key("a/3"), Trigger::DependencyChanged);
    assert_eq!(scene.handed_out(), ["a/3", "a/1", "b/1", "a/2"]);
}

/// A key that is due twice keeps the place of its first trigger.
#[tokio::test(start_paused = true)]
async fn repeated_trigger_keeps_place() {
    let mut scene = Scene::new(9, 9);
    scene.change("a/1");
    scene.change("a/2");
    scene.change("a/1");
    assert_eq!(scene.handed_out(), ["a/1", "a/2"]);
}

/// An edit between the stream and the attempt: the attempt is interactive, and its background slot is free again.
#[tokio::test(start_paused = true)]
async fn edit_before_beginning_makes_attempt_interactive() {
    let mut scene = Scene::new(2, 1);
    scene.resync(&["a/1", "a/2"]);
    assert_eq!(scene.handed_out(), ["a/1"]);
    scene.queue.trigger(&key("a/1"), Trigger::Changed);
    let attempt = scene.queue.begin(&key("a/1")).unwrap();
    assert_eq!((attempt.priority, attempt.trigger), (Priority::Interactive, Some(Trigger::Changed)));
    assert_eq!(scene.handed_out(), ["a/2"]);
    scene.queue.finish(&attempt, Next::Done);
    assert_eq!(scene.handed_out(), Vec::<String>::new(), "the edit is served");
}
