//! Secrets that no watch tells of: the API server is asked for their versions once a round.
//!
//! A list or a watch cannot be granted by name, so an operator that may read named Secrets alone has to ask. It asks for
//! the metadata only: what is in a Secret is for the pass that needs it to read.

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use std::collections::BTreeSet;

use super::changed;
use crate::controller::index::SecretName;
use crate::controller::{Context, Key};

/// Secrets that are asked for at the same time.
const AT_ONCE: usize = 4;

/// Hands to the queue the users of each Secret that changed since a pass read it, of those that some resources use.
pub(in crate::controller) async fn look(members: &[Key], context: &Context) {
    if context.watches_secrets() {
        return;
    }
    let secrets: BTreeSet<SecretName> = members.iter().filter_map(|key| context.index.secret_of(key)).collect();
    let asked = secrets.into_iter().map(|secret| ask(secret, context));
    futures::stream::iter(asked).buffer_unordered(AT_ONCE).collect::<()>().await;
}

async fn ask(secret: SecretName, context: &Context) {
    let (namespace, name) = &secret;
    let api: Api<Secret> = Api::namespaced(context.client.clone(), namespace);
    match api.get_metadata_opt(name).await {
        Ok(found) => changed(&secret, found.and_then(|it| it.metadata.resource_version).as_deref(), context),
        // Trouble with reading it is for the next pass that needs it to tell.
        Err(error) => tracing::debug!(namespace, name, %error, "the version of a Secret could not be read"),
    }
}
