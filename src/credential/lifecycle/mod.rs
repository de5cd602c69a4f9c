//! Create mode: carries out what [`next_step`] decides, one step after the other, until there is nothing to be done now.
//!
//! ```text
//! gather facts ─► next_step ─► carry out ─┐
//!      ▲                                  │
//!      └── what came of it ───────────────┘   … until Rest, Wait, Stall, Suspended or Report
//! ```
//!
//! Nothing is decided here. Whatever a step needs is in the facts, and whatever it changes is in the next ones; a crash between
//! two steps leaves facts that lead on.

mod memory;
mod published_secret;
mod records;
mod report;
mod run;
mod steps;
mod writes;

use std::sync::Arc;

use kube::Client;

use super::Statuses;
use super::listing::Listings;
use super::observations::ObservationCache;
use crate::engine::{EventRecorder, SecretVersions};

pub(super) use self::memory::Memories;
pub(super) use self::report::Life;

/// What the lifecycle of created credentials uses.
pub(super) struct Lifecycle {
    pub(super) client: Client,
    /// Tells the credentials of this installation from those of another; none where it could not be read.
    pub(super) instance: Option<Arc<str>>,
    pub(super) statuses: Statuses,
    pub(super) cache: Arc<ObservationCache>,
    pub(super) versions: Arc<SecretVersions>,
    pub(super) listings: Arc<Listings>,
    pub(super) memories: Memories,
    pub(super) events: EventRecorder,
}
