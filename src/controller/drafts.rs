//! The statuses that are still to be written: what a resource's status should say, from the pass that found it out until
//! the watch shows it. `publish` writes them.
//!
//! A pass does not wait for its status: what it came to is set down here, over what was set down before, so that a resource
//! costs one write however many passes there were meanwhile, and nothing of theirs is lost. Nothing is kept here of a
//! resource whose status is written and seen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use kube::ResourceExt;
use tokio::sync::Notify;

use super::key::Key;
use super::{PassId, events, lock};
use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus as Status};

/// The drafts of all resources.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    entries: Mutex<HashMap<Key, Entry>>,
    written: Notify,
}

#[derive(Debug)]
struct Entry {
    /// The object as the pass had it that set the status down last.
    object: Arc<ConfidenceClientCredential>,
    /// What was last written, as long as the watch may not show it yet.
    written: Option<Written>,
    /// What is to be written.
    wanted: Option<Wanted>,
    /// The version that the watch showed last, as far as it was heard of here.
    shown: Option<String>,
    /// Whether somebody writes, or is about to.
    in_hand: bool,
    failures: u32,
}

/// What a pass found out.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) status: Status,
    /// To be told once the status is written.
    pub(super) events: Vec<events::Draft>,
    /// The pass, for the log.
    pub(super) pass: PassId,
}

#[derive(Debug)]
struct Written {
    /// The versions of the object that are older.
    over: Vec<Option<String>>,
    /// The version that came of it.
    version: Option<String>,
    status: Status,
}

/// One write.
#[derive(Debug)]
pub(super) struct Job {
    /// The resource.
    pub(super) object: Arc<ConfidenceClientCredential>,
    /// The version to write over.
    pub(super) version: Option<String>,
    /// The status that this version has.
    pub(super) before: Status,
    /// The status that it is to have.
    pub(super) after: Status,
    /// The pass that found it out.
    pub(super) pass: PassId,
}

/// What remains to be done after a write.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rest {
    /// To be told.
    pub(super) events: Vec<events::Draft>,
    /// The status moved on meanwhile: to be written again.
    pub(super) again: bool,
}

impl Drafts {
    /// What the status of a resource says, or will say when everything is written.
    pub(super) fn current(&self, key: &Key, object: &ConfidenceClientCredential) -> Status {
        let entries = lock(&self.entries);
        let entry = entries.get(key).filter(|it| it.object.metadata.uid == object.metadata.uid);
        let wanted = entry.and_then(|it| Some(it.wanted.as_ref()?.status.clone()));
        wanted.unwrap_or_else(|| written(entry, object).0)
    }

    /// Sets down what a status is to say. Tells whether a writer is to be called.
    pub(super) fn put(&self, key: &Key, object: &Arc<ConfidenceClientCredential>, mut wanted: Wanted) -> bool {
        let mut entries = lock(&self.entries);
        let entry = entries.entry(key.clone()).or_insert_with(|| Entry::new(object));
        if entry.object.metadata.uid != object.metadata.uid {
            // Of a resource of the same name that is gone. Its writer, if there is one, finds this one's draft.
            *entry = Entry { in_hand: entry.in_hand, ..Entry::new(object) };
        }
        entry.object = Arc::clone(object);
        if let Some(before) = entry.wanted.take() {
            wanted.events.splice(0..0, before.events);
        }
        entry.wanted = Some(wanted);
        !std::mem::replace(&mut entry.in_hand, true)
    }

    /// The write that a resource needs now, if it still needs one.
    pub(super) fn job(&self, key: &Key) -> Option<Job> {
        let mut entries = lock(&self.entries);
        let entry = entries.get_mut(key)?;
        let Some(wanted) = &entry.wanted else {
            entry.in_hand = false;
            if entry.written.is_none() {
                entries.remove(key);
            }
            return None;
        };
        let (before, version) = written(Some(entry), &entry.object);
        Some(Job {
            object: Arc::clone(&entry.object),
            version,
            before,
            after: wanted.status.clone(),
            pass: wanted.pass,
        })
    }

    /// A write was taken: over these versions, and this one came of it.
    pub(super) fn written(&self, key: &Key, job: &Job, over: Vec<Option<String>>, version: Option<String>) -> Rest {
        let mut entries = lock(&self.entries);
        self.written.notify_one();
        let Some(entry) = entries.get_mut(key) else { return Rest { events: Vec::new(), again: false } };
        if entry.object.metadata.uid != job.object.metadata.uid {
            // Another resource has the name by now, and whoever wrote for the old one writes for it too.
            return Rest { events: Vec::new(), again: true };
        }
        entry.failures = 0;
        // The watch may have been faster than the answer.
        let is_shown = version.is_some() && entry.shown == version;
        // What the write before this one was newer than, the watch may still be about to show.
        let earlier = entry.written.take().into_iter().flat_map(|it| it.over);
        let over = over.into_iter().chain(earlier).collect();
        entry.written = (!is_shown).then(|| Written { over, version, status: job.after.clone() });
        let events = entry.wanted.as_mut().map(|it| std::mem::take(&mut it.events)).unwrap_or_default();
        let again = entry.wanted.as_ref().is_some_and(|it| it.status != job.after);
        if !again {
            entry.wanted = None;
            entry.in_hand = false;
            if is_shown {
                entries.remove(key);
            }
        }
        Rest { events, again }
    }

    /// A write failed: counts it, so that the next try comes later.
    pub(super) fn failed(&self, key: &Key) -> u32 {
        lock(&self.entries).get_mut(key).map_or(1, |entry| {
            entry.failures = entry.failures.saturating_add(1);
            entry.failures
        })
    }

    /// A write is pointless: the resource is gone, or somebody else spoke of a newer one. Tells whether there is something
    /// else to write by now, such as the status of another resource with the same name.
    pub(super) fn drop_wanted(&self, key: &Key, job: &Job) -> bool {
        let mut entries = lock(&self.entries);
        self.written.notify_one();
        let Some(entry) = entries.get(key) else { return false };
        let is_same = entry.object.metadata.uid == job.object.metadata.uid;
        let again = !is_same || entry.wanted.as_ref().is_some_and(|it| it.status != job.after);
        if !again {
            entries.remove(key);
        }
        again
    }

    /// The watch shows an object: what it is newer than need not be remembered.
    pub(super) fn seen(&self, key: &Key, object: &ConfidenceClientCredential) {
        let mut entries = lock(&self.entries);
        let Some(entry) = entries.get_mut(key) else { return };
        entry.shown = object.resource_version();
        if entry.written.as_ref().is_some_and(|it| !it.over.contains(&object.resource_version())) {
            entry.written = None;
        }
        if entry.written.is_none() && entry.wanted.is_none() && !entry.in_hand {
            entries.remove(key);
        }
    }

    /// Forgets a resource that is gone.
    pub(super) fn forget(&self, key: &Key) {
        let mut entries = lock(&self.entries);
        match entries.get_mut(key) {
            // Whoever writes finds that there is nothing left to write, unless another resource has the name by then.
            Some(entry) if entry.in_hand => (entry.wanted, entry.written) = (None, None),
            _ => drop(entries.remove(key)),
        }
        self.written.notify_one();
    }

    /// Waits until everything is written.
    pub(super) async fn all_written(&self) {
        while lock(&self.entries).values().any(|entry| entry.wanted.is_some()) {
            self.written.notified().await;
        }
    }
}

impl Entry {
    fn new(object: &Arc<ConfidenceClientCredential>) -> Self {
        Self { object: Arc::clone(object), written: None, wanted: None, shown: None, in_hand: false, failures: 0 }
    }
}

/// The status that the API server holds and its version: what was last written, if an object does not show it yet.
fn written(entry: Option<&Entry>, object: &ConfidenceClientCredential) -> (Status, Option<String>) {
    let version = object.resource_version();
    match entry.and_then(|it| it.written.as_ref()).filter(|it| it.over.contains(&version)) {
        Some(written) => (written.status.clone(), written.version.clone()),
        None => (object.status.clone().unwrap_or_default(), version),
    }
}

#[cfg(test)]
mod tests;
