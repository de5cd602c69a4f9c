//! One store of objects over all watched namespaces, and what changes in it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::error::WatchError;
use super::item::Item;
use super::probe::Missing;
use super::scope::{Scope, ScopeEvent, scope_events};
use crate::engine::key::Key;

/// A kind that can be watched.
pub trait Watched: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static {
    /// The form in which it is decoded: with the fields that are used, so that nothing else takes memory. `Self` where
    /// all of them are.
    type Wire: DeserializeOwned + Into<Self> + Send + 'static;
}

/// What happens to the watched objects. The store has taken it up before the event is seen.
#[derive(Clone, Debug)]
pub enum WatchEvent<K> {
    /// An object is new or has changed.
    Applied {
        /// As it is now.
        object: Arc<K>,
        /// As the store had it before.
        previous: Option<Arc<K>>,
        /// Whether a list named it: nobody may have touched it just now.
        is_listed: bool,
    },
    /// An object is gone.
    Deleted {
        /// Which one.
        key: Key,
        /// As the store had it; none where it could not be decoded.
        previous: Option<Arc<K>>,
    },
    /// An object cannot be decoded; the store leaves it out until it can.
    Undecodable {
        /// Which one.
        key: Key,
        /// Its uid.
        uid: String,
        /// Which field is wrong, and how; none of its values.
        error: String,
        /// As the store had it before.
        previous: Option<Arc<K>>,
    },
    /// A scope cannot be listed or watched. It is tried again.
    Failed {
        /// Which one.
        scope: Scope,
        /// Why.
        error: Arc<WatchError>,
    },
    /// A scope that failed works again.
    Recovered {
        /// Which one.
        scope: Scope,
    },
    /// The store holds what there is, told once: each scope was listed, or is refused.
    Ready {
        /// The scopes that are refused. What they hold comes as changes when the right is granted.
        missing: Vec<Missing>,
    },
}

/// Watches the objects of a kind in these namespaces, or in all where none is named, and keeps the store. A kind without
/// namespaces is watched where none is named. The store counts
/// as ready from the beginning: what it has to hold before work can begin, [`WatchEvent::Ready`] tells.
pub fn resources<K: Watched>(
    client: &Client,
    namespaces: &[String],
    writer: Writer<K>,
) -> impl Stream<Item = WatchEvent<K>> + Send + use<K> {
    let scopes = Scope::all(namespaces);
    let mut changes = Changes::new(writer, &scopes);
    let watches = scopes.into_iter().map(|scope| {
        let url = K::url_path(&(), scope.namespace());
        scope_events::<K::Wire>(client.clone(), url, false).map(move |event| (scope.clone(), event)).boxed()
    });
    stream::select_all(watches.collect::<Vec<_>>())
        .map(move |(scope, event)| changes.take_up(&scope, event))
        .flat_map(stream::iter)
}

/// Keeps the store. kube's store replaces itself at each list, and several lists into one would undo each other: so a list
/// becomes the changes that it amounts to.
struct Changes<K: Watched> {
    writer: Writer<K>,
    store: Store<K>,
    scopes: BTreeMap<Scope, ScopeState>,
    /// The versions of the objects that cannot be decoded: each is reported once.
    undecodable: HashMap<Key, String>,
    is_ready: bool,
}

#[derive(Default)]
struct ScopeState {
    /// What the list in progress has named so far.
    named: HashSet<Key>,
    /// Whether a list was complete.
    is_listed: bool,
    /// Why it is refused, while it is.
    refused: Option<Arc<WatchError>>,
}

impl<K: Watched> Changes<K> {
    fn new(mut writer: Writer<K>, scopes: &[Scope]) -> Self {
        writer.apply_watcher_event(&Event::Init);
        writer.apply_watcher_event(&Event::InitDone);
        Self {
            store: writer.as_reader(),
            writer,
            scopes: scopes.iter().map(|scope| (scope.clone(), ScopeState::default())).collect(),
            undecodable: HashMap::new(),
            is_ready: false,
        }
    }

    fn take_up(&mut self, scope: &Scope, event: ScopeEvent<K::Wire>) -> Vec<WatchEvent<K>> {
        match event {
            ScopeEvent::ListBegan => {
                self.state(scope).named.clear();
                Vec::new()
            }
            ScopeEvent::Listed(item) => {
                self.state(scope).named.insert(item.key.clone());
                self.apply(item, true).into_iter().collect()
            }
            ScopeEvent::ListEnded => self.end_list(scope),
            ScopeEvent::Applied(item) => self.apply(item, false).into_iter().collect(),
            ScopeEvent::Deleted(item) => vec![self.delete(item.key)],
            ScopeEvent::Failed(error) => self.fail(scope, error),
            ScopeEvent::Recovered => {
                self.state(scope).refused = None;
                vec![WatchEvent::Recovered { scope: scope.clone() }]
            }
        }
    }

    fn state(&mut self, scope: &Scope) -> &mut ScopeState {
        self.scopes.entry(scope.clone()).or_default()
    }

    fn apply(&mut self, item: Item<K::Wire>, is_listed: bool) -> Option<WatchEvent<K>> {
        let Item { key, uid, version, object } = item;
        let previous = self.store.get(&key.object_ref());
        match object {
            Ok(object) => {
                self.undecodable.remove(&key);
                if previous.as_ref().is_some_and(|shown| shown.resource_version().as_deref() == Some(&*version)) {
                    return None;
                }
                let event = Event::Apply(object.into());
                self.writer.apply_watcher_event(&event);
                let object = self.store.get(&key.object_ref())?;
                Some(WatchEvent::Applied { object, previous, is_listed })
            }
            Err(error) => {
                self.remove(previous.as_ref());
                let is_told = self.undecodable.insert(key.clone(), version.clone()) == Some(version);
                (!is_told).then_some(WatchEvent::Undecodable { key, uid, error, previous })
            }
        }
    }

    fn delete(&mut self, key: Key) -> WatchEvent<K> {
        self.undecodable.remove(&key);
        let previous = self.store.get(&key.object_ref());
        self.remove(previous.as_ref());
        WatchEvent::Deleted { key, previous }
    }

    fn remove(&mut self, object: Option<&Arc<K>>) {
        if let Some(object) = object {
            self.writer.apply_watcher_event(&Event::Delete(K::clone(object)));
        }
    }

    /// What a complete list does not name is gone.
    fn end_list(&mut self, scope: &Scope) -> Vec<WatchEvent<K>> {
        let state = self.state(scope);
        state.is_listed = true;
        let named = std::mem::take(&mut state.named);
        let stored = self.store.state().into_iter().map(|object| Key::of(object.as_ref()));
        let known = stored.chain(self.undecodable.keys().cloned());
        let mut gone: Vec<_> = known.filter(|key| scope.contains(key) && !named.contains(key)).collect();
        gone.sort();
        let deleted: Vec<_> = gone.into_iter().map(|key| self.delete(key)).collect();
        deleted.into_iter().chain(self.ready()).collect()
    }

    fn fail(&mut self, scope: &Scope, error: WatchError) -> Vec<WatchEvent<K>> {
        let error = Arc::new(error);
        if error.is_refusal() {
            self.state(scope).refused = Some(Arc::clone(&error));
        }
        let failed = WatchEvent::Failed { scope: scope.clone(), error };
        std::iter::once(failed).chain(self.ready()).collect()
    }

    /// Where every scope is refused, there is nothing to begin with.
    fn ready(&mut self) -> Option<WatchEvent<K>> {
        let is_settled = |state: &ScopeState| state.is_listed || state.refused.is_some();
        let is_ready = self.scopes.values().all(is_settled) && self.scopes.values().any(|state| state.is_listed);
        if self.is_ready || !is_ready {
            return None;
        }
        self.is_ready = true;
        let missing = self.scopes.iter().filter(|(_, state)| !state.is_listed);
        let missing = missing.filter_map(|(scope, state)| {
            Some(Missing { scope: scope.clone(), why: state.refused.as_ref()?.to_string() })
        });
        Some(WatchEvent::Ready { missing: missing.collect() })
    }
}
