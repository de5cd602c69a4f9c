//! Asks whether the objects could be watched, without watching them: for a replica that stands by, which is ready only
//! while it could do the work. A namespace that does not exist is missed by no watch, so the leader asks for those too.

use std::convert::Infallible;
use std::time::Duration;

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
use crate::engine::health::Readiness;

/// Requests at the same time.
const CONCURRENCY: usize = 4;

/// How often they are made: a pod that is rolled out is ready soon after it can work.
const INTERVAL: Duration = Duration::from_secs(10);

/// The requirement that every watched namespace exists.
const NAMESPACES: &str = "the watched namespaces";

/// A scope whose objects cannot be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which one.
    pub scope: Scope,
    /// Why, for a person.
    pub why: String,
}

/// Keeps up to date whether a replica that stands by could watch a kind, for as long as it is polled. The requirement of
/// this name is met once it is known of each scope; a scope that cannot be watched is a requirement of its own.
pub async fn stand_by<K>(client: &Client, namespaces: &[String], readiness: &Readiness, name: &str) -> Infallible
where
    K: Watched + Resource<Scope = NamespaceResourceScope>,
{
    loop {
        let missing = probe::<K>(client, namespaces).await;
        for scope in Scope::all(namespaces) {
            let requirement = readiness.requirement(scope.to_string());
            match missing.iter().find(|it| it.scope == scope) {
                Some(Missing { why, .. }) if requirement.set_missing(why) => {
                    tracing::warn!(%scope, "this replica could not do the work: {why}");
                }
                Some(_) => {}
                None => requirement.set_met(),
            }
        }
        check_namespaces(client, namespaces, readiness).await;
        readiness.requirement(name).set_met();
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Ends what [`stand_by`] said of the scopes: from now on a watch says it.
pub fn end_stand_by(namespaces: &[String], readiness: &Readiness) {
    for scope in Scope::all(namespaces) {
        readiness.requirement(scope.to_string()).set_met();
    }
}

/// Keeps up to date whether every watched namespace exists, for as long as it is polled.
pub async fn keep_namespaces(client: &Client, namespaces: &[String], readiness: &Readiness) -> Infallible {
    loop {
        check_namespaces(client, namespaces, readiness).await;
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn check_namespaces(client: &Client, namespaces: &[String], readiness: &Readiness) {
    let absent = absent(client, namespaces).await;
    let requirement = readiness.requirement(NAMESPACES);
    if absent.is_empty() {
        requirement.set_met();
    } else if requirement.set_missing(format!("{} does not exist", absent.join(", "))) {
        tracing::warn!(
            namespaces = absent.join(","),
            "a watched namespace does not exist; create it, or watch another"
        );
    }
}

/// Which of the namespaces cannot be watched for this kind.
pub(super) async fn probe<K>(client: &Client, namespaces: &[String]) -> Vec<Missing>
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
    let api: Api<PartialObjectMeta<K>> = match scope.namespace() {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let listed = api.list_metadata(&ListParams::default().limit(1)).await;
    listed.err().map(|error| WatchError::from(error).to_string())
}

/// Which of the namespaces do not exist: they are listed as empty. Where reading one is not allowed, it is taken to exist.
pub(super) async fn absent(client: &Client, namespaces: &[String]) -> Vec<String> {
    let asked = namespaces.iter().map(|namespace| async move {
        let api = Api::<Namespace>::all(client.clone());
        let found = tokio::time::timeout(ANSWER_TIMEOUT, api.get_metadata_opt(namespace)).await;
        matches!(found, Ok(Ok(None))).then(|| namespace.clone())
    });
    stream::iter(asked).buffered(CONCURRENCY).filter_map(std::future::ready).collect().await
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;
    use crate::engine::testing::{Answer, client};

    fn list() -> Answer {
        Answer::json(&json!({"metadata": {"resourceVersion": "1"}, "items": []}))
    }

    /// A replica that stands by is not ready where it could not do the work, says why, and is ready when that is mended.
    #[tokio::test(start_paused = true)]
    async fn standby_names_refused_and_absent_namespaces() {
        let is_mended = Arc::new(AtomicBool::new(false));
        let mended = Arc::clone(&is_mended);
        let (client, _) = client(move |asked| {
            Some(match asked.path.as_str() {
                _ if mended.load(Ordering::Relaxed) => list(),
                path if path.contains("/namespaces/refused/") => Answer::refusal(403, "forbidden"),
                "/api/v1/namespaces/absent" => Answer::refusal(404, "not found"),
                // Without the right to read namespaces they are taken to exist.
                "/api/v1/namespaces/there" => Answer::refusal(403, "forbidden"),
                _ => list(),
            })
        });
        let namespaces = ["absent", "refused", "there"].map(str::to_owned);
        let readiness = Readiness::default();
        let _ = readiness.require("the objects", "not listed yet");
        let standing_by = stand_by::<ConfigMap>(&client, &namespaces, &readiness, "the objects");
        let told = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let missing = readiness.missing();
            is_mended.store(true, Ordering::Relaxed);
            tokio::time::sleep(INTERVAL).await;
            missing
        };
        let missing = tokio::select! {
            never = standing_by => match never {},
            missing = told => missing,
        };
        let refused = "namespace refused: the API server refuses it: forbidden";
        assert_eq!(missing, [refused, "the watched namespaces: absent does not exist"]);
        assert!(readiness.missing().is_empty(), "{:?}", readiness.missing());
    }
}
