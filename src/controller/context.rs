//! What every pass needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kube::Client;
use tokio::time::Instant;

use super::events::Events;
use super::index::Index;
use super::memory::Memory;
use super::observe::{ObserveMode, Reading};
use crate::confidence::{AccountState, Confidence, WriteGuard};
use crate::health::Progress;
use crate::metrics::ControllerMetrics;

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
    pub(super) reading: Reading,
    pub(super) events: Events,
    stopping: AtomicBool,
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
        Self {
            events: Events::new(client.clone(), settings.instance.clone()),
            memory: Memory::new(settings.seed),
            index: Index::default(),
            reading: Reading::default(),
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

    /// How long the account's gate stays closed, as far as it is known.
    pub(super) fn account_wait(&self) -> Duration {
        match *self.confidence.account().borrow() {
            AccountState::Held { until, .. } => until.saturating_duration_since(Instant::now()),
            AccountState::Open => Duration::ZERO,
        }
        .max(Duration::from_secs(1))
    }
}
