//! Writes statuses: one merge patch with what changed, over the version that it was made from.

use std::collections::VecDeque;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use futures::stream::FuturesUnordered;
use kube::api::{Patch, PatchParams};
use kube::core::Request;
use kube::{Api, Resource, ResourceExt};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tracing::Instrument;

use super::Context;
use super::drafts::{Job, Rest};
use super::key::Key;
use super::memory::Memory;
use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus as Status};
use crate::metrics::Operation;

/// The name that the operator's writes carry in `managedFields`.
pub(super) const FIELD_MANAGER: &str = "confidence-operator";

/// Writes at the same time. More only make each of them slower at the API server.
const AT_ONCE: usize = 16;

/// How often a write that met a newer version is made anew over that version.
const CONFLICTS: usize = 5;

/// The failures in a row that still lengthen the wait for another try: after more, up to eight seconds. There are sixteen
/// writers at the most, so this is no burden to an API server that comes back, and the truth is not held up.
const MOST_FAILURES: u32 = 4;

/// How long a write to the API server may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a status could not be written.
#[derive(Debug, thiserror::Error)]
enum PublishError {
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

/// What became of a write.
enum End {
    /// It was taken, over the last of these versions, and this version came of it.
    Written { over: Vec<Option<String>>, version: Option<String> },
    /// The resource is gone, or somebody reported of a newer spec meanwhile.
    Pointless,
}

/// Writes the statuses of those that are named, as they are when their turn comes, for as long as it is polled.
pub(super) async fn run(context: &Context, keys: &mut UnboundedReceiver<Key>) {
    let mut due = VecDeque::new();
    let mut writing = FuturesUnordered::new();
    let mut resting = FuturesUnordered::new();
    loop {
        while writing.len() < AT_ONCE
            && let Some(key) = due.pop_front()
        {
            writing.push(write(key, context));
        }
        tokio::select! {
            biased;
            Some(key) = keys.next() => due.push_back(key),
            Some((key, result)) = writing.next(), if !writing.is_empty() => match result {
                Ok(true) => due.push_back(key),
                Ok(false) => {}
                Err(wait) => resting.push(async move {
                    tokio::time::sleep(wait).await;
                    key
                }),
            },
            Some(key) = resting.next(), if !resting.is_empty() => due.push_back(key),
            else => return,
        }
    }
}

/// Writes one status and tells its events. `Ok(true)`: it moved on meanwhile. `Err`: to be tried again after this long.
async fn write(key: Key, context: &Context) -> (Key, Result<bool, Duration>) {
    let Some(job) = context.drafts.job(&key) else { return (key, Ok(false)) };
    let _working = context.progress.begin();
    let span = tracing::info_span!("status", id = %job.pass, namespace = &*key.namespace, resource = &*key.name);
    let result = carry_out(&key, &job, context).instrument(span).await;
    (key, result)
}

async fn carry_out(key: &Key, job: &Job, context: &Context) -> Result<bool, Duration> {
    match publish(job, context).await {
        Ok(End::Written { over, version }) => {
            context.metrics.status_written();
            let Rest { events, again } = context.drafts.written(key, job, over, version);
            // Told only by the replica that works: another may by now.
            if context.guard.may_write() {
                context.events.tell(&job.object, events).await;
            }
            Ok(again)
        }
        Ok(End::Pointless) => Ok(context.drafts.drop_wanted(key, job)),
        Err(error) => {
            context.metrics.kubernetes_error(Operation::WriteStatus);
            tracing::warn!(%error, "status not written");
            Err(pause(context.drafts.failed(key), &context.memory))
        }
    }
}

/// How long to wait after so many failures.
fn pause(failures: u32, memory: &Memory) -> Duration {
    memory.backoff(failures.min(MOST_FAILURES))
}

async fn publish(job: &Job, context: &Context) -> Result<End, PublishError> {
    let object = job.object.as_ref();
    let api: Api<ConfidenceClientCredential> =
        Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    let mut over = vec![object.resource_version()];
    let (mut before, mut version) = (job.before.clone(), job.version.clone());
    for _ in 0..CONFLICTS {
        if !context.guard.may_write() {
            return Err(PublishError::NotLeader);
        }
        over.push(version.clone());
        let patch = patch_of(&before, &job.after, object, version.as_deref())?;
        match bounded(patch_status(object, &Patch::Merge(patch), context)).await? {
            Ok(written) => return Ok(End::Written { over, version: written.metadata.resource_version }),
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(End::Pointless),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                // Somebody wrote the resource meanwhile: the outcome is as true as before.
                let Some(fresh) = bounded(api.get_opt(&object.name_any())).await?? else { return Ok(End::Pointless) };
                if fresh.uid() != object.uid() || speaks_of_newer(fresh.status.as_ref(), &job.after) {
                    return Ok(End::Pointless);
                }
                version = fresh.resource_version();
                before = fresh.status.unwrap_or_default();
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(PublishError::Contended)
}

/// What is read of the answer to a write: the object itself comes with the watch.
#[derive(Clone, Debug, Deserialize)]
struct Answer {
    metadata: AnswerMetadata,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerMetadata {
    resource_version: Option<String>,
}

/// As `Api::patch_status`, but for the answer: reading the whole object costs more than writing the patch.
async fn patch_status(
    object: &ConfidenceClientCredential,
    patch: &Patch<Value>,
    context: &Context,
) -> kube::Result<Answer> {
    let url = ConfidenceClientCredential::url_path(&(), object.metadata.namespace.as_deref());
    let parameters = PatchParams::apply(FIELD_MANAGER);
    let request = Request::new(url).patch_subresource("status", &object.name_any(), &parameters, patch);
    context.client.request(request.map_err(kube::Error::BuildRequest)?).await
}

async fn bounded<T>(call: impl Future<Output = T>) -> Result<T, PublishError> {
    tokio::time::timeout(WRITE_TIMEOUT, call).await.map_err(|_| PublishError::TimedOut)
}

fn speaks_of_newer(status: Option<&Status>, ours: &Status) -> bool {
    status.and_then(|it| it.observed_generation) > ours.observed_generation
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
    fn a_status_waits_eight_seconds_at_the_most_for_the_next_try() {
        let memory = Memory::new(Some(1));
        let waits = (1..1000).map(|failures| pause(failures, &memory));
        let longest = waits.max().unwrap_or_default();
        assert!(longest > Duration::from_secs(7) && longest <= Duration::from_secs(8), "{longest:?}");
    }

    #[test]
    fn a_patch_holds_what_changed_and_nothing_else() {
        let before = json!({"same": 1, "gone": 2, "list": [1, 2], "deep": {"same": 1, "changed": 2, "gone": 3}});
        let after = json!({"same": 1, "list": [2], "deep": {"same": 1, "changed": 4}, "new": {"a": 1}});
        let expected = json!({"gone": null, "list": [2], "deep": {"changed": 4, "gone": null}, "new": {"a": 1}});
        assert_eq!(difference(before, after), expected);
    }
}
