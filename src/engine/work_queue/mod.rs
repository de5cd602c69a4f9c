//! The work queue: which key is due, why, in what order, and when again.
//!
//! It stands in front of kube-runtime's `Controller`, which stays the executor and schedules nothing itself: its reconciler
//! always returns `Action::await_change()`. Watches and the resync trigger; the stream hands out; the reconciler begins,
//! asks whether its attempt is current, and finishes.
//!
//! ```text
//! apply, trigger ──► due ──stream, begin──► in flight ──finish──► idle (Done, Stalled)
//!                     ▲                                  └──────► waiting (Retry, RetryAfter, Blocked)
//!                     └─── its time, release, an interactive trigger ─────────┘
//! ```
//!
//! Nothing here survives a restart, and nothing needs to. The order is the same each time for the same calls and seed.

mod backoff;
mod entry;
mod fair_queue;
mod lane;
mod revision;
mod state;
mod waits;

use std::hash::RandomState;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::Stream;
use kube::ResourceExt;
use tokio::sync::Notify;
use tokio::time::Instant;

use self::state::{State, Step};
use super::key::Key;

pub use self::backoff::{MAX_BACKOFF, backoff};
pub use self::revision::Revision;

/// How urgent an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Nobody waits for it.
    Background,
    /// A user waits for it: it overtakes all that is background.
    Interactive,
}

/// Why a key is due. The later one is the stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// The resync found something to be done.
    Resync,
    /// Something that the object depends on changed: a Secret that it names, who owns what it names.
    DependencyChanged,
    /// The object itself changed.
    Changed,
}

impl Trigger {
    /// The priority of an attempt that it causes.
    pub fn priority(self) -> Priority {
        match self {
            Self::Resync => Priority::Background,
            Self::DependencyChanged | Self::Changed => Priority::Interactive,
        }
    }
}

/// What an attempt leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing is left to be done: the key rests until something triggers it.
    Done,
    /// Something is left, but only a change can mend it: the key rests until something triggers it.
    Stalled,
    /// Another attempt after a backoff.
    Retry,
    /// Another attempt after this long, which is no failure of this key.
    RetryAfter(Duration),
    /// Another attempt when [`WorkQueue::release`] names the group.
    Blocked {
        /// What the key waits for, with others.
        group: Arc<str>,
        /// After how long it goes on by itself, and up to a second later.
        at_latest: Duration,
    },
}

/// How many attempts are in flight at the same time in each lane.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// All of them.
    pub slots: usize,
    /// Of these, the attempts in background. Fewer than `slots`, so that an interactive attempt always finds a slot that no
    /// background work holds.
    pub background_slots: usize,
}

/// One run over one object, in flight until [`WorkQueue::finish`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an attempt that is not finished keeps its slot"]
pub struct Attempt {
    /// The object.
    pub key: Key,
    /// Tells the attempts of this process apart.
    pub id: u64,
    /// What was asked for when it began.
    pub revision: Revision,
    /// How urgent it is.
    pub priority: Priority,
    /// Its strongest trigger; none where it only repeats one that did not reach its end.
    pub trigger: Option<Trigger>,
    /// How many attempts failed in a row before it.
    pub failures_before: u32,
}

/// What is due, why, in what order, and when again. A clone is the same queue.
#[derive(Clone, Debug)]
pub struct WorkQueue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
    hash_key: RandomState,
}

impl WorkQueue {
    /// An empty queue; the seed makes its waits repeatable.
    pub fn new(settings: Settings, seed: Option<u64>) -> Self {
        let state = Mutex::new(State::new(settings, seed));
        Self(Arc::new(Shared { state, changed: Notify::new(), hash_key: RandomState::new() }))
    }

    /// The keys, each when it may run at once; never more of a lane than its slots. It ends with [`WorkQueue::stop`].
    ///
    /// Whoever reads it hands each key to an attempt. There is one reader.
    pub fn stream(&self) -> impl Stream<Item = Key> + Send + use<> {
        futures::stream::unfold(self.clone(), |queue| async move {
            let key = queue.next().await?;
            Some((key, queue))
        })
    }

    /// What an object asks for: its generation, and the values of the annotations that request something. A value of more
    /// than 128 characters counts as absent.
    pub fn revision(&self, object: &impl ResourceExt, requests: &[&str]) -> Revision {
        Revision::of(object, requests, &self.0.hash_key)
    }

    /// The watch shows an object: it is queued as changed if its revision is news. The lane is what its slots are counted
    /// by: the account, so that one that is throttled starves no other.
    pub fn apply(&self, key: &Key, lane: &Arc<str>, revision: Revision) {
        self.update(|state| state.apply(key, lane, revision));
    }

    /// The watch shows an object that an earlier run left converged: it is known, not queued. An object that is known
    /// already is applied instead.
    pub fn adopt(&self, key: &Key, lane: &Arc<str>, revision: Revision) {
        self.update(|state| state.adopt(key, lane, revision));
    }

    /// Makes a key due. A key that is not known is ignored: nothing stays behind for objects that are gone.
    ///
    /// An interactive trigger moves up what waits in background and ends its wait; a resync leaves a wait as it is. A key
    /// in flight is due again when its attempt ends.
    pub fn trigger(&self, key: &Key, trigger: Trigger) {
        self.update(|state| state.trigger(key, trigger));
    }

    /// Makes those keys of a lane due, each at its own priority, whose last attempt did not end [`Next::Done`]: what failed
    /// them may be mended.
    pub fn trigger_unfinished(&self, lane: &str) {
        self.update(|state| state.trigger_unfinished(lane));
    }

    /// Lets those go on that are [`Next::Blocked`] on the group, interactive ones first.
    pub fn release(&self, group: &str) {
        self.update(|state| state.release(group));
    }

    /// Forgets an object that is gone. Its attempt in flight keeps its slot until it ends.
    pub fn remove(&self, key: &Key) {
        self.update(|state| state.remove(key));
    }

    /// Forgets all objects.
    pub fn clear(&self) {
        self.update(State::clear);
    }

    /// Begins an attempt of a key that the stream handed out; none where the object is gone or nothing is due.
    ///
    /// The caller reads the object after this, not before: only then is it at least as new as the attempt.
    pub fn begin(&self, key: &Key) -> Option<Attempt> {
        self.update(|state| state.begin(key))
    }

    /// Whether an attempt is still about what is asked for: not when its object has another revision or is gone, or an
    /// interactive trigger came since it began.
    pub fn is_current(&self, attempt: &Attempt) -> bool {
        self.update_silently(|state| state.is_current(attempt))
    }

    /// Ends an attempt and frees its slot.
    pub fn finish(&self, attempt: &Attempt, next: Next) {
        self.update(|state| state.finish(attempt, next));
    }

    /// Whether the resync may look at a key: it is known, not due, not in flight, and has no time of its own.
    pub fn is_idle(&self, key: &Key) -> bool {
        self.update_silently(|state| state.is_idle(key))
    }

    /// Whether the last attempt ended [`Next::Done`], here or in the run that the key was adopted from.
    pub fn is_converged(&self, key: &Key) -> bool {
        self.update_silently(|state| state.is_converged(key))
    }

    /// The resync found out, without an attempt, whether something is left to be done.
    pub fn set_converged(&self, key: &Key, is_converged: bool) {
        self.update_silently(|state| state.set_converged(key, is_converged));
    }

    /// Hands out nothing until [`WorkQueue::resume`]: while objects are listed, the executor does not find them yet.
    pub fn pause(&self) {
        self.update(|state| state.is_paused = true);
    }

    /// Hands out again.
    pub fn resume(&self) {
        self.update(|state| state.is_paused = false);
    }

    /// Hands out nothing more, and begins nothing more.
    pub fn stop(&self) {
        self.update(|state| state.is_stopped = true);
    }

    /// The next key that may run. Nothing is lost when it is dropped.
    async fn next(&self) -> Option<Key> {
        loop {
            let step = self.update_silently(|state| state.next_step(Instant::now()));
            match step {
                Step::HandOut(key) => return Some(key),
                Step::End => return None,
                Step::WaitUntil(None) => self.0.changed.notified().await,
                Step::WaitUntil(Some(until)) => tokio::select! {
                    biased;
                    () = self.0.changed.notified() => {}
                    () = tokio::time::sleep_until(until) => {}
                },
            }
        }
    }

    fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = self.update_silently(change);
        self.0.changed.notify_one();
        result
    }

    /// Changes nothing that the stream waits for.
    fn update_silently<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
