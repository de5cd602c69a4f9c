//! The invariants: what must hold at each call and at each write, whatever else happens.

mod budget;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use confidence_operator::api::ConfidenceClientCredential;
use confidence_simulator::Credential;
use serde_json::Value;
use tokio::time::Instant;

use self::budget::Sent;
use crate::api::{ApiServer, Kind, Write};
use crate::history::{History, Sights, differing, found, may_be_written, wanted};
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
    sent: BTreeMap<Process, Sent>,
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

    /// A request leaves: within the budget, and not while the account is to wait.
    pub fn leaves(&self, process: &Process) {
        let now = Instant::now();
        self.with(|seen| {
            if let Some(broken) = seen.sent.entry(process.clone()).or_default().leaves(RATE, now) {
                self.record.wrong(format_args!("{process}: {broken}"));
            }
            if seen.closed_until.get(process).is_some_and(|until| now < *until) {
                self.record.wrong(format_args!("{process}: a call while the server asked to wait"));
            }
        });
    }

    /// An answer has arrived that asks the account to wait.
    pub fn told_to_wait(&self, process: &Process, wait: Duration) {
        self.with(|seen| seen.closed_until.insert(process.clone(), Instant::now() + wait));
    }

    /// An answer has arrived that shows a credential as it was.
    pub fn sees(&self, process: &Process, id: &str, credential: Credential, at: Instant, by_own_write: bool) {
        self.with(|seen| {
            let sights = seen.sights.entry((process.clone(), id.to_owned())).or_default();
            sights.all.push(credential.clone());
            if by_own_write {
                sights.since_write.clear();
                sights.written = Some(at);
            }
            // What was asked before the write and comes after it is older.
            if sights.written.is_none_or(|written| at >= written) {
                sights.since_write.push(credential);
            }
        });
    }

    /// The answer to an update that left at that time does not come: what was seen before says nothing any more.
    pub fn loses(&self, process: &Process, id: &str, at: Instant) {
        self.with(|seen| {
            let sights = seen.sights.entry((process.clone(), id.to_owned())).or_default();
            sights.since_write.clear();
            sights.written = Some(at);
        });
    }

    /// What a process has seen of a credential by now.
    pub fn sights(&self, process: &Process, id: &str) -> Sights {
        self.with(|seen| seen.sights.get(&(process.clone(), id.to_owned())).cloned().unwrap_or_default())
    }

    /// An update arrives at Confidence, from a process that knew this when it sent it.
    pub fn update(&self, process: &Process, id: &str, known: &Sights, mask: &[String], body: &Value) {
        self.holds_lease(process, self.api.holder().as_deref(), &format!("the update of {id}"));
        let wrong = |what: String| self.record.wrong(format_args!("{process}: the update of {id} {what}"));
        let said = said(body);
        self.with(|seen| {
            seen.updates += 1;
            for field in mask.iter().filter(|it| *it != "client_secret") {
                let differed = known.since_write.iter().any(|sight| found(sight, field) != said(field));
                if !differed {
                    wrong(format!("writes {field}, which did not differ in what was seen since the last update"));
                }
            }
            let name = format!("till-{}", id.rsplit('-').next().unwrap());
            let secrets = seen.history.secrets(&format!("secret-{name}")).to_vec();
            let Some(wishes) = seen.history.wishes(&name) else {
                return wrong("is of a resource that never was".to_owned());
            };
            let secret = body["clientSecret"]["secret"].as_str();
            let is_wanted = |spec: &confidence_operator::api::ConfidenceClientCredentialSpec, field: &String| {
                if field == "client_secret" {
                    return spec.client_secret.is_some()
                        && secret.is_some_and(|it| secrets.iter().any(|known| known == it));
                }
                wanted(spec, field).is_some() && wanted(spec, field) == said(field)
            };
            let says_it = wishes.specs.iter().filter(|(_, spec)| {
                may_be_written(spec)
                    && spec.name.ends_with(&format!("/{id}"))
                    && mask.iter().all(|field| is_wanted(spec, field))
            });
            let editions: Vec<_> = says_it.map(|(edition, _)| *edition).collect();
            match (editions.first(), editions.last()) {
                (Some(first), Some(last)) => {
                    if *last < wishes.written {
                        let written = wishes.written;
                        wrong(format!("goes back to {last:?} after {written:?} was written"));
                    }
                    wishes.written = wishes.written.max(*first);
                }
                _ => wrong(format!("says what no spec has said: {mask:?} {body}")),
            }
        });
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
            let generation = status.observed_generation.unwrap_or_default();
            let Some(spec) = seen.history.wishes(write.name).and_then(|it| it.spec(&object, generation)) else {
                return wrong(format!("speaks of generation {generation}, which never was"));
            };
            if !sights.all.iter().any(|sight| differing(spec, sight).is_empty()) {
                wrong(format!("says that generation {generation} is in sync, which nobody saw"));
            }
            let told = status.update_time.as_ref().map(|it| it.0);
            if !sights.all.iter().any(|sight| sight.update_time == told) {
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

/// What the body of an update says of a field, in a form that can be compared.
fn said(body: &Value) -> impl Fn(&str) -> Option<String> {
    let draft = Credential {
        display_name: body["displayName"].as_str().unwrap_or_default().to_owned(),
        environments: body["environments"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| it.as_str().unwrap().to_owned())
            .collect(),
        labels: serde_json::from_value(body["labels"].clone()).unwrap_or_default(),
        sdk_type: Some(body["sdkType"].as_str().unwrap_or_default())
            .filter(|it| *it != "SDK_TYPE_UNSPECIFIED")
            .unwrap_or_default()
            .to_owned(),
        ..Credential::default()
    };
    move |field| found(&draft, field)
}
