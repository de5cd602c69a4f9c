//! Writes a status: one merge patch with what changed, over the version that it was made from.

use std::sync::Arc;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use serde_json::{Map, Value, json};

use super::Context;
use super::memory::Reported;
use super::outcome::Outcome;
use super::report::{Facts, next_status};
use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus as Status};

/// The name that the operator's writes carry in `managedFields`.
pub(super) const FIELD_MANAGER: &str = "confidence-operator";

/// How often a write that met a newer version is made anew from that version.
const CONFLICTS: usize = 5;

/// How long a write to the API server may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A status that was, or did not need to be, written.
#[derive(Debug)]
pub(super) struct Published {
    /// As it was before.
    pub(super) before: Status,
    /// As it is now.
    pub(super) after: Status,
}

/// Why a status could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum PublishError {
    #[error("the API server did not take the status: {0}")]
    Kube(#[from] kube::Error),
    #[error("the status could not be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the API server did not answer the status write within {} s", WRITE_TIMEOUT.as_secs())]
    TimedOut,
    #[error("the resource kept changing while its status was written")]
    Contended,
    #[error("another replica may hold the lease by now")]
    NotLeader,
}

/// Reports an outcome. `None`: the resource is gone, or somebody reported of a newer spec meanwhile.
pub(super) async fn publish(
    object: &Arc<ConfidenceClientCredential>,
    outcome: &Outcome,
    context: &Context,
) -> Result<Option<Published>, PublishError> {
    let facts = Facts::of(object, context.settings.last_seen_resolution);
    let key = ObjectRef::from_obj(object.as_ref());
    let api: Api<ConfidenceClientCredential> =
        Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    let (mut before, mut version) = context.memory.current(object);
    for _ in 0..CONFLICTS {
        let after = next_status(&before, &facts, outcome);
        if after == before {
            return Ok(Some(Published { before: after.clone(), after }));
        }
        if !context.guard.may_write() {
            return Err(PublishError::NotLeader);
        }
        let patch = patch_of(&before, &after, object, version.as_deref())?;
        match bounded(api.patch_status(&object.name_any(), &PatchParams::apply(FIELD_MANAGER), &Patch::Merge(patch)))
            .await?
        {
            Ok(written) => {
                let reported = Reported {
                    over: object.resource_version(),
                    version: written.resource_version(),
                    status: after.clone(),
                };
                context.memory.reported(&key, reported);
                context.metrics.status_written();
                return Ok(Some(Published { before, after }));
            }
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                // Somebody wrote the resource meanwhile: the outcome is as true as before, so only the status is made anew.
                let Some(fresh) = bounded(api.get_opt(&object.name_any())).await?? else { return Ok(None) };
                if fresh.uid() != object.uid() || speaks_of_newer(fresh.status.as_ref(), &facts) {
                    return Ok(None);
                }
                version = fresh.resource_version();
                before = fresh.status.unwrap_or_default();
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(PublishError::Contended)
}

async fn bounded<T>(call: impl Future<Output = T>) -> Result<T, PublishError> {
    tokio::time::timeout(WRITE_TIMEOUT, call).await.map_err(|_| PublishError::TimedOut)
}

fn speaks_of_newer(status: Option<&Status>, facts: &Facts) -> bool {
    status.and_then(|it| it.observed_generation) > facts.generation
}

/// The merge patch (RFC 7386) from one status to the next. With the uid and the version that it was made from, the API
/// server refuses it (409) where the resource is another one by now or has changed.
fn patch_of(
    before: &Status,
    after: &Status,
    object: &ConfidenceClientCredential,
    version: Option<&str>,
) -> Result<Value, serde_json::Error> {
    let status = difference(serde_json::to_value(before)?, serde_json::to_value(after)?);
    Ok(json!({"metadata": {"uid": object.uid(), "resourceVersion": version}, "status": status}))
}

fn difference(before: Value, after: Value) -> Value {
    let (Value::Object(mut before), Value::Object(after)) = (before, after.clone()) else { return after };
    let mut patch = Map::new();
    for (name, value) in after {
        match before.remove(&name) {
            Some(old) if old == value => {}
            Some(old) => drop(patch.insert(name, difference(old, value))),
            None => drop(patch.insert(name, value)),
        }
    }
    patch.extend(before.into_iter().map(|(name, _)| (name, Value::Null)));
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_holds_what_changed_and_nothing_else() {
        let before = json!({"same": 1, "gone": 2, "list": [1, 2], "deep": {"same": 1, "changed": 2, "gone": 3}});
        let after = json!({"same": 1, "list": [2], "deep": {"same": 1, "changed": 4}, "new": {"a": 1}});
        let expected = json!({"gone": null, "list": [2], "deep": {"changed": 4, "gone": null}, "new": {"a": 1}});
        assert_eq!(difference(before, after), expected);
    }
}
