//! Watches against an API server that a test answers for, in simulated time.
#![allow(clippy::unwrap_used)]

mod trouble;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{StreamExt, stream::BoxStream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::reflector::{self, Store};
use serde_json::{Value, json};

use super::*;
use crate::engine::testing::{Answer, Asked, Log, client};

impl Watched for ConfigMap {
    type Wire = Self;
}

const SECOND: Duration = Duration::from_secs(1);

/// A watch under test: its events as short texts, and what the store holds.
struct Watch {
    events: BoxStream<'static, WatchEvent<ConfigMap>>,
    store: Store<ConfigMap>,
    log: Log,
}

fn watch(namespaces: &[&str], answer: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Watch {
    let (client, log) = client(answer);
    let (store, writer) = reflector::store();
    let namespaces: Vec<_> = namespaces.iter().map(ToString::to_string).collect();
    Watch { events: resources(&client, &namespaces, writer).boxed(), store, log }
}

impl Watch {
    /// The next events, until one begins like this.
    async fn until(&mut self, last: &str) -> Vec<String> {
        let mut told = Vec::new();
        while told.len() < 1000
            && let Some(event) = self.next_within(600 * SECOND).await
        {
            told.push(event);
            if told.last().unwrap().starts_with(last) {
                return told;
            }
        }
        panic!("{last} did not come: {told:?}");
    }

    async fn next_within(&mut self, time: Duration) -> Option<String> {
        let event = tokio::time::timeout(time, self.events.next()).await.ok()??;
        Some(match event {
            WatchEvent::Applied { object, previous, is_listed } => {
                let verb = if is_listed { "listed" } else { "applied" };
                let before = if previous.is_some() { " again" } else { "" };
                format!("{verb} {}{before}", object.metadata.name.clone().unwrap())
            }
            WatchEvent::Deleted { key, .. } => format!("deleted {}", key.name),
            WatchEvent::Undecodable { key, .. } => format!("undecodable {}", key.name),
            WatchEvent::Failed { scope, .. } => format!("failed {scope}"),
            WatchEvent::Recovered { scope } => format!("recovered {scope}"),
            WatchEvent::Ready { missing } => {
                let missing: Vec<_> = missing.iter().map(|it| it.scope.to_string()).collect();
                format!("ready {missing:?}")
            }
        })
    }

    fn stored(&self) -> Vec<String> {
        let names = self.store.state().into_iter().map(|it| it.metadata.name.clone().unwrap());
        names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    fn count(&self, is: impl Fn(&Asked) -> bool) -> usize {
        self.log.lock().unwrap().iter().filter(|asked| is(asked)).count()
    }
}

/// An object of the version that its name ends with.
fn object(namespace: &str, name: &str, version: u32) -> Value {
    let metadata = json!({"namespace": namespace, "name": name, "resourceVersion": version.to_string()});
    json!({"metadata": metadata, "data": {"key": "value"}})
}

fn undecodable(namespace: &str, name: &str, version: u32) -> Value {
    let mut object = object(namespace, name, version);
    object["data"] = json!(5);
    object
}

fn list(items: &[Value]) -> Answer {
    list_at("100", items)
}

fn list_at(version: &str, items: &[Value]) -> Answer {
    Answer::json(&json!({"metadata": {"resourceVersion": version}, "items": items}))
}

fn line(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}

fn expired() -> Value {
    line("ERROR", &json!({"kind": "Status", "code": 410, "message": "too old"}))
}

/// One namespace of two is forbidden: it is named, the other is served, and it is served too once the right is there.
#[tokio::test(start_paused = true)]
async fn refused_namespace_is_named_others_go_on() {
    let is_granted = Arc::new(AtomicBool::new(false));
    let granted = Arc::clone(&is_granted);
    let mut watch = watch(&["a", "b"], move |asked| {
        let is_refused = asked.path.contains("/b/") && !granted.load(Ordering::Relaxed);
        Some(match asked.is_watch() {
            _ if is_refused => Answer::refusal(403, "configmaps is forbidden"),
            true => Answer::watch(&[]),
            false if asked.path.contains("/b/") => list(&[object("b", "late", 1)]),
            false => list(&[object("a", "early", 1)]),
        })
    });
    let told = watch.until("ready").await;
    assert!(told.contains(&"failed namespace b".to_owned()), "{told:?}");
    assert_eq!(told.last().unwrap(), r#"ready ["namespace b"]"#);
    assert_eq!(watch.stored(), ["early"]);
    is_granted.store(true, Ordering::Relaxed);
    let told = watch.until("recovered").await;
    assert_eq!(told, ["listed late", "recovered namespace b"]);
    assert_eq!(watch.stored(), ["early", "late"]);
}

/// Where every namespace is forbidden, nothing is ready: an empty store would look as if all resources were gone.
#[tokio::test(start_paused = true)]
async fn nothing_is_ready_where_all_is_refused() {
    let mut watch = watch(&["a", "b"], |_| Some(Answer::refusal(403, "no")));
    for _ in 0..10 {
        assert!(watch.next_within(60 * SECOND).await.unwrap().starts_with("failed"));
    }
}

/// One object of a page, and one of a watch, cannot be decoded: each is reported once and left out, the others are served.
#[tokio::test(start_paused = true)]
async fn undecodable_object_is_reported_others_go_on() {
    let mut watch = watch(&[], |asked| {
        Some(match asked.is_watch() {
            false => list(&[object("a", "first", 1), undecodable("a", "broken", 2), object("a", "last", 3)]),
            true if asked.parameter("resourceVersion").unwrap() == "100" => Answer::ended_watch(&[
                line("MODIFIED", &undecodable("a", "first", 101)),
                line("ADDED", &object("a", "new", 102)),
                line("MODIFIED", &object("a", "broken", 103)),
            ]),
            true => Answer::watch(&[]),
        })
    });
    let told = watch.until("ready").await;
    assert_eq!(told, ["listed first", "undecodable broken", "listed last", "ready []"]);
    let told = watch.until("applied broken").await;
    assert_eq!(told, ["undecodable first", "applied new", "applied broken"]);
    assert_eq!(watch.stored(), ["broken", "last", "new"]);
}

/// After the version expired, the list tells only what changed meanwhile: what is gone, decodable or not, and what is new.
#[tokio::test(start_paused = true)]
async fn relist_tells_changes_alone() {
    let lists = AtomicUsize::new(0);
    let mut watch = watch(&[], move |asked| {
        if asked.is_watch() {
            let is_first = lists.load(Ordering::Relaxed) == 1;
            return Some(if is_first { Answer::ended_watch(&[expired()]) } else { Answer::watch(&[]) });
        }
        Some(match lists.fetch_add(1, Ordering::Relaxed) {
            0 => list(&[object("a", "gone", 1), object("a", "same", 2), undecodable("a", "broken", 3)]),
            _ => list(&[object("a", "same", 2), object("b", "new", 4)]),
        })
    });
    watch.until("ready").await;
    let told = watch.until("deleted gone").await;
    assert_eq!(told, ["listed new", "deleted broken", "deleted gone"]);
    assert_eq!(watch.next_within(60 * SECOND).await, None, "an expired version is no failure");
    assert_eq!(watch.stored(), ["new", "same"]);
}

/// A first list breaks off after its first page; what is gone when it begins again is not served.
#[tokio::test(start_paused = true)]
async fn broken_first_list_begins_again() {
    let lists = AtomicUsize::new(0);
    let mut watch = watch(&[], move |asked| {
        if asked.is_watch() {
            return Some(Answer::watch(&[]));
        }
        match lists.fetch_add(1, Ordering::Relaxed) {
            0 => Some(Answer::json(&json!({"metadata": {"continue": "more"}, "items": [object("a", "old", 1)]}))),
            1 => None,
            _ => Some(list(&[object("a", "new", 2)])),
        }
    });
    watch.until("ready").await;
    assert_eq!(watch.stored(), ["new"]);
}

/// A page of 250 objects would hold 75 MB: pages are asked for anew with fewer objects, and all of them arrive.
#[tokio::test(start_paused = true)]
async fn pages_of_huge_objects_are_small() {
    const OBJECTS: usize = 100;
    let pages = Arc::new(Mutex::new(Vec::new()));
    let (served, filler) = (Arc::clone(&pages), "x".repeat(300_000));
    let mut watch = watch(&[], move |asked| {
        if asked.is_watch() {
            return Some(Answer::watch(&[]));
        }
        let from: usize = asked.parameter("continue").map_or(0, |token| token.parse().unwrap());
        let limit: usize = asked.parameter("limit").unwrap().parse().unwrap();
        let to = (from + limit).min(OBJECTS);
        served.lock().unwrap().push(to - from);
        let items: Vec<_> = (from..to)
            .map(|number| {
                format!(
                    r#"{{"metadata":{{"name":"{number}","resourceVersion":"1","annotations":{{"a":"{filler}"}}}}}}"#
                )
            })
            .collect();
        let next = if to < OBJECTS { to.to_string() } else { String::new() };
        let metadata = json!({"resourceVersion": "100", "continue": next});
        Some(Answer::text(format!(r#"{{"metadata":{metadata},"items":[{}]}}"#, items.join(","))))
    });
    watch.until("ready").await;
    assert_eq!(watch.stored().len(), OBJECTS);
    // Too many, still too many; what fits stays.
    assert_eq!(*pages.lock().unwrap(), [100, 62, 15, 15, 15, 15, 15, 15, 10]);
}

/// A namespace without Secrets is listed as `null`, and its Secrets are heard of as soon as there are any.
#[tokio::test(start_paused = true)]
async fn empty_list_of_metadata_is_watched() {
    let (client, _) = client(|asked| {
        Some(if asked.is_watch() {
            Answer::watch(&[line("ADDED", &object("a", "one", 101))])
        } else {
            Answer::json(&json!({"metadata": {"resourceVersion": "100"}, "items": null}))
        })
    });
    let mut events = secrets(&client, &[]).boxed();
    assert!(matches!(events.next().await, Some(SecretEvent::Listed { names, .. }) if names.is_empty()));
    assert!(matches!(events.next().await, Some(SecretEvent::Changed { version: Some(_), .. })));
}

/// Secrets are heard of by their versions; a namespace that is refused says so, so that somebody asks in its place.
#[tokio::test(start_paused = true)]
async fn secrets_tell_versions_and_refusals() {
    let (client, log) = client(|asked| {
        Some(match asked.is_watch() {
            _ if asked.path.contains("/b/") => Answer::refusal(403, "secrets is forbidden"),
            true => Answer::watch(&[line("DELETED", &object("a", "one", 101))]),
            false => list(&[object("a", "one", 1)]),
        })
    });
    let mut events = secrets(&client, &["a".to_owned(), "b".to_owned()]).boxed();
    let (mut versions, mut listed, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    while versions.len() < 2 || refused.is_empty() {
        match events.next().await.unwrap() {
            SecretEvent::Changed { key, version } => versions.push((key.to_string(), version)),
            SecretEvent::Listed { scope, names } => listed.push((scope.to_string(), names.len())),
            SecretEvent::Failed { scope, error } => refused.push((scope.to_string(), error.is_refusal())),
            SecretEvent::Recovered { .. } => {}
        }
    }
    assert_eq!(versions, [("a/one".to_owned(), Some("1".to_owned())), ("a/one".to_owned(), None)]);
    assert_eq!(listed, [("namespace a".to_owned(), 1)]);
    assert_eq!(refused, [("namespace b".to_owned(), true)]);
    assert!(log.lock().unwrap().iter().all(|asked| asked.method == "GET"));
}
