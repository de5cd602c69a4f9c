//! Plays one schedule: starts the replicas, lets happen what is to happen, ends all trouble, and waits until everything is
//! as it was wanted last.

use std::time::Duration;

use confidence_operator::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus, RECONCILE_REQUESTED_AT};
use confidence_simulator::{Credential, Simulator};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::Instant;

use crate::account::CLIENT;
use crate::api::{ApiServer, Kind, Trouble};
use crate::history::{differing, may_be_written};
use crate::judge::{Judge, Process};
use crate::process::{self, INTERVAL, LAST_SEEN_RESOLUTION, Place};
use crate::record::Record;
use crate::schedule::{Action, Schedule, name, spare};

/// Trouble is over, and everything has to be in line within this: the longest backoff, a round and a takeover.
const CONVERGED_WITHIN: Duration = Duration::from_mins(12);

/// So many updates a resource at the most after that: the one that was on its way, and what it turned out to lack.
const UPDATES: usize = 3;

/// How often it is looked whether everything is in line.
const LOOK: Duration = Duration::from_secs(2);

/// How long nothing must happen when everything is in line and was for a round: another round at least.
const QUIET: Duration = Duration::from_secs(40);

/// What a schedule came to.
pub struct End {
    pub lines: Vec<String>,
    pub wrong: Option<String>,
}

/// Plays a schedule in a runtime of its own, in paused time.
pub fn play(seed: u64, schedule: &Schedule) -> End {
    // Names of leases and of passes, and the jitter of watches that begin anew, are drawn from this thread's generator.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let mut world = World::new(seed, schedule);
        world.run(schedule).await;
        End { lines: world.judge.record.lines(), wrong: world.judge.record.first_wrong() }
    })
}

struct World {
    api: ApiServer,
    simulator: Simulator,
    judge: Judge,
    random: fastrand::Rng,
    resources: usize,
    replicas: Vec<Replica>,
    /// Credentials that somebody deleted, to be put back.
    vanished: Vec<(usize, Credential)>,
}

/// A place in which one process runs after the other.
struct Replica {
    place: Place,
    number: usize,
    running: Option<(JoinHandle<bool>, watch::Sender<bool>)>,
    /// When the next process starts.
    starts: Instant,
}

impl World {
    fn new(seed: u64, schedule: &Schedule) -> Self {
        let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let api = ApiServer::new();
        let simulator = Simulator::starting_at(schedule.config.clone(), Timestamp::from_second(1_700_000_000).unwrap());
        let router = simulator.router();
        let judge = Judge::new(Record::new(), api.clone(), schedule.elected);
        for resource in 0..schedule.resources {
            simulator.put(CLIENT, &name(resource), Credential::named("as it was"));
            simulator.put(CLIENT, &spare(resource), Credential::named("as it was"));
        }
        // Somebody else's.
        simulator.put(CLIENT, "other", Credential::named("other"));
        let replica = |_| {
            let place = Place {
                api: api.clone(),
                router: router.clone(),
                judge: judge.clone(),
                elected: schedule.elected,
                watch_secrets: schedule.watch_secrets,
                trouble: Trouble::new(random.u64(..)),
                partition: watch::channel(false).0,
            };
            Replica { place, number: 0, running: None, starts: Instant::now() }
        };
        let replicas = (0..schedule.replicas).map(replica).collect();
        Self { api, simulator, judge, random, resources: schedule.resources, replicas, vanished: Vec::new() }
    }

    async fn run(&mut self, schedule: &Schedule) {
        for (pause, action) in &schedule.actions {
            self.pass(*pause).await;
            self.judge.record.tell(format_args!("{action:?}"));
            self.act(action);
            if self.judge.record.first_wrong().is_some() {
                return;
            }
        }
        self.end_trouble();
        let (before, _) = self.judge.writes();
        if self.converges().await {
            let updates = self.judge.writes().0 - before;
            if updates > UPDATES * self.resources {
                self.judge.record.wrong(format_args!("it took {updates} updates to get everything in line"));
            }
            self.stays_quiet().await;
        }
    }

    /// Time passes, and processes start again that have ended.
    async fn pass(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            self.start();
            let next = self.replicas.iter().map(|it| it.starts).filter(|it| *it > Instant::now()).min();
            let tasks: Vec<_> = self.replicas.iter_mut().filter_map(|it| Some(&mut it.running.as_mut()?.0)).collect();
            let mut ended: FuturesUnordered<_> = tasks.into_iter().collect();
            let until = next.map_or(end, |next| next.min(end));
            tokio::select! {
                biased;
                Some(_) = ended.next(), if !ended.is_empty() => {}
                () = tokio::time::sleep_until(until) => {}
            }
            drop(ended);
            for (index, replica) in self.replicas.iter_mut().enumerate() {
                if replica.running.as_ref().is_some_and(|(task, _)| task.is_finished()) {
                    self.judge.record.tell(format_args!("{index}/{} has ended", replica.number));
                    replica.end(self.random.u64(500..3_000));
                }
            }
            if Instant::now() >= end {
                return;
            }
        }
    }

    fn start(&mut self) {
        for (index, replica) in self.replicas.iter_mut().enumerate() {
            if replica.running.is_none() && replica.starts <= Instant::now() {
                replica.number += 1;
                let process = Process { replica: index, number: replica.number };
                self.judge.record.tell(format_args!("{process} starts"));
                let (stop, stopped) = watch::channel(false);
                let task = tokio::task::spawn_local(process::run(
                    process,
                    self.random.u64(..),
                    replica.place.clone(),
                    stopped,
                ));
                replica.running = Some((task, stop));
            }
        }
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Apply(resource, spec) => self.apply(&name(*resource), spec),
            Action::Delete(resource) => self.api.with(|store| store.delete(Kind::Resource, &name(*resource))),
            Action::Annotate(resource) => self.annotate(&name(*resource)),
            Action::PutSecret(resource, secret) => self.put_secret(*resource, secret),
            Action::DeleteSecret(resource) => {
                self.api.with(|store| store.delete(Kind::Secret, &format!("secret-{}", name(*resource))));
            }
            Action::Edit(resource, fields) => {
                let spec: Credential = serde_json::from_value(fields.clone()).unwrap();
                self.simulator.edit(CLIENT, &name(*resource), |it| {
                    it.display_name = spec.display_name;
                    it.environments = spec.environments;
                    it.labels = spec.labels;
                    it.sdk_type = spec.sdk_type;
                });
            }
            Action::Vanish(resource) => {
                let gone = self.simulator.delete(CLIENT, &name(*resource));
                self.vanished.extend(gone.map(|it| (*resource, it)));
            }
            Action::Return(resource) => self.put_back(Some(*resource)),
            Action::Touch(resource) => drop(self.simulator.touch(CLIENT, &name(*resource))),
            Action::Fault(fault) => drop(self.simulator.fault(fault.clone())),
            Action::Heal => self.simulator.clear_faults(),
            Action::Trouble(replica, percent) => self.replicas[*replica].place.trouble.set_percent(*percent),
            Action::Cut(replica) => self.replicas[*replica].place.trouble.cut(),
            Action::Silence(replica) => self.replicas[*replica].place.trouble.die(),
            Action::Compact => self.api.with(super::api::Store::compact),
            Action::Crash(replica) => {
                if let Some((task, _)) = &self.replicas[*replica].running {
                    task.abort();
                }
                let rest = self.random.u64(0..4_000);
                self.replicas[*replica].end(rest);
            }
            Action::Stop(replica) => {
                if let Some((_, stop)) = &self.replicas[*replica].running {
                    stop.send_replace(true);
                }
            }
            Action::Partition(replica, there) => drop(self.replicas[*replica].place.partition.send_replace(*there)),
        }
    }

    fn apply(&self, name: &str, spec: &Value) {
        let object = self.api.with(|store| {
            let mut spec = spec.clone();
            if let Some(there) = store.get(Kind::Resource, name) {
                spec["name"] = there["spec"]["name"].clone();
            }
            store.put(Kind::Resource, name, &json!({"spec": spec}));
            store.get(Kind::Resource, name).cloned().unwrap()
        });
        let object: ConfidenceClientCredential = serde_json::from_value(object).unwrap();
        self.judge.history(|history| history.note(name, &object));
    }

    fn annotate(&mut self, name: &str) {
        let value = self.random.u32(..).to_string();
        self.api.with(|store| {
            if let Some(mut object) = store.get(Kind::Resource, name).cloned() {
                object["metadata"]["annotations"] = json!({RECONCILE_REQUESTED_AT: value});
                store.replace(Kind::Resource, name, object);
            }
        });
    }

    fn put_secret(&self, resource: usize, secret: &str) {
        let id = name(resource);
        self.judge.history(|history| history.note_secret(&format!("secret-{id}"), secret));
        let data = json!({"data": {"secret": k8s_openapi::ByteString(secret.as_bytes().to_vec())}});
        self.api.with(|store| store.put(Kind::Secret, &format!("secret-{id}"), &data));
    }

    fn put_back(&mut self, which: Option<usize>) {
        for (resource, credential) in std::mem::take(&mut self.vanished) {
            if which.is_none_or(|it| it == resource) {
                self.simulator.put(CLIENT, &name(resource), credential);
            } else {
                self.vanished.push((resource, credential));
            }
        }
    }

    fn end_trouble(&mut self) {
        self.judge.record.tell("all trouble ends");
        self.simulator.clear_faults();
        self.put_back(None);
        for replica in &mut self.replicas {
            replica.place.trouble.set_percent(0);
            replica.place.partition.send_replace(false);
        }
    }

    /// Waits until everything is in line, and still is after a round of looks: a status may be true of what was last seen
    /// and not of what is.
    async fn converges(&mut self) -> bool {
        let deadline = Instant::now() + CONVERGED_WITHIN;
        let mut since = Instant::now();
        loop {
            if self.judge.record.first_wrong().is_some() {
                return false;
            }
            if let Some(missing) = self.first_missing() {
                since = Instant::now();
                if since > deadline {
                    self.judge.record.wrong(missing);
                    return false;
                }
            } else if since.elapsed() > INTERVAL.mul_f64(1.3) {
                return true;
            }
            self.pass(LOOK).await;
        }
    }

    /// Everything is in line: then there is no write of any kind.
    async fn stays_quiet(&mut self) {
        let before = self.judge.writes();
        self.judge.record.tell("from here on nothing changes");
        self.pass(QUIET).await;
        let after = self.judge.writes();
        if before != after {
            self.judge.record.wrong(format_args!("writes while nothing changes: {before:?} became {after:?}"));
        }
        if let Some(missing) = self.first_missing() {
            self.judge.record.wrong(format_args!("no longer in line: {missing}"));
        }
    }

    fn first_missing(&self) -> Option<String> {
        (0..self.resources).find_map(|resource| self.missing(&name(resource)))
    }

    /// What is still to be done for a resource.
    fn missing(&self, name: &str) -> Option<String> {
        let object: ConfidenceClientCredential = self
            .api
            .with(|store| store.get(Kind::Resource, name).map(|it| serde_json::from_value(it.clone()).unwrap()))?;
        let id = object.spec.name.rsplit('/').next().unwrap();
        let credential = self.simulator.get(CLIENT, id).unwrap();
        let secret = self.api.with(|store| store.get(Kind::Secret, &format!("secret-{name}")).cloned());
        let status = object.status.clone().unwrap_or_default();
        let ready = status
            .conditions
            .iter()
            .find(|it| it.type_ == "Ready")
            .map(|it| (it.reason.as_str(), it.observed_generation));
        let lacks_secret = object.spec.client_secret.is_some() && secret.is_none() && !object.spec.suspend;
        let different = differing(&object.spec, &credential);
        let expected = if object.spec.suspend {
            "Suspended"
        } else if lacks_secret {
            "SecretNotFound"
        } else if may_be_written(&object.spec) {
            if !different.is_empty() {
                return Some(format!("{name} still differs in {different:?}"));
            }
            let kept = secret
                .map(|it| serde_json::from_value::<k8s_openapi::ByteString>(it["data"]["secret"].clone()).unwrap());
            if object.spec.client_secret.is_some() && kept.is_none_or(|it| it.0 != credential.secret.as_bytes()) {
                return Some(format!("{name} still has another secret"));
            }
            "InSync"
        } else if different.is_empty() {
            "InSync"
        } else {
            "Reported"
        };
        let wanted = Some((expected, object.metadata.generation));
        let asked = object.metadata.annotations.as_ref().and_then(|it| it.get(RECONCILE_REQUESTED_AT));
        if asked.is_some() && asked != status.last_handled_reconcile_at.as_ref() && !object.spec.suspend {
            return Some(format!("nobody has looked at {name} as {asked:?} asks"));
        }
        if !object.spec.suspend && !lacks_secret && !are_told(&credential, &status) {
            return Some(format!("the status of {name} tells other times than Confidence"));
        }
        let is_told = ready == wanted && status.observed_generation == object.metadata.generation;
        (!is_told).then(|| format!("the status of {name} says {ready:?} and not {wanted:?}"))
    }
}

/// Whether a status tells the times of a credential, as finely as the replicas are to tell them.
fn are_told(credential: &Credential, status: &ConfidenceClientCredentialStatus) -> bool {
    let seen = match (credential.last_seen_time, &status.last_seen_time) {
        (Some(at), Some(told)) => at.duration_since(told.0).unsigned_abs() <= LAST_SEEN_RESOLUTION,
        (at, told) => at.is_none() == told.is_none(),
    };
    seen && credential.update_time == status.update_time.as_ref().map(|it| it.0)
}

impl Replica {
    /// The process is over; another starts after so many milliseconds.
    fn end(&mut self, rest: u64) {
        self.running = None;
        self.starts = Instant::now() + Duration::from_millis(rest);
    }
}

const _: () = assert!(QUIET.as_secs() > INTERVAL.as_secs(), "a round at least");
