//! The promises of the work queue, each by an example; all of them together against random calls in `model`.

#![allow(clippy::unwrap_used)]

mod attempts;
mod model;
mod order;
mod waits;

use std::collections::HashMap;
use std::pin::Pin;

use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::ObjectMeta;

use super::*;

/// The annotation that requests something, in these tests.
const REQUEST: &str = "example.com/requested-at";

/// A work queue with its reader, and the objects that a watch would show.
struct Scene {
    queue: WorkQueue,
    stream: Pin<Box<dyn Stream<Item = Key> + Send>>,
    generations: HashMap<Key, i64>,
}

impl Scene {
    fn new(slots: usize, background_slots: usize) -> Self {
        let queue = WorkQueue::new(Settings { slots, background_slots }, Some(7));
        Self { stream: Box::pin(queue.stream()), queue, generations: HashMap::new() }
    }

    /// The watch shows the key with a new generation.
    fn change(&mut self, name: &str) {
        self.change_in("lane", name);
    }

    fn change_all(&mut self, names: &[&str]) {
        for name in names {
            self.change(name);
        }
    }

    fn change_in(&mut self, lane: &str, name: &str) {
        let generation = self.generations.entry(key(name)).or_default();
        *generation += 1;
        let revision = self.queue.revision(&object(*generation), &[REQUEST]);
        self.queue.apply(&key(name), &lane.into(), revision);
    }

    /// An earlier run left the key converged.
    fn adopt(&self, name: &str) {
        self.queue.adopt(&key(name), &"lane".into(), self.queue.revision(&object(0), &[REQUEST]));
    }

    /// The resync finds all of these, which an earlier run left converged.
    fn resync(&self, names: &[&str]) {
        for name in names {
            self.adopt(name);
            self.queue.trigger(&key(name), Trigger::Resync);
        }
    }

    /// All that may run now.
    fn handed_out(&mut self) -> Vec<String> {
        let mut keys = Vec::new();
        // Unconstrained: the runtime would make a task yield that reads so much at once.
        while let Some(key) = tokio::task::unconstrained(self.stream.next()).now_or_never() {
            keys.push(key.unwrap().to_string());
        }
        keys
    }

    /// Begins the attempts of all that may run now.
    fn begun(&mut self) -> Vec<Attempt> {
        self.handed_out().iter().map(|name| self.queue.begin(&key(name)).unwrap()).collect()
    }

    /// Begins the attempt of the only key that may run now.
    fn begin_only(&mut self, name: &str) -> Attempt {
        assert_eq!(self.handed_out(), [name]);
        self.queue.begin(&key(name)).unwrap()
    }

    /// Runs all that may run now to the same end.
    fn run(&mut self, next: &Next) {
        for attempt in self.begun() {
            self.queue.finish(&attempt, next.clone());
        }
    }
}

/// `namespace/name`.
fn key(name: &str) -> Key {
    let (namespace, name) = name.split_once('/').unwrap();
    Key::new(namespace, name)
}

fn object(generation: i64) -> ConfigMap {
    let metadata = ObjectMeta { uid: Some("a".to_owned()), generation: Some(generation), ..ObjectMeta::default() };
    ConfigMap { metadata, ..ConfigMap::default() }
}

fn blocked(at_latest: Duration) -> Next {
    Next::Blocked { group: "account".into(), at_latest }
}
