//! Plays one schedule: starts the replicas, lets happen what is to happen, ends all trouble, and waits until everything is
//! as it was wanted last.

mod act;

use std::collections::BTreeMap;
use std::time::Duration;

use confidence_operator::confidence::settings::Credentials;
use confidence_simulator::{Credential, Simulator};
use jiff::Timestamp;
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::account::CLIENT;
use crate::api::ApiServer;
use crate::files::Files;
use crate::judge::Judge;
use crate::oracle::Oracle;
use crate::process::{INTERVAL, Place};
use crate::record::Record;
use crate::replicas::Replicas;
use crate::schedule::{Schedule, name, spare};

/// Trouble is over, and everything has to be in line within this: the longest backoff, a round and a takeover.
const CONVERGED_WITHIN: Duration = Duration::from_mins(12);

/// So many updates a resource at the most after that: the one that was on its way, and what it turned out to lack.
const UPDATES: usize = 3;

/// How often it is looked whether everything is in line.
const LOOK: Duration = Duration::from_secs(2);

/// How long nothing must happen when everything is in line and was for a round: another round at least.
const QUIET: Duration = Duration::from_secs(40);

/// So many looks a resource in that time.
const LOOKS: usize = 2;

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
    replicas: Replicas,
    /// Credentials that somebody deleted, to be put back.
    vanished: Vec<(usize, Credential)>,
    backup: BTreeMap<(String, String), Credential>,
    files: Option<Files>,
}

impl World {
    fn new(seed: u64, schedule: &Schedule) -> Self {
        let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let api = ApiServer::new();
        let simulator = Simulator::starting_at(schedule.config.clone(), Timestamp::from_second(1_700_000_000).unwrap());
        let _router = simulator.router();
        let judge = Judge::new(Record::new(), api.clone(), schedule.elected, schedule.observe);
        for resource in 0..schedule.resources {
            simulator.put(CLIENT, &name(resource), Credential::named("as it was"));
            simulator.put(CLIENT, &spare(resource), Credential::named("as it was"));
        }
        // Somebody else's.
        simulator.put(CLIENT, "other", Credential::named("other"));
        let files = schedule.exchange.then(Files::new);
        let place = |_| Place {
            elected: schedule.elected,
            observe: schedule.observe,
            credentials: files.as_ref().map_or_else(|| Credentials::Token("test-token".into()), Files::credentials),
            watch_secrets: schedule.watch_secrets,
            ..Place::new(&api, &simulator, &judge, random.u64(..))
        };
        let places: Vec<_> = (0..schedule.replicas).map(place).collect();
        let replicas = Replicas::new(places, random.fork());
        let (resources, backup) = (schedule.resources, simulator.all());
        Self { api, simulator, judge, random, resources, replicas, vanished: Vec::new(), backup, files }
    }

    async fn run(&mut self, schedule: &Schedule) {
        for (pause, action) in &schedule.actions {
            self.replicas.pass(*pause).await;
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

    fn end_trouble(&mut self) {
        self.judge.record.tell("all trouble ends");
        self.simulator.clear_faults();
        self.put_back(None);
        self.deliver();
        for place in self.replicas.places() {
            place.trouble.set_percent(0);
            place.partition.send_replace(false);
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
            self.replicas.pass(LOOK).await;
        }
    }

    /// Everything is in line: then there is no write of any kind.
    async fn stays_quiet(&mut self) {
        let (before, looks) = (self.judge.writes(), self.judge.looks());
        self.judge.record.tell("from here on nothing changes");
        self.replicas.pass(QUIET).await;
        let after = self.judge.writes();
        if before != after {
            self.judge.record.wrong(format_args!("writes while nothing changes: {before:?} became {after:?}"));
        }
        let looks = self.judge.looks() - looks;
        if looks > LOOKS * self.resources {
            self.judge.record.wrong(format_args!("{looks} looks through updates while nothing changes"));
        }
        if let Some(missing) = self.first_missing() {
            self.judge.record.wrong(format_args!("no longer in line: {missing}"));
        }
    }

    fn first_missing(&self) -> Option<String> {
        let by_update = self.replicas.processes().any(|process| self.judge.may_look_by_update(&process));
        Oracle { api: &self.api, simulator: &self.simulator, judge: &self.judge, by_update }.first_missing()
    }
}

const _: () = assert!(QUIET.as_secs() > INTERVAL.as_secs(), "a round at least");
