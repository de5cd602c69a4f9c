//! The invariants: what must hold at each call and at each write, whatever else happens.

mod budget;
mod heard;
mod hidden;
mod secrets;
mod sights;
mod statuses;
mod turns;
mod updates;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use confidence_operator::credential::ObserveMode;
use tokio::time::Instant;

use self::budget::Sent;
use self::hidden::Hidden;
use self::secrets::WrittenSecret;
use self::sights::Sights;
use self::turns::Turns;
use self::updates::Whose;
use crate::api::ApiServer;
use crate::history::History;
use crate::lifecycle;

pub use self::heard::{End, Heard, TOKEN};
pub use self::sights::Sight;
pub use self::turns::Pace;
pub use self::updates::{Known, Update, labels};
use crate::record::Record;

/// The budget that the replicas are given, in requests a second.
pub const RATE: u32 = 10;

/// A process of a replica: each restart is another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    pub replica: usize,
    pub number: usize,
}

impl Process {
    /// Its name in the lease and in events.
    pub fn instance(&self) -> String {
        format!("replica-{}-{}", self.replica, self.number)
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.replica, self.number)
    }
}

/// Watches over everything. Cheap to clone.
#[derive(Clone)]
pub struct Judge {
    pub record: Record,
    api: ApiServer,
    elected: bool,
    observe: ObserveMode,
    /// Of created credentials, which other rules judge.
    pub lifecycle: Option<lifecycle::History>,
    seen: Arc<Mutex<Seen>>,
}

/// What came of asking for a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Version(String),
    /// There is no such Secret.
    Nothing,
    /// There was no good answer, or nobody waited for one.
    NoAnswer,
}

#[derive(Default)]
struct Seen {
    history: History,
    sights: BTreeMap<(Process, String), Sights>,
    refused: BTreeMap<(Process, String), (Vec<String>, Instant)>,
    /// The secrets that a process wrote to a credential, and for whom it last updated each, where that can be told.
    written_secrets: BTreeMap<(Process, String), WrittenSecret>,
    written_for: BTreeMap<(Process, String), Option<Whose>>,
    /// The version of each Secret that a process read last.
    read_secrets: BTreeMap<Process, BTreeMap<String, String>>,
    sent: BTreeMap<Process, Sent>,
    turns: BTreeMap<Process, Turns>,
    closed_until: BTreeMap<Process, Instant>,
    heard: BTreeMap<Process, Heard>,
    asked_secrets: BTreeMap<(Process, String), Vec<(Instant, Found)>>,
    /// When a process last wrote the status of a resource.
    told: BTreeMap<(Process, String), Instant>,
    secrets: Hidden,
    updates: usize,
    /// Updates that were looks.
    looks: usize,
    calls: usize,
    statuses_by_name: BTreeMap<String, usize>,
    statuses: usize,
}

impl Judge {
    pub fn new(record: Record, api: ApiServer, elected: bool, observe: ObserveMode) -> Self {
        Self { record, api, elected, observe, lifecycle: None, seen: Arc::default() }
    }

    /// Leaves to the rules of created credentials what is written, and takes down for them what happens.
    pub fn with_lifecycle(mut self, history: &lifecycle::History) -> Self {
        self.lifecycle = Some(history.clone());
        self
    }

    /// A write to a created credential arrives at Confidence.
    pub fn creates_or_deletes(&self, process: &Process, line: &str) {
        self.holds_lease(process, self.api.holder().as_deref(), line);
    }

    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap())
    }

    /// What was wanted so far, to be added to.
    pub fn history<T>(&self, look: impl FnOnce(&mut History) -> T) -> T {
        self.with(|seen| look(&mut seen.history))
    }

    /// How many updates of credentials and how many writes of statuses there were.
    pub fn writes(&self) -> (usize, usize) {
        self.with(|seen| (seen.updates, seen.statuses))
    }

    /// How many requests have left.
    pub fn calls(&self) -> usize {
        self.with(|seen| seen.calls)
    }

    /// How many writes of its status each resource has had.
    pub fn statuses_by_name(&self) -> BTreeMap<String, usize> {
        self.with(|seen| seen.statuses_by_name.clone())
    }

    /// How many updates there were that were only looks.
    pub fn looks(&self) -> usize {
        self.with(|seen| seen.looks)
    }

    /// Whether all replicas are to look through updates.
    pub fn looks_by_update(&self) -> bool {
        self.observe == ObserveMode::Update
    }

    /// Whether a process may look through an update: it is to, or it was told that it may not read.
    pub fn may_look_by_update(&self, process: &Process) -> bool {
        let is_refused = || self.with(|seen| seen.heard.get(process).is_some_and(Heard::reading_was_refused));
        self.looks_by_update() || (self.observe == ObserveMode::Auto && is_refused())
    }

    /// Somebody else writes the secret of a credential.
    pub fn is_foreign_secret(&self, id: &str) {
        self.with(|seen| seen.secrets.is_foreign(id));
    }

    /// Whether nobody can know of the secret that somebody else wrote to a credential.
    pub fn hides_secret(&self, id: &str, time_counts: bool) -> bool {
        self.with(|seen| seen.secrets.hides(id, time_counts))
    }

    /// A request leaves: within the budget, and not while the account is to wait. Tells since when it may have been decided on.
    pub fn leaves(&self, process: &Process, is_token: bool) -> Instant {
        let now = Instant::now();
        self.with(|seen| {
            seen.calls += 1;
            if let Some(broken) = seen.sent.entry(process.clone()).or_default().leaves(RATE, now) {
                self.record.wrong(format_args!("{process}: {broken}"));
            }
            if seen.closed_until.get(process).is_some_and(|until| now < *until) {
                self.record.wrong(format_args!("{process}: a call while the server asked to wait"));
            }
            seen.turns.entry(process.clone()).or_default().leaves(is_token, now)
        })
    }

    /// How the turns of a process come is another matter now.
    pub fn turns(&self, process: &Process, change: impl FnOnce(&mut Turns)) {
        self.with(|seen| change(seen.turns.entry(process.clone()).or_default()));
    }

    /// An update of these fields was refused in a way that has it made again at once, or was not; decided on then.
    pub fn may_repeat(&self, process: &Process, id: &str, refused: Option<(Vec<String>, Instant)>) {
        let key = (process.clone(), id.to_owned());
        self.with(|seen| match refused {
            Some(refused) => drop(seen.refused.insert(key, refused)),
            None => drop(seen.refused.remove(&key)),
        });
    }

    /// When an update was decided on of which this may be the repetition.
    pub fn repeats(&self, process: &Process, id: &str, mask: &[String]) -> Option<Instant> {
        let refused = self.with(|seen| seen.refused.get(&(process.clone(), id.to_owned())).cloned());
        refused.filter(|(fields, _)| fields == mask).map(|(_, decided)| decided)
    }

    /// A call about something has ended.
    pub fn hears(&self, process: &Process, id: &str, end: End) {
        self.with(|seen| seen.heard.entry(process.clone()).or_default().add(id, end));
    }

    /// A process has asked for a Secret.
    pub fn asks_for_secret(&self, process: &Process, name: &str, found: Found) {
        self.with(|seen| {
            if let Found::Version(version) = &found {
                seen.read_secrets.entry(process.clone()).or_default().insert(name.to_owned(), version.clone());
            }
            let asked = seen.asked_secrets.entry((process.clone(), name.to_owned())).or_default();
            asked.push((Instant::now(), found));
        });
    }

    /// An answer has arrived that asks the account to wait.
    pub fn told_to_wait(&self, process: &Process, wait: Duration) {
        self.with(|seen| seen.closed_until.insert(process.clone(), Instant::now() + wait));
    }

    /// An answer has arrived that shows a credential as it was.
    pub fn sees(&self, process: &Process, id: &str, sight: Sight) {
        self.with(|seen| seen.sights.entry((process.clone(), id.to_owned())).or_default().add(sight));
    }

    /// What an update did that left at that time is not known: what was seen before says nothing any more.
    pub fn loses(&self, process: &Process, id: &str, at: Instant) {
        self.with(|seen| seen.sights.entry((process.clone(), id.to_owned())).or_default().lose(at));
    }

    /// Nobody writes who does not hold the lease.
    fn holds_lease(&self, process: &Process, holder: Option<&str>, what: &str) {
        let ours = format!("{}_", process.instance());
        if self.elected && !holder.is_some_and(|it| it.starts_with(&ours)) {
            self.record.wrong(format_args!("{process}: {what} while {holder:?} holds the lease"));
        }
    }
}
