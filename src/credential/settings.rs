//! What the flags say of how credentials are kept.

use std::time::Duration;

use super::observe::ObserveMode;

/// How the controller works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often a resource is checked for drift that does not say.
    pub interval: Duration,
    /// The shortest interval that a resource may ask for.
    pub min_interval: Duration,
    /// The id of this installation; none: the uid of the namespace `kube-system`.
    pub instance_id: Option<String>,
    /// How credentials are observed.
    pub observe: ObserveMode,
    /// By how much `lastSeenTime` must move to be worth a status write of its own.
    pub last_seen_resolution: Duration,
    /// The namespaces to watch; all where there are none.
    pub namespaces: Vec<String>,
    /// Whether Secrets may be listed and watched; else their versions are asked for at the interval.
    pub watch_secrets: bool,
    /// Makes jitter repeatable, in tests.
    pub seed: Option<u64>,
}
