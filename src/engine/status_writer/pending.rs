//! The statuses that are still to be written: what each is to say, from the attempt that found it out until the watch
//! shows it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use tokio::sync::Notify;

use super::{AttemptId, PendingStatus, StatusOrigin, WithStatus};
use crate::engine::events::EventDraft;
use crate::engine::key::Key;

/// The pending statuses of all resources of a kind.
pub(super) struct PendingStatuses<K: WithStatus> {
    state: Mutex<State<K>>,
    ended: Notify,
}

struct State<K: WithStatus> {
    entries: HashMap<Key, Entry<K>>,
    /// Writes in progress, until their events are told.
    writing: usize,
}

struct Entry<K: WithStatus> {
    /// The object as the attempt had it that put the status down last.
    object: Arc<K>,
    /// What was last written, as long as the watch may not show it yet.
    written: Option<Written<K::Status>>,
    /// What is being written.
    writing: Option<K::Status>,
    /// What is to be written.
    pending: Option<PendingStatus<K::Status>>,
    /// The version that the watch showed last, as far as it was heard of here.
    shown: Option<String>,
    /// Whether a writer has it, or is about to.
    is_queued: bool,
    failures: u32,
    /// Whether the last failure was a refusal.
    is_refused: bool,
}

struct Written<S> {
    /// The versions of the object that are older.
    over: Vec<Option<String>>,
    /// The version that came of it.
    version: Option<String>,
    status: S,
}

/// One write.
pub(super) struct Job<K: WithStatus> {
    /// The resource.
    pub(super) object: Arc<K>,
    /// The version to write over.
    pub(super) version: Option<String>,
    /// The status that it is to have.
    pub(super) after: K::Status,
    /// The attempt that found it out.
    pub(super) attempt: AttemptId,
}

impl<K: WithStatus> Default for PendingStatuses<K> {
    fn default() -> Self {
        Self { state: Mutex::new(State { entries: HashMap::new(), writing: 0 }), ended: Notify::new() }
    }
}

impl<K: WithStatus> PendingStatuses<K> {
    /// What the status of a resource says, or will say when everything is written.
    pub(super) fn current(&self, key: &Key, object: &K) -> K::Status {
        let state = self.state();
        let entry = state.entries.get(key).filter(|entry| entry.is_of(object));
        let pending = entry.and_then(|entry| Some(entry.pending.as_ref()?.status.clone()));
        pending.unwrap_or_else(|| {
            let written = entry.and_then(|entry| entry.unseen(object));
            written.map(|it| it.status.clone()).or_else(|| object.status().cloned()).unwrap_or_default()
        })
    }

    /// Puts down what a status is to say. Says whether a writer is to be called.
    pub(super) fn put(&self, key: &Key, object: &Arc<K>, mut pending: PendingStatus<K::Status>) -> bool {
        let mut state = self.state();
        let entry = state.entries.entry(key.clone()).or_insert_with(|| Entry::new(object));
        if !entry.is_of(object) {
            // Of a resource of the same name that is gone. Its writer, if there is one, finds this one's status.
            *entry = Entry { is_queued: entry.is_queued, ..Entry::new(object) };
        }
        entry.object = Arc::clone(object);
        if let Some(before) = entry.pending.take() {
            pending.events.splice(0..0, before.events);
        }
        entry.pending = Some(pending);
        !std::mem::replace(&mut entry.is_queued, true)
    }

    /// The write that a resource needs now, if it still needs one. Each write that begins [ends](Self::end).
    pub(super) fn begin(&self, key: &Key) -> Option<Job<K>> {
        let mut state = self.state();
        let entry = state.entries.get_mut(key)?;
        let Some(pending) = &entry.pending else {
            entry.is_queued = false;
            if entry.written.is_none() {
                state.entries.remove(key);
            }
            return None;
        };
        let (after, attempt) = (pending.status.clone(), pending.attempt);
        let object = Arc::clone(&entry.object);
        let version = entry.unseen(&object).map_or_else(|| object.resource_version(), |it| it.version.clone());
        entry.writing = Some(after.clone());
        state.writing += 1;
        Some(Job { object, version, after, attempt })
    }

    /// A write is over, and its events are told.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.writing = state.writing.saturating_sub(1);
        self.ended.notify_waiters();
    }

    /// A write was taken: over these versions, and this one came of it. Returns the events to be told, and whether the
    /// status moved on meanwhile.
    pub(super) fn written(
        &self,
        key: &Key,
        job: &Job<K>,
        over: Vec<Option<String>>,
        version: Option<String>,
    ) -> (Vec<EventDraft>, bool) {
        let mut state = self.state();
        let Some(entry) = state.entries.get_mut(key) else { return (Vec::new(), false) };
        if !entry.is_of(&job.object) {
            // Another resource has the name by now, and whoever wrote for the old one writes for it too.
            return (Vec::new(), true);
        }
        entry.ended(false);
        // The watch may have been faster than the answer.
        let is_shown = version.is_some() && entry.shown == version;
        // What the write before this one was newer than, the watch may still be about to show.
        let earlier = entry.written.take().into_iter().flat_map(|it| it.over);
        let over = over.into_iter().chain(earlier).collect();
        entry.written = (!is_shown).then(|| Written { over, version, status: job.after.clone() });
        let events = entry.pending.as_mut().map(|it| std::mem::take(&mut it.events)).unwrap_or_default();
        let is_due_again = entry.pending.as_ref().is_some_and(|it| it.status != job.after);
        if !is_due_again {
            entry.pending = None;
            entry.is_queued = false;
            if is_shown {
                state.entries.remove(key);
            }
        }
        (events, is_due_again)
    }

    /// A write failed, or was refused for good. Returns how often in a row.
    pub(super) fn failed(&self, key: &Key, is_refused: bool) -> u32 {
        let mut state = self.state();
        let Some(entry) = state.entries.get_mut(key) else { return 1 };
        let failures = entry.failures.saturating_add(1);
        entry.ended(is_refused);
        entry.failures = failures;
        failures
    }

    /// A write is pointless: the resource is gone, or somebody else spoke of a newer spec. Says whether there is something
    /// else to write by now, such as the status of another resource with the same name.
    pub(super) fn drop_pending(&self, key: &Key, job: &Job<K>) -> bool {
        let mut state = self.state();
        let Some(entry) = state.entries.get_mut(key) else { return false };
        let is_due_again = !entry.is_of(&job.object) || entry.pending.as_ref().is_some_and(|it| it.status != job.after);
        entry.ended(false);
        if !is_due_again {
            state.entries.remove(key);
        }
        is_due_again
    }

    /// The watch shows an object: what it is newer than need not be remembered.
    pub(super) fn seen(&self, key: &Key, object: &K, previous: Option<&K>) -> StatusOrigin {
        let mut state = self.state();
        let Some(entry) = state.entries.get_mut(key).filter(|entry| entry.is_of(object)) else {
            let before = previous.filter(|it| it.uid() == object.uid()).map(K::status);
            return origin(object, before.as_slice());
        };
        entry.shown = object.resource_version();
        if entry.unseen(object).is_some() {
            return StatusOrigin::Expected;
        }
        let mut expected: Vec<_> = match &entry.written {
            Some(written) => vec![Some(&written.status)],
            None => previous.map(K::status).into_iter().collect(),
        };
        if !expected.is_empty() {
            expected.extend(entry.writing.iter().chain(entry.pending.iter().map(|it| &it.status)).map(Some));
        }
        let origin = origin(object, &expected);
        entry.written = None;
        if entry.pending.is_none() && !entry.is_queued {
            state.entries.remove(key);
        }
        origin
    }

    /// Forgets a resource that is gone.
    pub(super) fn remove(&self, key: &Key) {
        let mut state = self.state();
        match state.entries.get_mut(key) {
            // Whoever writes finds that there is nothing left to write, unless another resource has the name by then.
            Some(entry) if entry.is_queued => (entry.pending, entry.written) = (None, None),
            _ => drop(state.entries.remove(key)),
        }
        self.ended.notify_waiters();
    }

    /// Waits until everything is written and told, but for what is refused.
    pub(super) async fn all_written(&self) {
        loop {
            let ended = self.ended.notified();
            if self.state().is_idle() {
                return;
            }
            ended.await;
        }
    }

    /// Waits until the status of one resource is written, or refused.
    pub(super) async fn settled(&self, key: &Key) {
        loop {
            let ended = self.ended.notified();
            if self.state().entries.get(key).is_none_or(|entry| entry.pending.is_none() || entry.is_refused) {
                return;
            }
            ended.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.state().entries.is_empty()
    }
}

impl<K: WithStatus> State<K> {
    fn is_idle(&self) -> bool {
        self.writing == 0 && self.entries.values().all(|entry| entry.pending.is_none() || entry.is_refused)
    }
}

impl<K: WithStatus> Entry<K> {
    fn new(object: &Arc<K>) -> Self {
        Self {
            object: Arc::clone(object),
            written: None,
            writing: None,
            pending: None,
            shown: None,
            is_queued: false,
            failures: 0,
            is_refused: false,
        }
    }

    fn is_of(&self, object: &K) -> bool {
        self.object.meta().uid == object.meta().uid
    }

    fn ended(&mut self, is_refused: bool) {
        (self.writing, self.failures, self.is_refused) = (None, 0, is_refused);
    }

    /// What was written last, if an object does not show it yet.
    fn unseen(&self, object: &K) -> Option<&Written<K::Status>> {
        self.written.as_ref().filter(|it| it.over.contains(&object.resource_version()))
    }
}

/// Whether a status is one of those that were to be expected. None are where nothing was known of it before.
fn origin<K: WithStatus>(object: &K, expected: &[Option<&K::Status>]) -> StatusOrigin {
    if expected.is_empty() || expected.contains(&object.status()) {
        StatusOrigin::Expected
    } else {
        StatusOrigin::Foreign
    }
}
