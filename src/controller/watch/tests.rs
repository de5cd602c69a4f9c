//! Lists and changes, without a server.
#![allow(clippy::unwrap_used)]

use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::reflector::{self, store::Writer};

use super::*;

struct Watched {
    lists: Lists<ConfigMap>,
    writer: Writer<ConfigMap>,
    store: Store<ConfigMap>,
}

fn watched(scopes: usize) -> Watched {
    let (store, writer) = reflector::store();
    Watched { lists: Lists::new(store.clone(), scopes), writer, store }
}

fn object(namespace: &str, name: &str) -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.namespace = Some(namespace.to_owned());
    object.metadata.name = Some(name.to_owned());
    object
}

impl Watched {
    /// Feeds an event through to the store and tells what came of it.
    fn feed(&mut self, scope: Option<&str>, event: Event<ConfigMap>) -> Vec<String> {
        let events = self.lists.translate(&scope.map(str::to_owned), event);
        for event in &events {
            self.writer.apply_watcher_event(event);
        }
        events.iter().map(ToString::to_string).collect()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.store.state().iter().map(|it| it.name_any()).collect();
        names.sort();
        names
    }
}

#[test]
fn the_store_is_ready_only_when_every_namespace_was_listed() {
    let mut watched = watched(2);
    watched.feed(Some("a"), Event::Init);
    watched.feed(Some("b"), Event::Init);
    watched.feed(Some("a"), Event::InitApply(object("a", "1")));
    watched.feed(Some("a"), Event::InitApply(object("a", "gone")));
    assert!(watched.feed(Some("a"), Event::InitDone).is_empty());
    // Changes in a namespace that was listed, while another is still being listed, must not get lost.
    assert!(watched.feed(Some("a"), Event::Apply(object("a", "2"))).is_empty());
    assert!(watched.feed(Some("a"), Event::Delete(object("a", "gone"))).is_empty());
    assert!(watched.feed(Some("b"), Event::InitApply(object("b", "3"))).is_empty());
    let events = watched.feed(Some("b"), Event::InitDone);
    assert_eq!(
        (events.first().map(String::as_str), events.last().map(String::as_str)),
        (Some("Init"), Some("InitDone"))
    );
    assert_eq!(watched.names(), ["1", "2", "3"]);
}

#[test]
fn a_later_list_becomes_the_changes_that_it_amounts_to_in_its_own_namespace() {
    let mut watched = watched(2);
    for (scope, name) in [("a", "1"), ("a", "2"), ("b", "3")] {
        watched.feed(Some(scope), Event::InitApply(object(scope, name)));
    }
    watched.feed(Some("a"), Event::InitDone);
    watched.feed(Some("b"), Event::InitDone);
    assert_eq!(watched.names(), ["1", "2", "3"]);
    assert!(watched.feed(Some("a"), Event::Init).is_empty());
    assert_eq!(watched.feed(Some("a"), Event::InitApply(object("a", "2"))), ["Apply(2)"]);
    assert_eq!(watched.feed(Some("a"), Event::InitDone), ["Delete(1)"]);
    assert_eq!(watched.names(), ["2", "3"]);
}

#[test]
fn a_delete_is_passed_on() {
    let mut watched = watched(1);
    watched.feed(None, Event::Init);
    watched.feed(None, Event::InitApply(object("a", "1")));
    watched.feed(None, Event::InitDone);
    assert_eq!(watched.feed(None, Event::Delete(object("a", "1"))), ["Delete(1)"]);
    assert!(watched.names().is_empty());
}

#[test]
fn a_first_list_that_broke_off_begins_again() {
    for scopes in [1, 2] {
        let mut watched = watched(scopes);
        watched.feed(Some("b"), Event::Init);
        watched.feed(Some("b"), Event::InitApply(object("b", "old")));
        watched.feed(Some("b"), Event::Init);
        watched.feed(Some("b"), Event::InitApply(object("b", "new")));
        watched.feed(Some("b"), Event::InitDone);
        if scopes == 2 {
            watched.feed(Some("a"), Event::Init);
            watched.feed(Some("a"), Event::InitDone);
        }
        assert_eq!(watched.names(), ["new"]);
    }
}
