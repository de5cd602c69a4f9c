//! Asks whether the objects could be watched, without watching them: for a replica that stands by, and before the first
//! list.

use futures::{StreamExt, stream};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, Resource};

use super::error::WatchError;
use super::reader::ANSWER_TIMEOUT;
use super::resources::Watched;
use super::scope::Scope;

/// Scopes that are asked about at the same time.
const CONCURRENCY: usize = 4;

/// A scope whose objects cannot be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which one.
    pub scope: Scope,
    /// Why, for a person.
    pub why: String,
}

/// Which of the namespaces cannot be watched for this kind, or do not exist.
pub async fn probe<K>(client: &Client, namespaces: &[String]) -> Vec<Missing>
where
    K: Watched + Resource<Scope = NamespaceResourceScope>,
{
    let asked = Scope::all(namespaces).into_iter().map(|scope| async move {
        let why = tokio::time::timeout(ANSWER_TIMEOUT, probe_scope::<K>(client, &scope)).await;
        let why = why.unwrap_or_else(|_| Some(WatchError::TimedOut.to_string()))?;
        Some(Missing { scope, why })
    });
    stream::iter(asked).buffered(CONCURRENCY).filter_map(std::future::ready).collect().await
}

async fn probe_scope<K>(client: &Client, scope: &Scope) -> Option<String>
where
    K: Watched + Resource<Scope = NamespaceResourceScope>,
{
    let namespace = scope.namespace();
    let api: Api<PartialObjectMeta<K>> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    if let Err(error) = api.list_metadata(&ListParams::default().limit(1)).await {
        return Some(WatchError::from(error).to_string());
    }
    // A namespace that does not exist is listed as empty. Where reading it is not allowed, it is taken to exist.
    let found = Api::<Namespace>::all(client.clone()).get_metadata_opt(namespace?).await;
    matches!(found, Ok(None)).then(|| "the namespace does not exist".to_owned())
}
