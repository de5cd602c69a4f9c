//! The watches: one stream of resources over all watched namespaces, and one of Secrets by their metadata.
//!
//! kube's store replaces itself at each relist, and several watches into one store would undo each other. So only the
//! first list is passed on as a list (begun again where it broke off); a later one becomes the changes that it amounts to,
//! which also spares holding everything twice.

mod read;

use std::collections::{HashMap, HashSet};
use std::iter;
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};

use self::read::Watched;
use crate::api::ConfidenceClientCredential;

/// How long the API server keeps a watch open, in seconds: together with the client's read timeout, the bound within
/// which a watch that died silently is noticed.
pub(super) const WATCH_TIMEOUT_SECONDS: u32 = 60;

/// Objects a page of a list: a page is held whole while it is read.
const PAGE_SIZE: u32 = 250;

fn config() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_TIMEOUT_SECONDS).page_size(PAGE_SIZE)
}

/// The scopes to watch: the cluster, or each of the namespaces.
fn scopes<K>(client: &Client, namespaces: &[String]) -> Vec<Api<K>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    if namespaces.is_empty() {
        return vec![Api::all(client.clone())];
    }
    namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
}

/// The resources, as changes after one first list.
pub(super) fn resources(
    client: &Client,
    namespaces: &[String],
    store: &Store<ConfidenceClientCredential>,
) -> impl Stream<Item = watcher::Result<Event<ConfidenceClientCredential>>> + Send + use<> {
    let watches = scopes::<Watched>(client, namespaces).into_iter().zip(scope_names(namespaces));
    let watches = watches.map(|(api, scope)| {
        let events = watcher(api, config()).default_backoff();
        events.map(move |event| (scope.clone(), event.map(read::event))).boxed()
    });
    let mut lists = Lists::new(store.clone(), namespaces.len().max(1));
    stream::select_all(watches.collect::<Vec<_>>())
        .map(move |(scope, event)| match event {
            Ok(event) => lists.translate(&scope, event).into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
        .flat_map(stream::iter)
}

fn scope_names(namespaces: &[String]) -> Vec<Scope> {
    if namespaces.is_empty() { vec![None] } else { namespaces.iter().cloned().map(Some).collect() }
}

/// Secrets, by their metadata alone: what is in them never enters memory here. Each list is passed on as one.
pub(super) fn secrets(
    client: &Client,
    namespaces: &[String],
) -> impl Stream<Item = (Scope, watcher::Result<Event<PartialObjectMeta<Secret>>>)> + Send + use<> {
    let watches = scopes::<PartialObjectMeta<Secret>>(client, namespaces).into_iter().zip(scope_names(namespaces));
    let watches = watches
        .map(|(api, scope)| watcher(api, config()).default_backoff().map(move |event| (scope.clone(), event)).boxed());
    stream::select_all(watches.collect::<Vec<_>>())
}

/// Turns the lists of several watches into one first list and, later, changes.
struct Lists<K: Resource<DynamicType = ()> + 'static> {
    store: Store<K>,
    scopes: usize,
    /// The scopes whose first list is complete.
    listed: HashSet<Scope>,
    /// What the first lists have named so far: passed on when the last of them is complete, as one.
    first: HashMap<Scope, HashMap<ObjectRef<K>, K>>,
    /// What a later list has named so far.
    relists: HashMap<Scope, HashSet<ObjectRef<K>>>,
}

/// A namespace, or the cluster.
pub(super) type Scope = Option<String>;

impl<K> Lists<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    fn new(store: Store<K>, scopes: usize) -> Self {
        Self { store, scopes, listed: HashSet::new(), first: HashMap::new(), relists: HashMap::new() }
    }

    fn translate(&mut self, scope: &Scope, event: Event<K>) -> Vec<Event<K>> {
        if self.listed.len() < self.scopes {
            return self.translate_first(scope, event);
        }
        match event {
            Event::Apply(_) | Event::Delete(_) => vec![event],
            Event::Init => {
                self.relists.insert(scope.clone(), HashSet::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                self.relists.entry(scope.clone()).or_default().insert(ObjectRef::from_obj(&object));
                vec![Event::Apply(object)]
            }
            Event::InitDone => self.vanished(scope),
        }
    }

    fn translate_first(&mut self, scope: &Scope, event: Event<K>) -> Vec<Event<K>> {
        if self.scopes == 1 {
            // There are no others to wait for: nothing has to be kept here.
            if matches!(event, Event::InitDone) {
                self.listed.insert(scope.clone());
            }
            return vec![event];
        }
        let objects = self.first.entry(scope.clone()).or_default();
        match event {
            // A first list that broke off begins again: what it had named may be gone by now.
            Event::Init => objects.clear(),
            Event::InitApply(object) | Event::Apply(object) => {
                objects.insert(ObjectRef::from_obj(&object), object);
            }
            Event::Delete(object) => {
                objects.remove(&ObjectRef::from_obj(&object));
            }
            Event::InitDone => {
                self.listed.insert(scope.clone());
            }
        }
        if self.listed.len() < self.scopes {
            return Vec::new();
        }
        let objects = std::mem::take(&mut self.first).into_values().flat_map(HashMap::into_values);
        iter::once(Event::Init).chain(objects.map(Event::InitApply)).chain(iter::once(Event::InitDone)).collect()
    }

    /// What the store has and a complete list of the scope has not.
    fn vanished(&mut self, scope: &Scope) -> Vec<Event<K>> {
        let Some(seen) = self.relists.remove(scope) else { return Vec::new() };
        let in_scope = |object: &Arc<K>| scope.is_none() || object.namespace() == *scope;
        let gone = |object: &Arc<K>| !seen.contains(&ObjectRef::from_obj(object.as_ref()));
        let state = self.store.state().into_iter();
        let mut gone: Vec<_> = state.filter(|object| in_scope(object) && gone(object)).collect();
        gone.sort_by_cached_key(|object| (object.namespace(), object.name_any()));
        gone.into_iter().map(|object| Event::Delete((*object).clone())).collect()
    }
}

#[cfg(test)]
mod tests;
