//! The judges accept what is right and reject what is wrong, each in a world of two lines.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::super::*;
use super::world::{Post, SecretObject, World, name};

fn world() -> World {
    let mut world = World::new(0);
    world.keeps_labels = true;
    world
}

/// A world in which one POST landed and was published.
fn published() -> World {
    let mut world = world();
    let created = land(&mut world, 1);
    let value = world.live[&created].secret;
    let secret = SecretObject {
        uid: "s".to_owned(),
        version: 1,
        credential: created.clone(),
        attempt: Some(super::super::attempt(1)),
        published_at: world.now,
        value,
        is_ours: true,
    };
    world.secrets.insert("s-0".to_owned(), secret);
    world.last_published = Some(created);
    world
}

fn land(world: &mut World, number: u32) -> crate::confidence::name::CredentialName {
    let attempt = super::super::attempt(number);
    world.posts.push(Post { attempt, sent: world.now, lands: None });
    world.land(attempt)
}

fn is_accepted(world: &mut World, judge: impl FnOnce(&mut World)) -> bool {
    catch_unwind(AssertUnwindSafe(|| judge(world))).is_ok()
}

/// Invariant 1: the attempt is stored before the POST, and no other POST is on its way.
#[test]
fn judge_of_posts_asks_for_the_attempt() {
    let attempt = super::super::attempt(1);
    let post = |world: &mut World| world.judge_post(attempt, CreateReason::First, None);
    let mut world = world();
    assert!(!is_accepted(&mut world, post));
    world.stored_attempts.insert(attempt);
    assert!(is_accepted(&mut world, post));
    let (sent, lands) = (world.now, Some(world.now));
    world.posts.push(Post { attempt: super::super::attempt(2), sent, lands });
    assert!(!is_accepted(&mut world, post));
}

/// Invariant 7: a rotation needs a request or a createTime that is old enough; a repair, something to repair.
#[test]
fn judge_of_posts_asks_for_a_reason() {
    let mut world = published();
    let attempt = super::super::attempt(2);
    world.stored_attempts.insert(attempt);
    let current = world.last_published.clone();
    for reason in [CreateReason::Rotated, CreateReason::SecretLost] {
        let post = |world: &mut World| world.judge_post(attempt, reason, current.as_ref());
        assert!(!is_accepted(&mut world, post), "{reason:?}");
        (world.is_request_open, world.was_ever_touched) = (true, true);
        assert!(is_accepted(&mut world, post), "{reason:?}");
        (world.is_request_open, world.was_ever_touched) = (false, false);
    }
}

/// Invariant 5: the value is the credential's own.
#[test]
fn judge_of_publications_compares_the_value() {
    let mut world = published();
    let created = world.last_published.clone().unwrap();
    let secret = world.live[&created].secret;
    for (value, is_right) in [(secret, true), (secret + 1, false)] {
        let publish = |world: &mut World| world.judge_publication(&created, ValueSource::Held, value);
        assert_eq!(is_accepted(&mut world, publish), is_right);
    }
}

/// Invariants 2 and 4: not too many, and the Secret works.
#[test]
fn judge_of_states_sees_loss_and_excess() {
    let mut world = published();
    assert!(is_accepted(&mut world, World::judge_state));
    for number in 2..=5 {
        land(&mut world, number);
    }
    assert!(is_accepted(&mut world, World::judge_state));
    land(&mut world, 6);
    assert!(!is_accepted(&mut world, World::judge_state));
    let mut world = published();
    world.live.clear();
    assert!(!is_accepted(&mut world, World::judge_state));
}

/// Invariant 8: the credential and the Secret go before the finalizer.
#[test]
fn judge_of_ends_asks_for_nothing_left() {
    let end = |world: &mut World| world.judge_end(None, Some(world.clock));
    let mut world = published();
    assert!(is_accepted(&mut world, |world| world.judge_end(Some(ReleaseReason::Kept), None)));
    assert!(!is_accepted(&mut world, end));
    world.live.clear();
    assert!(!is_accepted(&mut world, end), "a Secret is left");
    world.secrets.clear();
    assert!(is_accepted(&mut world, end));
    world.live.insert(name(1), published().live.into_values().next().unwrap());
    assert!(!is_accepted(&mut world, end), "a credential is left");
    let landed_late = Some(world.clock + std::time::Duration::from_secs(1));
    world.live.values_mut().for_each(|stored| stored.landed_late = landed_late);
    assert!(is_accepted(&mut world, end), "it landed after the LIST");
}

/// Invariant 3: the operator deletes what it created, when nobody uses it.
#[test]
fn judge_of_deletions_spares_others_and_users() {
    let mut scene = super::super::Scene::rotated();
    scene.fetch("k1", Answer::Found(super::super::credential("k1", 1), Disclosure::Withheld));
    let Step::Delete(evidence) = scene.step() else { panic!("{:?}", scene.step()) };
    let delete = |world: &mut World| world.judge_deletion(&evidence);
    let mut world = published();
    let mut stored = world.live.values().next().unwrap().clone();
    let mut put = |world: &mut World, is_operators, ago: Option<u64>| {
        stored.is_operators = is_operators;
        stored.last_use = ago.map(|hours| world.now.checked_sub(std::time::Duration::from_hours(hours)).unwrap());
        world.live.insert(super::super::name("k1"), stored.clone());
    };
    for (is_operators, used, is_right) in
        [(true, None, true), (true, Some(25), true), (true, Some(3), false), (false, None, false)]
    {
        put(&mut world, is_operators, used);
        assert_eq!(is_accepted(&mut world, delete), is_right, "{is_operators} {used:?}");
    }
}
