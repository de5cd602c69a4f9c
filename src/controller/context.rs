//! What every pass needs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use kube::Client;
use kube::runtime::reflector::Store;
use tokio::sync::watch;
use tokio::time::Instant;

use super::drafts::{Drafts, Wanted};
use super::events::Events;
use super::index::Index;
use super::key::Key;
use super::lock;
use super::looks::Looks;
use super::memory::{Memory, Wake};
use super::observe::{ObserveMode, Reading};
use super::outcome::{Help, Problem};
use super::schedule::account_wait;
use crate::api::ConfidenceClientCredential;
use crate::api::conditions::Reason;
use crate::confidence::{AccountState, Confidence, WriteGuard};
use crate::engine::health::Progress;
use crate::metrics::ControllerMetrics;

/// A wait that the server asks for is told in the statuses if it is this long; else it is over before anybody reads of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the controller is to work.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often to look for drift where a resource does not say.
    pub interval: Duration,
    /// The way of looking.
    pub observe: ObserveMode,
    /// By how much `lastSeenTime` must move to be worth a status write of its own.
    pub last_seen_resolution: Duration,
    /// The namespaces to watch; all where there are none.
    pub namespaces: Vec<String>,
    /// Whether Secrets may be listed and watched; else each is read when its resource is looked at.
    pub watch_secrets: bool,
    /// Who writes, in events: the name of the pod or the host.
    pub instance: String,
    /// The namespace and the name of the pod, if there is one: what concerns the whole account is told about it.
    pub pod: Option<(String, String)>,
    /// Makes jitter repeatable, in tests.
    pub seed: Option<u64>,
}

/// What every pass needs.
pub struct Context {
    pub(super) client: Client,
    pub(super) confidence: Confidence,
    pub(super) settings: Settings,
    pub(super) guard: Arc<dyn WriteGuard>,
    pub(super) metrics: ControllerMetrics,
    pub(super) progress: Progress,
    pub(super) index: Index,
    pub(super) memory: Memory,
    pub(super) drafts: Drafts,
    pub(super) looks: Looks,
    pub(super) reading: Reading,
    pub(super) events: Events,
    queue: UnboundedSender<Key>,
    writer: UnboundedSender<Key>,
    ends: Mutex<Option<Ends>>,
    shown: watch::Sender<Shown>,
    objects: OnceLock<Store<ConfidenceClientCredential>>,
    held_since: Mutex<Option<Instant>>,
    stopping: AtomicBool,
}

/// What the watches have to have shown before the rounds can begin.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown {
    pub(super) resources: bool,
    pub(super) secrets: bool,
}

/// The other ends of the ways from pass to pass: taken by the one run that there is.
pub(super) struct Ends {
    /// Those that are to be passed over.
    pub(super) queue: UnboundedReceiver<Key>,
    /// Those of which a status is to be written.
    pub(super) writer: UnboundedReceiver<Key>,
}

impl Context {
    /// A context for one run of the controller.
    pub fn new(
        client: Client,
        confidence: Confidence,
        guard: Arc<dyn WriteGuard>,
        metrics: ControllerMetrics,
        progress: Progress,
        settings: Settings,
    ) -> Self {
        let (queue, queued) = mpsc::unbounded();
        let (writer, to_write) = mpsc::unbounded();
        Self {
            events: Events::new(client.clone(), settings.instance.clone(), metrics.clone()),
            memory: Memory::new(settings.seed),
            index: Index::new(settings.interval),
            drafts: Drafts::default(),
            looks: Looks::default(),
            queue,
            writer,
            ends: Mutex::new(Some(Ends { queue: queued, writer: to_write })),
            reading: Reading::default(),
            shown: watch::Sender::default(),
            objects: OnceLock::new(),
            held_since: Mutex::default(),
            stopping: AtomicBool::new(false),
            client,
            confidence,
            settings,
            guard,
            metrics,
            progress,
        }
    }

    /// Whether the program is about to end: no new work then.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether reading the list of a client may be tried.
    pub(super) fn may_list(&self) -> bool {
        self.settings.observe != ObserveMode::Update
            && !(self.settings.observe == ObserveMode::Auto && self.reading.is_refused())
    }

    /// The resources as the watch shows them; none before the run has begun.
    pub(super) fn object(&self, key: &Key) -> Option<Arc<ConfidenceClientCredential>> {
        self.objects.get()?.get(&key.object_ref())
    }

    /// A resource as the watch shows it by now: its status may have been written since a pass over it began.
    pub(super) fn newest(
        &self,
        key: &Key,
        object: &Arc<ConfidenceClientCredential>,
    ) -> Arc<ConfidenceClientCredential> {
        let shown = self.object(key).filter(|shown| shown.metadata.uid == object.metadata.uid);
        shown.unwrap_or_else(|| Arc::clone(object))
    }

    pub(super) fn set_objects(&self, objects: Store<ConfidenceClientCredential>) {
        // There is one run.
        let _ = self.objects.set(objects);
    }

    /// The watches' first lists are complete, or one of them is.
    pub(super) fn show(&self, change: impl FnOnce(&mut Shown)) {
        self.shown.send_modify(change);
    }

    /// Whether the first list of the resources is complete.
    pub(super) fn is_listed(&self) -> bool {
        self.shown.borrow().resources
    }

    /// Waits for the watches' first lists.
    pub(super) async fn shown(&self, enough: impl FnMut(&Shown) -> bool) {
        // The sender lives as long as this does.
        let _ = self.shown.subscribe().wait_for(enough).await;
    }

    /// The ends of the ways, once.
    pub(super) fn take_ends(&self) -> Option<Ends> {
        lock(&self.ends).take()
    }

    /// Puts a resource in the queue, unless a pass over it is in hand: its end asks who was woken meanwhile. Whether it is its
    /// turn, the memory knows.
    pub(super) fn enqueue(&self, key: Key) {
        if !self.memory.is_in_hand(&key) {
            // Nobody listens any more only when the program ends.
            let _ = self.queue.unbounded_send(key);
        }
    }

    /// Whether a resource is another one by now than the one that a pass was last about.
    pub(super) fn has_news(&self, key: &Key) -> bool {
        self.object(key).is_some_and(|object| self.memory.is_news(key, &object))
    }

    /// Whether the pass in hand over a resource is still about what is wanted of it. It is not when the resource has another
    /// spec by now, or is gone: then another pass is to come, or none.
    pub(super) fn is_current(&self, key: &Key) -> bool {
        let is_same = |object: Arc<ConfidenceClientCredential>| {
            object.metadata.deletion_timestamp.is_none() && !self.memory.is_news(key, &object)
        };
        self.object(key).is_some_and(is_same)
    }

    /// Puts resources in the queue that something new concerns.
    pub(super) fn wake_all(&self, keys: Vec<Key>) {
        for key in keys {
            self.memory.wake(&key, Wake::Asked);
            self.enqueue(key);
        }
    }

    /// Whether a watch tells of Secrets that change. It does not where listing them is not allowed.
    pub(super) fn watches_secrets(&self) -> bool {
        self.settings.watch_secrets && self.shown.borrow().secrets
    }

    /// Sets a status down to be written, with the events to be told then.
    pub(super) fn write_status(&self, key: &Key, object: &Arc<ConfidenceClientCredential>, wanted: Wanted) {
        if self.drafts.put(key, object, wanted) {
            let _ = self.writer.unbounded_send(key.clone());
        }
    }

    /// How often a resource is looked at.
    pub(super) fn interval(&self, object: &ConfidenceClientCredential) -> Duration {
        object.spec.own_interval().and_then(Result::ok).unwrap_or(self.settings.interval)
    }

    /// Whether trouble may well be over before anybody has read of it: Confidence asks the account to wait a moment, or the
    /// API server did not give a Secret for once.
    pub(super) fn is_too_soon_to_tell(&self, key: &Key, problem: &Problem) -> bool {
        match (problem.help, problem.reason) {
            (Help::Account, Reason::RateLimited) => self.held_for() < PATIENCE,
            (Help::Time, Reason::SecretUnreadable) => self.memory.failures(key) == 0,
            _ => false,
        }
    }

    /// For how long the account is held back: since it began, until the end of the window.
    fn held_for(&self) -> Duration {
        let since = lock(&self.held_since).unwrap_or_else(Instant::now);
        match *self.confidence.account().borrow() {
            AccountState::Blocked { until, .. } => until.saturating_duration_since(since),
            AccountState::Available => Duration::ZERO,
        }
    }

    /// Takes note of when the account was first held back, and that it no longer is.
    pub(super) fn note_account(&self, state: AccountState) {
        let mut since = lock(&self.held_since);
        *since = match state {
            AccountState::Available => None,
            AccountState::Blocked { .. } => since.or_else(|| Some(Instant::now())),
        };
    }

    /// How long to wait for the account's gate, if it does not open before.
    pub(super) fn account_wait(&self) -> Duration {
        account_wait(*self.confidence.account().borrow(), Instant::now())
    }
}
