//! Secrets that change, by their versions alone: what is in them never enters memory here.

use std::collections::{HashMap, HashSet};

use futures::{Stream, StreamExt, future, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{Client, Resource};
use serde::de::IgnoredAny;

use super::error::WatchError;
use super::scope::{Scope, ScopeEvent, scope_events};
use crate::engine::key::Key;

/// What is heard of the Secrets.
#[derive(Debug)]
pub enum SecretEvent {
    /// A Secret has this version now, or is gone.
    Changed {
        /// Which one.
        key: Key,
        /// None where it is gone.
        version: Option<String>,
    },
    /// A list is complete: Secrets of the scope that it does not name are gone, and from now on changes are told.
    Listed {
        /// Of what.
        scope: Scope,
        /// The Secrets that there are.
        names: HashSet<Key>,
    },
    /// Secrets of the scope cannot be listed or watched. It is tried again; until it has recovered, the caller has to ask
    /// for the versions.
    Failed {
        /// Of what.
        scope: Scope,
        /// Why.
        error: WatchError,
    },
    /// A scope that failed works again.
    Recovered {
        /// Which one.
        scope: Scope,
    },
}

/// Watches the metadata of the Secrets in these namespaces, or in all where none is named.
pub fn secrets(client: &Client, namespaces: &[String]) -> impl Stream<Item = SecretEvent> + Send + use<> {
    let watches = Scope::all(namespaces).into_iter().map(|scope| {
        let url = Secret::url_path(&(), scope.namespace());
        scope_events::<IgnoredAny>(client.clone(), url, true).map(move |event| (scope.clone(), event)).boxed()
    });
    let mut named: HashMap<Scope, HashSet<Key>> = HashMap::new();
    stream::select_all(watches.collect::<Vec<_>>())
        .filter_map(move |(scope, event)| future::ready(translate(scope, event, &mut named)))
}

fn translate(
    scope: Scope,
    event: ScopeEvent<IgnoredAny>,
    named: &mut HashMap<Scope, HashSet<Key>>,
) -> Option<SecretEvent> {
    Some(match event {
        ScopeEvent::ListBegan => {
            named.insert(scope, HashSet::new());
            return None;
        }
        ScopeEvent::Listed(item) => {
            named.entry(scope).or_default().insert(item.key.clone());
            SecretEvent::Changed { key: item.key, version: Some(item.version) }
        }
        ScopeEvent::ListEnded => SecretEvent::Listed { names: named.remove(&scope).unwrap_or_default(), scope },
        ScopeEvent::Applied(item) => SecretEvent::Changed { key: item.key, version: Some(item.version) },
        ScopeEvent::Deleted(item) => SecretEvent::Changed { key: item.key, version: None },
        ScopeEvent::Failed(error) => SecretEvent::Failed { scope, error },
        ScopeEvent::Recovered => SecretEvent::Recovered { scope },
    })
}
