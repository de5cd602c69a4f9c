//! Writes statuses, and then tells their events.
//!
//! ```text
//! put ─→ pending (what each status is to say) ─→ run (sixteen writers) ─→ write (one PUT) ─→ events
//!                 ↑ seen, remove (the watch)         breaker (the API server as a whole)
//! ```
//!
//! An attempt does not wait for its status: what it came to is put here, over what was put before, so that a resource costs
//! one write however many attempts there were meanwhile, and no event is lost. Nothing is kept of a resource whose status
//! is written and shown by the watch.

mod breaker;
mod pending;
mod write;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use futures::stream::FuturesUnordered;
use kube::core::object::HasStatus;
use kube::{Client, Resource};
use prometheus_client::metrics::counter::Counter;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Instrument;

use self::breaker::Breaker;
use self::pending::{Job, PendingStatuses};
use self::write::{WriteError, WriteResult, Writer};
use super::events::{EventDraft, EventRecorder};
use super::health::Progress;
use super::key::Key;
use super::leader_election::LeaseGuard;

/// Writes at the same time. More only make each of them slower at the API server.
const CONCURRENCY: usize = 16;

/// How long a write to the API server may take.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The status of a kind whose statuses can be written.
pub trait Status: Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The generation of the spec that it speaks of.
    fn observed_generation(&self) -> Option<i64>;
}

/// A kind whose statuses can be written: kube's derive makes it one, once its status is a [`Status`].
pub trait WithStatus: Resource<DynamicType = ()> + HasStatus<Status: Status> + Send + Sync + 'static {}

impl<K> WithStatus for K where K: Resource<DynamicType = ()> + HasStatus<Status: Status> + Send + Sync + 'static {}

/// Tells the attempts in the log apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptId(pub u32);

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// What a status is to say.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingStatus<S> {
    /// The status.
    pub status: S,
    /// To be told once the status is written.
    pub events: Vec<EventDraft>,
    /// The attempt that found it out, for the log.
    pub attempt: AttemptId,
}

/// Who made the status that the watch shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum StatusOrigin {
    /// It is as it was, or as this writer left it.
    Expected,
    /// Somebody else changed it.
    Foreign,
}

/// The parts of a [`StatusWriter`].
pub struct StatusWriterParts {
    /// The cluster.
    pub client: Client,
    /// The name that the writes carry in `managedFields`.
    pub field_manager: &'static str,
    /// Asked before each write.
    pub guard: LeaseGuard,
    /// Where the events go.
    pub recorder: EventRecorder,
    /// Whether writes finish.
    pub progress: Progress,
    /// Counts the statuses that were written.
    pub written: Counter,
    /// Counts the writes that failed.
    pub failures: Counter,
}

/// Writes the statuses of one kind.
pub struct StatusWriter<K: WithStatus> {
    parts: StatusWriterParts,
    writer: Writer,
    pending: PendingStatuses<K>,
    breaker: Breaker,
    queue: UnboundedSender<Key>,
    /// Held by the one that runs.
    queued: tokio::sync::Mutex<UnboundedReceiver<Key>>,
}

/// What to do with a resource after a write.
enum Next {
    /// Nothing more.
    Done,
    /// Its status moved on meanwhile.
    Again,
    /// The write failed: another try after this long.
    Wait(Duration),
}

impl<K: WithStatus> StatusWriter<K> {
    /// A writer that writes while it [runs](Self::run).
    pub fn new(parts: StatusWriterParts) -> Self {
        let (queue, queued) = mpsc::unbounded();
        Self {
            writer: Writer::new(parts.client.clone(), parts.field_manager, parts.guard.clone()),
            parts,
            pending: PendingStatuses::default(),
            breaker: Breaker::default(),
            queue,
            queued: tokio::sync::Mutex::new(queued),
        }
    }

    /// What the status of a resource says, or will say when everything is written.
    pub fn current(&self, key: &Key, object: &K) -> K::Status {
        self.pending.current(key, object)
    }

    /// Puts down what a status is to say, over what was put down before.
    pub fn put(&self, key: &Key, object: &Arc<K>, pending: PendingStatus<K::Status>) {
        if self.pending.put(key, object, pending) {
            // Nobody listens any more only when the program ends.
            let _ = self.queue.unbounded_send(key.clone());
        }
    }

    /// The watch shows an object; the previous one is what it showed before. Says who made its status.
    pub fn seen(&self, key: &Key, object: &K, previous: Option<&K>) -> StatusOrigin {
        self.pending.seen(key, object, previous)
    }

    /// Forgets a resource that is gone.
    pub fn remove(&self, key: &Key) {
        self.pending.remove(key);
    }

    /// Waits until every status is written and its events are told, but for those that the API server refuses for good.
    pub async fn all_written(&self) {
        self.pending.all_written().await;
    }

    /// Waits until what was put for a resource is written, or refused for good.
    pub async fn settled(&self, key: &Key) {
        self.pending.settled(key).await;
    }

    /// Writes what is put, for as long as it is polled.
    pub async fn run(&self) {
        let mut queued = self.queued.lock().await;
        let (mut due, mut writing, mut resting) = (VecDeque::new(), FuturesUnordered::new(), FuturesUnordered::new());
        loop {
            while self.breaker.allows(writing.len())
                && let Some(key) = due.pop_front()
            {
                writing.push(self.serve(key));
            }
            tokio::select! {
                biased;
                Some(key) = queued.next() => due.push_back(key),
                Some((key, next)) = writing.next(), if !writing.is_empty() => match next {
                    Next::Done => {}
                    Next::Again => due.push_back(key),
                    Next::Wait(wait) => resting.push(async move {
                        tokio::time::sleep(wait).await;
                        key
                    }),
                },
                Some(key) = resting.next(), if !resting.is_empty() => due.push_back(key),
                () = self.breaker.wait(), if !due.is_empty() && writing.is_empty() => {}
            }
        }
    }

    /// Writes one status and tells its events.
    async fn serve(&self, key: Key) -> (Key, Next) {
        let Some(job) = self.pending.begin(&key) else { return (key, Next::Done) };
        let _working = self.parts.progress.begin();
        let span = tracing::info_span!("status", id = %job.attempt, namespace = &*key.namespace, resource = &*key.name);
        let next = self.carry_out(&key, &job).instrument(span).await;
        self.pending.end();
        (key, next)
    }

    async fn carry_out(&self, key: &Key, job: &Job<K>) -> Next {
        let is_due_again = match self.writer.write(job).await {
            Ok(WriteResult::Written { over, version }) => {
                self.breaker.succeeded();
                self.parts.written.inc();
                let (events, is_due_again) = self.pending.written(key, job, over, version);
                // Told only by the replica that works: another may by now.
                if !events.is_empty() && self.parts.guard.may_write_for(WRITE_TIMEOUT) {
                    self.parts.recorder.record(&job.object.object_ref(&()), events).await;
                }
                is_due_again
            }
            Ok(WriteResult::Pointless) => {
                self.breaker.succeeded();
                self.pending.drop_pending(key, job)
            }
            Err(error) => return Next::Wait(self.fail(key, &error)),
        };
        if is_due_again { Next::Again } else { Next::Done }
    }

    /// Takes note of a failure. Returns the wait before another try.
    fn fail(&self, key: &Key, error: &WriteError) -> Duration {
        let failures = self.pending.failed(key, error.is_refusal());
        let is_first = self.breaker.failed(error);
        self.parts.failures.inc();
        if is_first && failures == 1 {
            tracing::warn!(%error, "status not written; trying again, without a word of each failure");
        } else {
            tracing::debug!(%error, "status not written");
        }
        breaker::pause(error, failures)
    }
}

#[cfg(test)]
mod tests;
