//! The start: what the first list of resources names waits until the list is complete, and large groups until the first
//! listing of their client, so that a thousand new resources cost ten calls and not a thousand.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use indexmap::IndexMap;
use tokio::sync::watch;

use crate::engine::{Key, Revision, Trigger, WorkQueue, lock};

/// How long the first check waits for the Secrets to be listed, so that it knows which of them changed since the last run.
const SECRETS_LISTED_WITHIN: Duration = Duration::from_secs(5);

/// The resources that wait for the first lists.
pub(super) struct Startup {
    queue: WorkQueue,
    waiting: Mutex<IndexMap<Key, Waiting>>,
    state: watch::Sender<State>,
}

/// A resource that an earlier run left with something to be done, or that is new.
pub(super) struct Waiting {
    /// Whose slots its reconcile takes.
    pub(super) lane: Arc<str>,
    /// What is asked for.
    pub(super) revision: Revision,
    /// Whether an earlier run reported on this spec: then nobody waits for it.
    pub(super) is_reported: bool,
}

/// Which first lists are complete.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    resources: bool,
    secrets: bool,
}

impl Startup {
    pub(super) fn new(queue: WorkQueue) -> Self {
        Self { queue, waiting: Mutex::default(), state: watch::Sender::default() }
    }

    /// The first list names a resource that has something left to be done.
    pub(super) fn put(&self, key: &Key, waiting: Waiting) {
        lock(&self.waiting).insert(key.clone(), waiting);
    }

    /// A resource is gone.
    pub(super) fn remove(&self, key: &Key) {
        lock(&self.waiting).shift_remove(key);
    }

    /// Whether a resource waits.
    pub(super) fn waits(&self, key: &Key) -> bool {
        lock(&self.waiting).contains_key(key)
    }

    /// How many wait.
    pub(super) fn all(&self) -> Vec<Key> {
        lock(&self.waiting).keys().cloned().collect()
    }

    /// Hands resources to the work queue.
    pub(super) fn release(&self, keys: &[Key]) {
        for key in keys {
            let Some(waiting) = lock(&self.waiting).shift_remove(key) else { continue };
            if waiting.is_reported {
                self.queue.adopt(key, &waiting.lane, waiting.revision);
                self.queue.trigger(key, Trigger::Resync);
            } else {
                self.queue.apply(key, &waiting.lane, waiting.revision);
            }
        }
    }

    /// The first list of the resources is complete.
    pub(super) fn set_resources_listed(&self) {
        self.state.send_modify(|state| state.resources = true);
    }

    /// The first list of the Secrets is complete, or there is none.
    pub(super) fn set_secrets_listed(&self) {
        self.state.send_modify(|state| state.secrets = true);
    }

    /// Whether the first list of the resources is complete.
    pub(super) fn is_listed(&self) -> bool {
        self.state.borrow().resources
    }

    /// Waits for the first list of the resources.
    pub(super) async fn listed(&self) {
        // The sender lives as long as this does.
        let _ = self.state.subscribe().wait_for(|state| state.resources).await;
    }

    /// Waits for the Secrets, but not for long.
    pub(super) async fn secrets_listed(&self) {
        let mut state = self.state.subscribe();
        let _ = tokio::time::timeout(SECRETS_LISTED_WITHIN, state.wait_for(|state| state.secrets)).await;
    }
}
