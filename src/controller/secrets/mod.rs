//! Secrets that change: the resources that use them get a pass. By a watch where that is allowed, else by asking
//! (`unwatched`). What is in a Secret is not of this room: the pass that needs it reads it.

mod unwatched;

use std::collections::{HashMap, HashSet};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Event;

pub(super) use self::unwatched::look;
use super::Context;
use super::index::SecretName;
use super::watch::{Scope, secrets};
use crate::metrics::Operation;

/// Watches the Secrets, if that is allowed, for as long as it is polled.
pub(super) async fn watch(context: &Context) {
    if !context.settings.watch_secrets {
        return context.show(|it| it.secrets = true);
    }
    let mut events = std::pin::pin!(secrets(&context.client, &context.settings.namespaces));
    let mut lists = Lists::default();
    while let Some((scope, event)) = events.next().await {
        match event {
            Ok(event) => take_up(&scope, event, &mut lists, context),
            Err(error) => {
                context.metrics.kubernetes_error(Operation::WatchSecrets);
                tracing::warn!(%error, "watching Secrets failed; a changed Secret is noticed when it works again");
            }
        }
    }
}

/// The Secrets that lists in hand have named so far.
type Lists = HashMap<Scope, HashSet<SecretName>>;

fn take_up(scope: &Scope, event: Event<PartialObjectMeta<Secret>>, lists: &mut Lists, context: &Context) {
    match event {
        Event::Init => drop(lists.insert(scope.clone(), HashSet::new())),
        Event::InitApply(secret) => {
            lists.entry(scope.clone()).or_default().insert(name(&secret));
            changed(&name(&secret), secret.metadata.resource_version.as_deref(), context);
        }
        Event::InitDone => {
            // What went while the watch was broken is told by nobody.
            let listed = lists.remove(scope).unwrap_or_default();
            let used = context.index.used_secrets().into_iter();
            let is_gone = |it: &SecretName| scope.as_ref().is_none_or(|scope| it.0 == *scope) && !listed.contains(it);
            used.filter(is_gone).for_each(|it| changed(&it, None, context));
            context.show(|it| it.secrets = true);
        }
        Event::Apply(secret) => changed(&name(&secret), secret.metadata.resource_version.as_deref(), context),
        Event::Delete(secret) => changed(&name(&secret), None, context),
    }
}

fn name(secret: &PartialObjectMeta<Secret>) -> SecretName {
    (secret.namespace().unwrap_or_default(), secret.name_any())
}

/// A Secret has this version now, or is gone: hands its users to the queue, if that is news.
fn changed((namespace, name): &SecretName, version: Option<&str>, context: &Context) {
    context.wake_all(context.index.secret_changed(namespace, name, version));
}
