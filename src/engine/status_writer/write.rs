//! One status write: a PUT of `/status` with nothing but the status in it.

use std::time::Duration;

use http_body_util::BodyExt;
use kube::Client;
use kube::api::{GetParams, PostParams};
use kube::client::Body;
use kube::core::{Request, Status as Refusal};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::pending::Job;
use super::{Status, WRITE_TIMEOUT, WithStatus};
use crate::engine::leader_election::LeaseGuard;

/// How often a write that met a newer version is made anew over that version.
const MAX_CONFLICTS: usize = 5;

/// Why a status could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// It stays so until a person changes something.
    #[error("the API server refuses the status ({code}): {message}")]
    Refused { code: u16, message: String },
    #[error("the API server asks to wait {} s", .0.as_secs())]
    Throttled(Duration),
    #[error("the API server answered {code}: {message}")]
    Failed { code: u16, message: String },
    #[error("the API server cannot be reached: {0}")]
    Unreachable(#[from] kube::Error),
    #[error("the answer of the API server broke off or cannot be read: {0}")]
    Unreadable(String),
    #[error("the API server did not answer within {} s", WRITE_TIMEOUT.as_secs())]
    TimedOut,
    #[error("the resource kept changing while its status was written")]
    Contended,
    #[error("another replica may hold the lease by now")]
    NotLeader,
}

impl WriteError {
    /// Whether trying again soon is of no use.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

/// What became of a write.
#[derive(Debug)]
pub(super) enum WriteResult {
    /// It was taken, over the last of these versions, and this version came of it.
    Written { over: Vec<Option<String>>, version: Option<String> },
    /// The resource is gone, or somebody reported of a newer spec meanwhile.
    Pointless,
}

/// Makes the requests.
pub(super) struct Writer {
    client: Client,
    field_manager: &'static str,
    guard: LeaseGuard,
}

/// All that a write holds. The API server takes the rest of the object from its own.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusUpdate<'a, S> {
    api_version: &'a str,
    kind: &'a str,
    metadata: UpdateMetadata<'a>,
    status: &'a S,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UpdateMetadata<'a> {
    name: Option<&'a str>,
    namespace: Option<&'a str>,
    /// With these two the API server answers 409 where the resource is another one by now, or has changed.
    uid: Option<&'a str>,
    resource_version: Option<&'a str>,
}

/// What is read of the answer to a write: the object itself comes with the watch.
#[derive(Deserialize)]
struct Answer {
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
}

/// What is read of an object that somebody changed meanwhile.
#[derive(Deserialize)]
struct Fresh {
    metadata: Metadata,
    /// Whatever somebody wrote there: it need not be a status of ours.
    status: Option<Box<RawValue>>,
}

impl Writer {
    pub(super) fn new(client: Client, field_manager: &'static str, guard: LeaseGuard) -> Self {
        Self { client, field_manager, guard }
    }

    /// Writes a status, over newer versions too as long as they do not make it pointless.
    pub(super) async fn write<K: WithStatus>(&self, job: &Job<K>) -> Result<WriteResult, WriteError> {
        let meta = job.object.meta();
        let (mut over, mut version) = (vec![meta.resource_version.clone()], job.version.clone());
        for _ in 0..MAX_CONFLICTS {
            if !self.guard.may_write_for(WRITE_TIMEOUT) {
                return Err(WriteError::NotLeader);
            }
            over.push(version.clone());
            match self.put(job, version.as_deref()).await {
                Ok(version) => return Ok(WriteResult::Written { over, version }),
                // Gone, or it has no status that can be written: one more request tells.
                Err(WriteError::Refused { code: 404, message }) => {
                    return match self.fresh(job).await? {
                        Some(_) => Err(WriteError::Refused { code: 404, message }),
                        None => Ok(WriteResult::Pointless),
                    };
                }
                // Somebody wrote the resource meanwhile: the outcome is as true as before.
                Err(WriteError::Failed { code: 409, .. }) => match self.fresh(job).await? {
                    Some(fresh) if !is_newer(&fresh, &job.after) => version = fresh.metadata.resource_version,
                    _ => return Ok(WriteResult::Pointless),
                },
                Err(error) => return Err(error),
            }
        }
        Err(WriteError::Contended)
    }

    async fn put<K: WithStatus>(&self, job: &Job<K>, version: Option<&str>) -> Result<Option<String>, WriteError> {
        let meta = job.object.meta();
        let update = StatusUpdate {
            api_version: &K::api_version(&()),
            kind: &K::kind(&()),
            metadata: UpdateMetadata {
                name: meta.name.as_deref(),
                namespace: meta.namespace.as_deref(),
                uid: meta.uid.as_deref(),
                resource_version: version,
            },
            status: &job.after,
        };
        let body = serde_json::to_vec(&update).map_err(|error| WriteError::Unreadable(error.to_string()))?;
        let parameters = PostParams { field_manager: Some(self.field_manager.to_owned()), ..PostParams::default() };
        let name = meta.name.as_deref().unwrap_or_default();
        let request = Request::new(url::<K>(job)).replace_subresource("status", name, &parameters, body);
        let answer = self.send(request.map_err(kube::Error::BuildRequest)?).await?;
        let answer: Answer = read(&answer)?;
        Ok(answer.metadata.resource_version)
    }

    /// The resource as it is now; none where it is gone, or where another has its name.
    async fn fresh<K: WithStatus>(&self, job: &Job<K>) -> Result<Option<Fresh>, WriteError> {
        let meta = job.object.meta();
        let name = meta.name.as_deref().unwrap_or_default();
        let request = Request::new(url::<K>(job)).get(name, &GetParams::default());
        let answer = match self.send(request.map_err(kube::Error::BuildRequest)?).await {
            Err(WriteError::Refused { code: 404, .. }) => return Ok(None),
            answer => answer?,
        };
        let fresh: Fresh = read(&answer)?;
        Ok(Some(fresh).filter(|fresh| fresh.metadata.uid == meta.uid))
    }

    async fn send(&self, request: http::Request<Vec<u8>>) -> Result<bytes::Bytes, WriteError> {
        tokio::time::timeout(WRITE_TIMEOUT, self.answer(request)).await.map_err(|_| WriteError::TimedOut)?
    }

    /// kube's own way of reading an answer knows no headers, and logs all of an answer that it cannot read.
    async fn answer(&self, request: http::Request<Vec<u8>>) -> Result<bytes::Bytes, WriteError> {
        let response = self.client.send(request.map(Body::from)).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| WriteError::Unreadable(error.to_string()))?.to_bytes();
        if parts.status.is_success() {
            return Ok(body);
        }
        let code = parts.status.as_u16();
        let message = serde_json::from_slice::<Refusal>(&body).map(|it| it.message).unwrap_or_default();
        Err(match code {
            429 => WriteError::Throttled(retry_after(&parts.headers)),
            400 | 403 | 404 | 405 | 413 | 415 | 422 => WriteError::Refused { code, message },
            _ => WriteError::Failed { code, message },
        })
    }
}

/// How long the API server asks to wait: it always says so in seconds.
fn retry_after(headers: &http::HeaderMap) -> Duration {
    let seconds = headers.get(http::header::RETRY_AFTER).and_then(|it| it.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or(1).max(1))
}

fn url<K: WithStatus>(job: &Job<K>) -> String {
    K::url_path(&(), job.object.meta().namespace.as_deref())
}

fn read<T: for<'de> Deserialize<'de>>(answer: &[u8]) -> Result<T, WriteError> {
    serde_json::from_slice(answer).map_err(|error| WriteError::Unreadable(error.to_string()))
}

/// Whether somebody reported of a newer spec than we do: of one that there is, for a status may say anything.
fn is_newer<S: Status>(fresh: &Fresh, ours: &S) -> bool {
    let status = fresh.status.as_deref().and_then(|it| serde_json::from_str::<S>(it.get()).ok());
    let theirs = status.and_then(|it| it.observed_generation());
    theirs > ours.observed_generation() && theirs <= fresh.metadata.generation
}
