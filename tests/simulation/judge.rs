//! The invariants: what must hold at each call and at each write, whatever else happens.

mod budget;
mod sights;
mod turns;
mod updates;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use confidence_operator::api::ConfidenceClientCredential;
use confidence_simulator::Credential;
use tokio::time::Instant;

use self::budget::Sent;
use self::sights::Sights;
use self::turns::Turns;
use crate::api::{ApiServer, Kind, Write};
use crate::history::{History, differing};

pub use self::sights::Sight;
pub use self::turns::Pace;
pub use self::updates::{Known, Update};
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
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    history: History,
    sights: BTreeMap<(Process, String), Sights>,
    refused: BTreeMap<(Process, String), (Vec<String>, Instant)>,
    sent: BTreeMap<Process, Sent>,
    turns: BTreeMap<Process, Turns>,
    closed_until: BTreeMap<Process, Instant>,
    updates: usize,
    statuses: usize,
}

impl Judge {
    pub fn new(record: Record, api: ApiServer, elected: bool) -> Self {
        Self { record, api, elected, seen: Arc::default() }
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

    /// A request leaves: within the budget, and not while the account is to wait. Tells since when it may have been decided on.
    pub fn leaves(&self, process: &Process, is_token: bool) -> Instant {
        let now = Instant::now();
        self.with(|seen| {
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

    /// A write is carried out at the API server.
    pub fn write(&self, process: &Process, write: &Write<'_>) {
        if write.kind == Kind::Event {
            self.holds_lease(process, write.holder.as_deref(), &format!("the event {}", write.name));
        }
        if write.kind != Kind::Resource {
            return;
        }
        self.holds_lease(process, write.holder.as_deref(), &format!("the status of {}", write.name));
        let object: ConfidenceClientCredential = serde_json::from_value(write.after.clone()).unwrap();
        let Some(status) = &object.status else { return };
        let wrong = |what: String| self.record.wrong(format_args!("{process}: the status of {} {what}", write.name));
        let ready = status.conditions.iter().find(|it| it.type_ == "Ready");
        let reason = ready.map(|it| format!("{} {}", it.status, it.reason)).unwrap_or_default();
        self.record.tell(format_args!("{process} status {} {:?} {reason}", write.name, status.observed_generation));
        if status.observed_generation > object.metadata.generation {
            wrong("speaks of a generation that is still to come".to_owned());
        }
        let credential = object.spec.name.rsplit('/').next().unwrap();
        self.with(|seen| {
            seen.statuses += 1;
            if reason != "True InSync" {
                return;
            }
            let sights = seen.sights.get(&(process.clone(), credential.to_owned())).cloned().unwrap_or_default();
            let sights: Vec<&Credential> = sights.all().map(|it| &it.credential).collect();
            let generation = status.observed_generation.unwrap_or_default();
            let Some(spec) = seen.history.wishes(write.name).and_then(|it| it.spec(&object, generation)) else {
                return wrong(format!("speaks of generation {generation}, which never was"));
            };
            if !sights.iter().any(|sight| differing(spec, sight).is_empty()) {
                wrong(format!("says that generation {generation} is in sync, which nobody saw"));
            }
            let told = status.update_time.as_ref().map(|it| it.0);
            if !sights.iter().any(|sight| sight.update_time == told) {
                wrong(format!("tells an update time that nobody saw: {told:?}"));
            }
        });
    }

    /// Nobody writes who does not hold the lease.
    fn holds_lease(&self, process: &Process, holder: Option<&str>, what: &str) {
        let ours = format!("{}_", process.instance());
        if self.elected && !holder.is_some_and(|it| it.starts_with(&ours)) {
            self.record.wrong(format_args!("{process}: {what} while {holder:?} holds the lease"));
        }
    }
}
