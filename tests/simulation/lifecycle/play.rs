//! Plays one schedule: lets happen what is to happen, ends all trouble, and waits until everything works, until no rotation is
//! left, and then for a time in which nothing happens.

use std::collections::BTreeMap;
use std::time::Duration;

use confidence_operator::api::RECONCILE_REQUESTED_AT;
use confidence_operator::credential::ObserveMode;
use confidence_simulator::{Client, Simulator};
use jiff::Timestamp;
use serde_json::json;
use tokio::task::LocalSet;
use tokio::time::Instant;

use super::act::uid_of;
use super::history::{Event, History, published};
use super::judge;
use super::schedule::{LATEST, Schedule, name};
use crate::account::CLIENT;
use crate::api::{ApiServer, Kind};
use crate::judge::Judge;
use crate::play::End;
use crate::process::Place;
use crate::record::Record;
use crate::replicas::Replicas;

/// Trouble is over, and every published value works within this: the longest backoff, a lost answer, a takeover.
const WORKS_WITHIN: Duration = Duration::from_mins(12);

/// Then every rotation ends within this, with the overlaps that the jumps of the server's clock make short.
const RESTS_WITHIN: Duration = Duration::from_mins(30);

/// How often it is looked, and how often the server's clock jumps meanwhile.
const LOOK: Duration = Duration::from_secs(5);
const JUMP_EVERY: Duration = Duration::from_mins(2);

/// How long nothing must happen when everything was at rest for as long: two checks.
const QUIET: Duration = Duration::from_secs(70);

pub struct World {
    pub api: ApiServer,
    pub simulator: Simulator,
    pub history: History,
    pub random: fastrand::Rng,
    pub replicas: Replicas,
    /// Labels that somebody took away.
    pub labels: BTreeMap<String, BTreeMap<String, String>>,
    pub judge: Judge,
    resources: usize,
}

/// Plays a schedule in a runtime of its own, in paused time.
pub fn play(seed: u64, schedule: &Schedule) -> End {
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let mut world = World::new(seed, schedule);
        let end = world.run(schedule).await;
        let broken = world.judge.record.first_wrong().or_else(|| judge::judge(&world.history.events()));
        End { lines: world.judge.record.lines(), wrong: broken.or(end.err()) }
    })
}

impl World {
    fn new(seed: u64, schedule: &Schedule) -> Self {
        let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let api = ApiServer::new();
        let simulator = Simulator::starting_at(schedule.config.clone(), Timestamp::from_second(1_700_000_000).unwrap());
        simulator.put_client(CLIENT, Client::default());
        let record = Record::new();
        let history = History::new(record.clone());
        let observer = history.clone();
        simulator.on_write(move |write| observer.lands(write));
        let judge = Judge::new(record, api.clone(), schedule.elected, ObserveMode::Auto).with_lifecycle(&history);
        let _router = simulator.router();
        let place = |_| Place {
            elected: schedule.elected,
            watch_secrets: schedule.watch_secrets,
            ..Place::new(&api, &simulator, &judge, random.u64(..))
        };
        let places: Vec<_> = (0..schedule.replicas).map(place).collect();
        let replicas = Replicas::new(places, random.fork());
        let (labels, resources) = (BTreeMap::new(), schedule.resources);
        Self { api, simulator, history, random, replicas, labels, judge, resources }
    }

    async fn run(&mut self, schedule: &Schedule) -> Result<(), String> {
        for (pause, action) in &schedule.actions {
            self.replicas.pass(*pause).await;
            self.judge.record.tell(format_args!("{action:?}"));
            self.act(action);
        }
        self.end_trouble();
        if schedule.actions.iter().any(|(_, action)| action.lands_late()) {
            self.replicas.pass(LATEST).await;
        }
        self.converges(false, WORKS_WITHIN).await?;
        self.converges(true, RESTS_WITHIN).await?;
        self.history.add(Event::Rest);
        self.replicas.pass(QUIET).await;
        if schedule.is_copied {
            self.copy_is_inert().await?;
        }
        self.first_missing(true).map_or(Ok(()), |missing| Err(format!("no longer at rest: {missing}")))
    }

    fn end_trouble(&mut self) {
        self.judge.record.tell("all trouble ends");
        self.simulator.clear_faults();
        for place in self.replicas.places() {
            place.trouble.set_percent(0);
            place.partition.send_replace(false);
        }
        (0..self.resources).for_each(|resource| self.remove_unnamed_secrets(resource));
        self.remove_foreign_secrets();
        for (credential, labels) in std::mem::take(&mut self.labels) {
            self.simulator.relabel(CLIENT, &credential, labels);
        }
        for resource in 0..self.resources {
            let object = self.api.with(|store| store.get(Kind::Resource, &name(resource)).cloned());
            // Whoever deletes a resource that is suspended lets it go; the others are to be as asked.
            if object.is_some_and(|it| it["metadata"]["deletionTimestamp"].is_null()) {
                self.apply(resource, &json!({"suspend": null, "driftPolicy": null, "rotation": {"every": null}}));
                self.annotate(resource, RECONCILE_REQUESTED_AT, None);
            }
        }
    }

    /// People take away the Secrets that are in the way: those of somebody else, and of resources that left theirs.
    fn remove_foreign_secrets(&self) {
        let all = |kind| self.api.with(|store| store.list(kind).cloned().collect::<Vec<_>>());
        let uids: Vec<_> = all(Kind::Resource).iter().map(uid_of).collect();
        for secret in all(Kind::Secret) {
            let name = secret["metadata"]["name"].as_str().unwrap();
            let is_ours = matches!(published(name, &secret), Some(Event::Published { uid, .. }) if uids.contains(&uid));
            if !is_ours {
                self.history.add(Event::SecretGone { secret: name.to_owned() });
                self.api.with(|store| store.delete(Kind::Secret, name));
            }
        }
    }

    /// Waits until everything works, or is at rest, and was for a while; pods use what is published until it is.
    async fn converges(&mut self, is_at_rest: bool, within: Duration) -> Result<(), String> {
        let began = Instant::now();
        let (mut since, mut jumped) = (began, began);
        loop {
            if let Some(missing) = self.first_missing(is_at_rest) {
                since = Instant::now();
                if since > began + within {
                    return Err(format!("not within {within:?}: {missing}"));
                }
                (0..self.resources).for_each(|resource| self.use_published(resource));
            } else if since.elapsed() > QUIET {
                return Ok(());
            }
            if is_at_rest && jumped.elapsed() > JUMP_EVERY && since.elapsed() < LOOK {
                jumped = Instant::now();
                self.jump(150);
            }
            self.replicas.pass(LOOK).await;
        }
    }
}
