//! Who owns what, by examples; any order of events in the property at the end.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use tokio::time::advance;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

type Credential = (&'static str, &'static str);

const CREDENTIAL: Credential = ("client", "credential");

/// `namespace/name`.
fn key(name: &str) -> Key {
    let (namespace, name) = name.split_once('/').unwrap();
    Key::new(namespace, name)
}

/// A claim of an object of this age, of which the status says nothing.
fn claim(created: i64) -> Claim<Credential> {
    let created = Timestamp::from_second(created).unwrap();
    Claim { of: CREDENTIAL, created, is_holder: false, was_rival: false, is_refused: false }
}

fn holder(created: i64) -> Claim<Credential> {
    Claim { is_holder: true, ..claim(created) }
}

fn rival(created: i64) -> Claim<Credential> {
    Claim { was_rival: true, ..claim(created) }
}

/// Claims that were listed when the program started; the time is some while after that.
async fn listed(claims: &[(&str, Claim<Credential>)]) -> Claims<&'static str, &'static str> {
    let all = Claims::new();
    for (name, claim) in claims {
        all.apply(&key(name), Some(claim.clone()));
    }
    all.listed();
    advance(MINUTE).await;
    all
}

fn owner(claims: &Claims<&'static str, &'static str>) -> Option<String> {
    claims.owner(&CREDENTIAL.0, &CREDENTIAL.1).map(|key| key.to_string())
}

/// Whoever claims first what it may not have keeps nobody from it, not even one whose status speaks of a conflict; of several
/// that are refused the first stays.
#[tokio::test(start_paused = true)]
async fn refused_owner_gives_way() {
    let claims = listed(&[("a/1", claim(1)), ("b/1", rival(2))]).await;
    assert_eq!(owner(&claims).unwrap(), "a/1");
    assert_eq!(claims.apply(&key("a/1"), Some(Claim { is_refused: true, ..claim(1) })), [key("b/1")]);
    assert_eq!(owner(&claims).unwrap(), "b/1");
    claims.apply(&key("a/1"), Some(rival(1)));
    claims.apply(&key("b/1"), Some(Claim { is_refused: true, ..claim(2) }));
    assert_eq!(owner(&claims).unwrap(), "b/1", "both were refused");
    advance(VACANCY).await;
    assert_eq!(claims.standing(&key("a/1"), &CREDENTIAL), Standing::Owner, "it may try again");
}

/// Waits for the next that is due, for an hour.
async fn due(claims: &Claims<&'static str, &'static str>) -> Option<Vec<Key>> {
    tokio::time::timeout(Duration::from_hours(1), claims.due()).await.ok()
}

/// Of those that are listed the one owns that held it last, else the oldest, else the first by name; in any order.
#[tokio::test(start_paused = true)]
async fn first_list_is_weighed_in_any_order() {
    let cases = [
        ([("a/1", claim(2)), ("b/2", claim(1)), ("c/3", holder(3))], "c/3"),
        ([("a/1", claim(2)), ("b/2", claim(1)), ("c/3", claim(3))], "b/2"),
        ([("a/1", claim(1)), ("a/2", claim(1)), ("c/3", claim(1))], "a/1"),
        ([("a/1", rival(1)), ("b/2", claim(2)), ("c/3", rival(3))], "b/2"),
    ];
    for (mut claims, expected) in cases {
        for _ in 0..3 {
            claims.rotate_left(1);
            assert_eq!(owner(&listed(&claims).await).as_deref(), Some(expected), "{claims:?}");
        }
    }
}

/// Whoever lost against a later entry of the list, or does not own when it is complete, is told.
#[tokio::test(start_paused = true)]
async fn list_names_changed_and_rivals() {
    let claims = Claims::new();
    assert_eq!(claims.apply(&key("a/1"), Some(claim(2))), []);
    assert_eq!(claims.apply(&key("b/2"), Some(claim(1))), [key("a/1")]);
    assert_eq!(claims.apply(&key("c/3"), Some(claim(3))), []);
    assert_eq!(claims.listed(), [key("a/1"), key("c/3")]);
}

/// An older object, or one that held it last, comes while an owner claims: the owner stays.
#[tokio::test(start_paused = true)]
async fn owner_stays_owner_while_it_claims() {
    let claims = listed(&[("a/1", claim(5))]).await;
    assert_eq!(claims.apply(&key("b/2"), Some(claim(1))), []);
    assert_eq!(claims.apply(&key("c/3"), Some(holder(1))), []);
    assert_eq!(claims.apply(&key("a/1"), Some(claim(9))), []);
    assert_eq!(claims.standing(&key("a/1"), &CREDENTIAL), Standing::Owner);
    assert_eq!(claims.standing(&key("b/2"), &CREDENTIAL), Standing::Rival { owner: key("a/1") });
}

/// The owner is deleted: the oldest rival in its namespace takes over at once, although an older one is elsewhere.
#[tokio::test(start_paused = true)]
async fn rival_in_same_namespace_takes_over_at_once() {
    let claims = listed(&[("a/1", holder(3)), ("a/2", rival(2)), ("a/3", rival(4)), ("b/1", rival(1))]).await;
    let mut changed = claims.remove(&key("a/1"));
    changed.sort();
    assert_eq!(changed, [key("a/2"), key("a/3"), key("b/1")]);
    assert_eq!(owner(&claims).as_deref(), Some("a/2"));
}

/// The owner is deleted: a rival of another namespace waits ten minutes, and is told when it owns.
#[tokio::test(start_paused = true)]
async fn rival_elsewhere_takes_over_after_vacancy() {
    let claims = listed(&[("a/1", holder(1)), ("b/2", rival(2)), ("c/3", rival(3))]).await;
    let until = Instant::now() + VACANCY;
    assert_eq!(claims.remove(&key("a/1")), [key("b/2"), key("c/3")]);
    assert_eq!(claims.standing(&key("b/2"), &CREDENTIAL), Standing::Vacant { until });
    assert_eq!(due(&claims).await, Some(vec![key("b/2"), key("c/3")]));
    assert_eq!(Instant::now(), until);
    assert_eq!(owner(&claims).as_deref(), Some("b/2"));
    assert_eq!(due(&claims).await, None, "once");
}

/// A delete-and-apply with a rival elsewhere: the new object owns at once, and nothing is due any more.
#[tokio::test(start_paused = true)]
async fn owner_that_comes_back_owns_at_once() {
    for name in ["a/1", "a/renamed"] {
        let claims = listed(&[("a/1", holder(1)), ("b/2", rival(2))]).await;
        claims.remove(&key("a/1"));
        advance(9 * MINUTE).await;
        assert_eq!(claims.apply(&key(name), Some(claim(99))), [key("b/2")]);
        assert_eq!(claims.standing(&key(name), &CREDENTIAL), Standing::Owner);
        assert_eq!(due(&claims).await, None);
    }
}

/// Nobody else claims it: an object of another namespace still waits, even if its status says that it held it.
#[tokio::test(start_paused = true)]
async fn newcomer_elsewhere_waits_for_vacancy() {
    let claims = listed(&[("a/1", holder(1))]).await;
    claims.remove(&key("a/1"));
    advance(4 * MINUTE).await;
    claims.apply(&key("b/2"), Some(holder(2)));
    let until = Instant::now() + 6 * MINUTE;
    assert_eq!(claims.standing(&key("b/2"), &CREDENTIAL), Standing::Vacant { until });
    assert_eq!(due(&claims).await, Some(vec![key("b/2")]));
    assert_eq!(claims.standing(&key("b/2"), &CREDENTIAL), Standing::Owner);
}

/// The owner names something else from now on: that counts as gone, and it owns the other thing.
#[tokio::test(start_paused = true)]
async fn owner_of_another_thing_leaves_the_first() {
    let claims = listed(&[("a/1", holder(1)), ("a/2", rival(2))]).await;
    let other = ("client", "other");
    assert_eq!(claims.apply(&key("a/1"), Some(Claim { of: other, ..claim(1) })), [key("a/2")]);
    assert_eq!(claims.owners_in(&"client"), [("credential", key("a/2")), ("other", key("a/1"))]);
    assert_eq!(claims.of(&key("a/1")), Some(other));
    assert_eq!(claims.apply(&key("a/1"), None), []);
    assert_eq!(claims.of(&key("a/1")), None);
    assert_eq!(claims.owner(&"client", &"other"), None);
}

/// After a restart a rival of an owner that is gone waits ten minutes from the start, as nobody knows how long it is gone.
#[tokio::test(start_paused = true)]
async fn former_rival_waits_after_restart() {
    let until = Instant::now() + VACANCY;
    let claims = listed(&[("b/2", rival(2)), ("c/3", rival(1))]).await;
    assert_eq!(claims.standing(&key("b/2"), &CREDENTIAL), Standing::Vacant { until });
    claims.apply(&key("d/4"), Some(claim(0)));
    assert_eq!(owner(&claims), None, "a newcomer waits with them");
    assert_eq!(due(&claims).await.map(|it| it.len()), Some(3));
    assert_eq!(Instant::now(), until);
    assert_eq!(owner(&claims).as_deref(), Some("d/4"));
}

/// The holder is listed late: it owns at once, whatever waited.
#[tokio::test(start_paused = true)]
async fn late_holder_owns_after_restart() {
    let claims = listed(&[("b/2", rival(2))]).await;
    assert_eq!(claims.apply(&key("a/1"), Some(holder(3))), [key("b/2")]);
    assert_eq!(owner(&claims).as_deref(), Some("a/1"));
}

/// Long after the start nothing is left to wait for.
#[tokio::test(start_paused = true)]
async fn former_rival_owns_long_after_start() {
    let claims = listed(&[]).await;
    advance(VACANCY).await;
    claims.apply(&key("b/2"), Some(rival(1)));
    assert_eq!(owner(&claims).as_deref(), Some("b/2"));
}

/// A list that takes long: nobody is told before it is complete, and then whoever waited.
#[tokio::test(start_paused = true)]
async fn vacancy_ends_after_long_list() {
    let claims = Claims::new();
    claims.apply(&key("b/2"), Some(rival(1)));
    advance(2 * VACANCY).await;
    let (due, ()) = tokio::join!(claims.due(), async { drop(claims.listed()) });
    assert_eq!(due, [key("b/2")]);
    assert_eq!(owner(&claims).as_deref(), Some("b/2"));
}

/// What nobody claims any more is forgotten when its vacancy is over, and at once with a new list.
#[tokio::test(start_paused = true)]
async fn vacancies_are_forgotten() {
    let claims = listed(&[("a/1", holder(1))]).await;
    claims.remove(&key("a/1"));
    assert!(!claims.lock().is_empty());
    assert_eq!(due(&claims).await, None, "nobody is concerned");
    assert!(claims.lock().is_empty());
    let claims = listed(&[("a/1", holder(1)), ("b/1", holder(1))]).await;
    claims.clear();
    assert!(claims.lock().is_empty());
}

/// Claims with what they must have come to, written as plainly as can be.
struct World {
    claims: Claims<&'static str, &'static str>,
    claiming: BTreeMap<Key, Claim<Credential>>,
    /// The last owner that went, and when.
    gone: Option<(Key, Instant)>,
}

impl World {
    /// Carries out an event and returns who was told of it.
    async fn happen(&mut self, event: u8, key: &Key, wait: Duration) -> Vec<Key> {
        match event {
            0 => {
                let created = i64::try_from(20 - self.claiming.len()).unwrap();
                let claim = self.claiming.entry(key.clone()).or_insert_with(|| claim(created));
                self.claims.apply(key, Some(claim.clone()))
            }
            1 => {
                self.claiming.remove(key);
                self.claims.remove(key)
            }
            _ => tokio::time::timeout(wait, self.claims.due()).await.unwrap_or_default(),
        }
    }

    fn owner(&self) -> Option<Key> {
        self.claims.owner(&CREDENTIAL.0, &CREDENTIAL.1)
    }

    /// Whether each claimant owns.
    fn standings(&self) -> BTreeMap<Key, Standing> {
        self.claiming.keys().map(|key| (key.clone(), self.claims.standing(key, &CREDENTIAL))).collect()
    }

    /// An owner changes only if it went, and is missing only as long as it has to be.
    fn judge_owner(&mut self, before: Option<Key>) {
        let owner = self.owner();
        if let Some(before) = before.filter(|before| owner.as_ref() != Some(before)) {
            assert!(!self.claiming.contains_key(&before), "{before} was displaced");
            self.gone = Some((before, Instant::now()));
        }
        if let Some(owner) = owner {
            assert!(self.claiming.contains_key(&owner), "{owner} does not claim");
            return;
        }
        for key in self.claiming.keys() {
            let (gone, since) = self.gone.as_ref().unwrap();
            assert!(key.namespace != gone.namespace && since.elapsed() <= VACANCY, "{key} waits");
        }
    }
}

proptest! {
    /// Whatever comes in whatever order: owners are sticky, vacancies end, and whoever's standing changed is told.
    #[test]
    fn random_events_keep_ownership_sticky(events in prop::collection::vec((0..6usize, 0..3u8, 0..700u64), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut world = World { claims: listed(&[]).await, claiming: BTreeMap::new(), gone: None };
            for (index, event, seconds) in events {
                let key = key(["a/1", "a/2", "b/1", "b/2", "c/1", "c/2"][index]);
                let (owner, before) = (world.owner(), world.standings());
                let told = world.happen(event, &key, Duration::from_secs(seconds)).await;
                world.judge_owner(owner);
                for (other, standing) in world.standings() {
                    let is_new = before.get(&other).is_some_and(|before| *before != standing);
                    assert!(!is_new || told.contains(&other) || (other == key && event < 2), "{other} is not told");
                }
            }
        });
    }
}
