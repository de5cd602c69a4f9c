//! The races between whoever reads a Secret and whoever watches it.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

fn secret() -> SecretName {
    Key::new("shop", "secret")
}

fn user(name: &str) -> Key {
    Key::new("shop", name)
}

/// Users of one Secret.
fn users(names: &[&str]) -> SecretVersions {
    let versions = SecretVersions::default();
    for name in names {
        versions.set_reference(&user(name), Some(secret()));
    }
    versions
}

/// Five users share a Secret. One of them reads the new version itself, before the watch shows it: the others are told.
#[test]
fn shared_secret_reaches_every_user() {
    let names = ["a", "b", "c", "d", "e"];
    let versions = users(&names);
    for name in names {
        assert!(!versions.served(&user(name), &secret(), Some("1")));
    }
    assert!(!versions.served(&user("c"), &secret(), Some("2")));
    assert_eq!(versions.seen(&secret(), Some("2")), ["a", "b", "d", "e"].map(user));
}

/// The watch shows a version while an older one is being read: the reader reads again, once.
#[test]
fn watch_ahead_of_read_has_user_read_again() {
    let versions = users(&["a"]);
    assert_eq!(versions.seen(&secret(), Some("2")), [], "it was never served: its first read is to come");
    assert!(versions.served(&user("a"), &secret(), Some("1")));
    assert!(!versions.served(&user("a"), &secret(), Some("2")));
}

/// The watch still shows the old version: whoever reads the new one does not read in a loop, and is not told again.
#[test]
fn watch_behind_read_makes_no_loop() {
    let versions = users(&["a"]);
    versions.seen(&secret(), Some("1"));
    assert!(!versions.served(&user("a"), &secret(), Some("1")));
    assert!(!versions.served(&user("a"), &secret(), Some("2")), "it has read 1 before, so 2 is newer");
    assert_eq!(versions.seen(&secret(), Some("2")), []);
}

/// The same where the user has not read the old version: it reads once more, and no more than that.
#[test]
fn watch_behind_first_read_costs_one_more() {
    let versions = users(&["a"]);
    versions.seen(&secret(), Some("1"));
    assert!(versions.served(&user("a"), &secret(), Some("2")));
    assert!(!versions.served(&user("a"), &secret(), Some("2")));
    assert_eq!(versions.seen(&secret(), Some("2")), []);
}

/// A list that the watch begins with names every Secret again: nobody is told of what it was served with.
#[test]
fn relist_of_served_version_is_no_news() {
    let versions = users(&["a"]);
    versions.served(&user("a"), &secret(), Some("1"));
    assert_eq!(versions.seen(&secret(), Some("1")), []);
    assert_eq!(versions.seen(&secret(), Some("1")), []);
    assert_eq!(versions.seen_version(&secret()).as_deref(), Some("1"));
}

/// A Secret goes and another one with its name comes: both are news.
#[test]
fn deleted_and_recreated_secret_is_news_twice() {
    let versions = users(&["a"]);
    versions.served(&user("a"), &secret(), Some("1"));
    assert_eq!(versions.seen(&secret(), None), [user("a")]);
    assert_eq!(versions.seen_version(&secret()), None);
    assert!(!versions.served(&user("a"), &secret(), None));
    assert_eq!(versions.seen(&secret(), Some("2")), [user("a")]);
}

/// A Secret comes and goes between two lists, and a user has read it meanwhile: its absence is news, although it was absent.
#[test]
fn absence_is_news_after_unseen_version() {
    let versions = users(&["a"]);
    versions.served(&user("a"), &secret(), None);
    versions.seen(&secret(), None);
    assert!(versions.served(&user("a"), &secret(), Some("1")), "it may be gone again");
    assert!(!versions.served(&user("a"), &secret(), Some("1")));
    assert_eq!(versions.seen(&secret(), None), [user("a")]);
}

/// What an earlier run served is told from the status: the first list shows that the Secret changed meanwhile.
#[test]
fn version_of_earlier_run_is_compared() {
    let versions = users(&["a", "b"]);
    versions.served(&user("a"), &secret(), Some("1"));
    versions.served(&user("b"), &secret(), Some("2"));
    assert_eq!(versions.seen(&secret(), Some("2")), [user("a")]);
}

/// A user takes another Secret: what it was served with of the first says nothing about the second.
#[test]
fn new_reference_starts_anew() {
    let (versions, other) = (users(&["a"]), Key::new("shop", "other"));
    versions.served(&user("a"), &secret(), Some("1"));
    versions.set_reference(&user("a"), Some(other.clone()));
    assert_eq!((versions.of(&user("a")), versions.names()), (Some(other.clone()), vec![other.clone()]));
    assert!(!versions.served(&user("a"), &secret(), Some("1")), "an attempt that was about the first");
    assert_eq!(versions.seen(&other, Some("7")), [], "its first read is to come");
    assert!(versions.served(&user("a"), &other, Some("6")));
}

/// The watch shows the resource again without a change: what it was served with stands.
#[test]
fn same_reference_changes_nothing() {
    let versions = users(&["a"]);
    versions.served(&user("a"), &secret(), Some("1"));
    versions.set_reference(&user("a"), Some(secret()));
    assert_eq!(versions.seen(&secret(), Some("2")), [user("a")]);
}

/// A Secret that nobody uses any more, or ever used, takes no memory.
#[test]
fn record_vanishes_with_last_user() {
    let versions = users(&["a", "b", "c"]);
    versions.seen(&Key::new("shop", "unused"), Some("1"));
    versions.remove(&user("a"));
    versions.set_reference(&user("b"), None);
    assert_eq!(versions.names(), [secret()]);
    versions.remove(&user("c"));
    assert_eq!(versions.names(), []);
    assert!(versions.lock().references.is_empty());
    assert!(versions.lock().secrets.is_empty());
    versions.set_reference(&user("a"), Some(secret()));
    versions.clear();
    assert_eq!(versions.names(), []);
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// Somebody writes the Secret, or deletes it.
    Write(bool),
    /// The watch shows the next version.
    Watch,
    /// The watch was broken and lists: it shows the newest version alone.
    Relist,
    /// A user's attempt reads the Secret.
    Read(usize),
    /// It has the answer.
    Serve(usize),
    /// A user is deleted and comes again.
    Recreate(usize),
}

/// The world around the versions: the Secret, a watch that lags, and users that have an attempt when they have a reason.
struct World {
    versions: SecretVersions,
    written: u32,
    actual: Option<String>,
    to_show: VecDeque<Option<String>>,
    due: BTreeMap<usize, bool>,
    reading: BTreeMap<usize, Option<String>>,
    served: BTreeMap<usize, Option<String>>,
    attempts: usize,
}

impl World {
    fn new() -> Self {
        let due: BTreeMap<usize, bool> = (0..3).map(|index| (index, true)).collect();
        let versions = SecretVersions::default();
        for index in due.keys() {
            versions.set_reference(&user(&index.to_string()), Some(secret()));
        }
        let (to_show, reading, served) = (VecDeque::new(), BTreeMap::new(), BTreeMap::new());
        Self { versions, written: 0, actual: None, to_show, due, reading, served, attempts: 0 }
    }

    fn show(&mut self, version: Option<&str>) {
        for user in self.versions.seen(&secret(), version) {
            self.due.insert(user.name.parse().unwrap(), true);
        }
    }

    fn read(&mut self, index: usize) {
        if self.due.remove(&index).is_some_and(|due| due) && !self.reading.contains_key(&index) {
            self.attempts += 1;
            self.reading.insert(index, self.actual.clone());
        } else {
            self.due.insert(index, self.reading.contains_key(&index));
        }
    }

    fn serve(&mut self, index: usize) {
        let Some(version) = self.reading.remove(&index) else { return };
        if self.versions.served(&user(&index.to_string()), &secret(), version.as_deref()) {
            self.due.insert(index, true);
        }
        self.served.insert(index, version);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Write(is_kept) => {
                self.written += 1;
                self.actual = is_kept.then(|| self.written.to_string());
                self.to_show.push_back(self.actual.clone());
            }
            Event::Watch => {
                if let Some(version) = self.to_show.pop_front() {
                    self.show(version.as_deref());
                }
            }
            Event::Relist => {
                self.to_show.clear();
                self.show(self.actual.clone().as_deref());
            }
            Event::Read(index) => self.read(index),
            Event::Serve(index) => self.serve(index),
            Event::Recreate(index) => {
                self.versions.remove(&user(&index.to_string()));
                self.versions.set_reference(&user(&index.to_string()), Some(secret()));
                self.reading.remove(&index);
                self.due.insert(index, true);
            }
        }
    }

    /// All users have their attempts until nobody is due. Returns how many that were.
    fn run_attempts(&mut self) -> usize {
        let before = self.attempts;
        for index in (0..9).map(|number| number % 3) {
            self.serve(index);
            self.read(index);
            self.serve(index);
        }
        self.attempts - before
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => any::<bool>().prop_map(Event::Write),
        3 => Just(Event::Watch),
        1 => Just(Event::Relist),
        3 => (0..3usize).prop_map(Event::Read),
        3 => (0..3usize).prop_map(Event::Serve),
        1 => (0..3usize).prop_map(Event::Recreate),
    ]
}

proptest! {
    /// Whatever comes in whatever order: while the watch stands still the users come to rest after a few attempts, and when
    /// it has shown all, each was served with the newest version.
    #[test]
    fn every_user_reads_newest_version_in_any_order(events in prop::collection::vec(event(), 0..60), relists in any::<bool>()) {
        let mut world = World::new();
        for event in events {
            world.happen(event);
        }
        world.run_attempts();
        prop_assert_eq!(world.run_attempts(), 0, "a loop");
        while !world.to_show.is_empty() {
            world.happen(if relists { Event::Relist } else { Event::Watch });
        }
        world.run_attempts();
        for (index, served) in &world.served {
            prop_assert_eq!(served, &world.actual, "{}", index);
        }
        prop_assert_eq!(world.run_attempts(), 0);
    }
}
