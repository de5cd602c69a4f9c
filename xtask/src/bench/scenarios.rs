//! The scenarios, one function each: bring the stage into a state, watch the operator, note what it took.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::ValueEnum;
use confidence_simulator::CallKind;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::api_server::{Requests, between, requests};
use super::operator::{Operator, Run};
use super::stage::{Stage, credential};

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Everything has drifted
    Cold,
    /// Nothing has drifted since the last run
    Restart,
    /// Ten intervals in which nothing changes
    Steady,
    /// One in a hundred drifts
    Drift,
    /// Fifty edits of a spec, one at a time: while nothing else happens, with a slow server, and during rounds
    Edits,
    /// The API server is restarted, and everything listed again
    Relist,
    /// Everything has drifted, or nothing, and the server takes 50 ms
    Latency,
    /// Everything has drifted, and the server allows 50 calls a second (at 1,000 resources at most)
    Quota,
}

/// No budget of its own is to be in the way.
const UNBOUNDED: u32 = 100_000;

const SLOW: Duration = Duration::from_millis(50);

const QUOTA: u32 = 50;

const EDITS: usize = 50;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// How often the simulator, in this process, is looked at.
const GLANCE: Duration = Duration::from_millis(5);

/// What a scenario took.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measured {
    pub(super) scenario: String,
    pub(super) size: usize,
    /// Seconds until the credentials were right at the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until_right: Option<f64>,
    /// Seconds until all statuses were written too, or of the whole scenario.
    pub(super) seconds: f64,
    /// CPU seconds of the operator.
    pub(super) cpu_seconds: f64,
    /// Resident memory at the end, in MiB.
    pub(super) memory: f64,
    /// The most resident memory of the run, in MiB.
    pub(super) memory_peak: f64,
    /// Calls to Confidence by kind.
    pub(super) calls: BTreeMap<String, u64>,
    /// Calls that were refused with 429.
    pub(super) refused: u64,
    /// Requests to the API server by verb and resource.
    pub(super) requests: Requests,
    /// Milliseconds, sorted, where single events were timed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) latencies: Vec<f64>,
}

impl Measured {
    /// Calls of a kind.
    pub(super) fn calls(&self, kind: &str) -> u64 {
        self.calls.get(kind).copied().unwrap_or_default()
    }

    /// All calls.
    pub(super) fn all_calls(&self) -> u64 {
        self.calls.values().sum()
    }

    /// Statuses written.
    pub(super) fn status_writes(&self) -> u64 {
        self.requests.get("PATCH confidenceclientcredentials/status").copied().unwrap_or_default()
    }
}

/// Watches one run of the operator from its beginning, or from a moment in it.
struct Watch<'a> {
    stage: &'a Stage,
    began: Instant,
    cpu: f64,
    calls: BTreeMap<CallKind, u64>,
    refused: u64,
    requests: Requests,
}

impl<'a> Watch<'a> {
    async fn begin(stage: &'a Stage, operator: Option<&Operator>) -> Result<Self, String> {
        let requests = requests(&stage.client).await?;
        let stats = stage.simulator.stats();
        let cpu = operator.map_or(Ok(0.0), Operator::cpu)?;
        let refused = stats.statuses.get(&429).copied().unwrap_or_default();
        Ok(Self { stage, began: Instant::now(), cpu, calls: stats.calls, refused, requests })
    }

    fn calls(&self, kind: CallKind) -> u64 {
        let before = self.calls.get(&kind).copied().unwrap_or_default();
        self.stage.simulator.stats().count(kind) - before
    }

    /// Waits until something is so; gives the seconds from the beginning.
    async fn until(
        &self,
        what: &str,
        glance: Duration,
        is_so: impl AsyncFn() -> Result<bool, String>,
    ) -> Result<f64, String> {
        while !is_so().await? {
            if self.began.elapsed() > PATIENCE {
                return Err(format!("{what} was not so within {PATIENCE:?}"));
            }
            sleep(glance).await;
        }
        Ok(self.began.elapsed().as_secs_f64())
    }

    async fn end(self, scenario: &str, operator: &Operator) -> Result<Measured, String> {
        let (memory, memory_peak) = operator.memory()?;
        let stats = self.stage.simulator.stats();
        let more = |(kind, count): (&CallKind, &u64)| {
            let more = count - self.calls.get(kind).copied().unwrap_or_default();
            (more > 0).then(|| (format!("{kind:?}").to_lowercase(), more))
        };
        Ok(Measured {
            scenario: scenario.to_owned(),
            size: self.stage.size,
            until_right: None,
            seconds: self.began.elapsed().as_secs_f64(),
            cpu_seconds: operator.cpu()? - self.cpu,
            memory,
            memory_peak,
            calls: stats.calls.iter().filter_map(more).collect(),
            refused: stats.statuses.get(&429).copied().unwrap_or_default() - self.refused,
            requests: between(&self.requests, &requests(&self.stage.client).await?),
            latencies: Vec::new(),
        })
    }
}

/// Starts the operator over credentials that all differ, and waits until they are right and told.
pub(super) async fn cold(stage: &Stage, scenario: &str, rate: u32) -> Result<Measured, String> {
    stage.drift(0..stage.size);
    let size = stage.size as u64;
    let right = stage.simulator.stats().writes_changed + size;
    let watch = Watch::begin(stage, None).await?;
    let operator = Operator::start(&stage.setting, &Run { interval: "1h", rate })?;
    let until_right =
        watch.until("the server's side", GLANCE, async || Ok(stage.simulator.stats().writes_changed >= right)).await?;
    // A glance at the count costs the operator CPU in proportion to its resources.
    let glance = Duration::from_millis(size / 10).max(Duration::from_millis(50));
    watch.until("the statuses", glance, async || Ok(operator.status_writes().await? >= size)).await?;
    let measured = watch.end(scenario, &operator).await?;
    operator.stop()?;
    Ok(Measured { until_right: Some(until_right), ..measured })
}

/// Starts the operator over credentials that are as it left them.
pub(super) async fn restart(stage: &Stage, scenario: &str) -> Result<Measured, String> {
    let watch = Watch::begin(stage, None).await?;
    let operator = Operator::start(&stage.setting, &Run { interval: "1h", rate: UNBOUNDED })?;
    let looked = async || {
        let stats = stage.simulator.stats();
        let looks = |kind| stats.count(kind) - watch.calls.get(&kind).copied().unwrap_or_default();
        Ok(looks(CallKind::List) >= stage.pages() || looks(CallKind::Get) >= stage.size as u64)
    };
    let until_right = watch.until("the look at everything", GLANCE, looked).await?;
    // What would come of it comes within this.
    sleep(Duration::from_secs(2)).await;
    let measured = watch.end(scenario, &operator).await?;
    operator.stop()?;
    Ok(Measured { until_right: Some(until_right), ..measured })
}

/// An operator that has looked at everything once.
async fn settled(stage: &Stage, interval: &'static str) -> Result<Operator, String> {
    let watch = Watch::begin(stage, None).await?;
    let operator = Operator::start(&stage.setting, &Run { interval, rate: UNBOUNDED })?;
    rounds(&watch, stage, 1).await?;
    Ok(operator)
}

/// Waits for so many looks at everything.
async fn rounds(watch: &Watch<'_>, stage: &Stage, rounds: u64) -> Result<f64, String> {
    let looked = async || {
        Ok(watch.calls(CallKind::List) >= rounds * stage.pages()
            || watch.calls(CallKind::Get) >= rounds * stage.size as u64)
    };
    watch.until("rounds", GLANCE, looked).await
}

/// Ten intervals in which nothing changes.
pub(super) async fn steady(stage: &Stage) -> Result<Measured, String> {
    let operator = settled(stage, interval_of(stage)).await?;
    let watch = Watch::begin(stage, Some(&operator)).await?;
    rounds(&watch, stage, 10).await?;
    let measured = watch.end("ten steady intervals", &operator).await?;
    operator.stop()?;
    Ok(measured)
}

/// Long enough that a round is over well before the next.
fn interval_of(stage: &Stage) -> &'static str {
    if stage.size <= 2_000 {
        "1s"
    } else if stage.size <= 20_000 {
        "5s"
    } else {
        "30s"
    }
}

/// One in a hundred drifts between two rounds.
pub(super) async fn drift(stage: &Stage) -> Result<Measured, String> {
    let operator = settled(stage, interval_of(stage)).await?;
    let watch = Watch::begin(stage, Some(&operator)).await?;
    let right = stage.simulator.stats().writes_changed + stage.size.div_ceil(100) as u64;
    stage.drift((0..stage.size).step_by(100));
    let until_right =
        watch.until("the server's side", GLANCE, async || Ok(stage.simulator.stats().writes_changed >= right)).await?;
    sleep(Duration::from_millis(500)).await;
    let measured = watch.end("1 % drifts", &operator).await?;
    operator.stop()?;
    Ok(Measured { until_right: Some(until_right), ..measured })
}

/// Edits of a spec, one at a time: from the request to the API server until the update is at the server.
pub(super) async fn edits(stage: &Stage, scenario: &str, interval: &'static str) -> Result<Measured, String> {
    let operator = settled(stage, interval).await?;
    let watch = Watch::begin(stage, Some(&operator)).await?;
    let mut latencies = Vec::new();
    for edit in 0..EDITS {
        let number = edit * stage.size / EDITS;
        let (_, id) = credential(number);
        let sdk_type = if stage.simulator.get(&credential(number).0, &id).is_some_and(|it| it.sdk_type == "BACKEND") {
            "FRONTEND"
        } else {
            "BACKEND"
        };
        let before = stage.simulator.call_count();
        let began = Timestamp::now();
        stage.edit(number, sdk_type).await?;
        let arrived = loop {
            let calls = stage.simulator.calls_since(before);
            let update =
                calls.into_iter().find(|it| it.kind == CallKind::Update && it.credential.as_ref() == Some(&id));
            if let Some(update) = update {
                break update.time;
            }
            if watch.began.elapsed() > PATIENCE {
                return Err(format!("{scenario}: the update of {id} did not come"));
            }
            sleep(Duration::from_millis(1)).await;
        };
        latencies.push(arrived.duration_since(began).as_secs_f64() * 1000.0);
        // Its answer and its status are no part of the next one's time.
        sleep(Duration::from_millis(100)).await;
    }
    latencies.sort_by(f64::total_cmp);
    let measured = watch.end(scenario, &operator).await?;
    operator.stop()?;
    Ok(Measured { latencies, ..measured })
}

/// The API server goes away and comes back; everything is listed again.
pub(super) async fn relist(stage: &Stage) -> Result<Measured, String> {
    let operator = settled(stage, "1h").await?;
    let watch = Watch::begin(stage, Some(&operator)).await?;
    for _ in 0..2 {
        stage.plane.stop_api_server()?;
        stage.plane.start_api_server()?;
        // Watches come back within their backoff.
        sleep(Duration::from_secs(8)).await;
    }
    // Its counts began anew with it.
    let watch = Watch { requests: Requests::new(), ..watch };
    let measured = watch.end("two restarts of the API server", &operator).await?;
    operator.stop()?;
    Ok(measured)
}

/// A server that takes its time.
pub(super) async fn latency(stage: &Stage) -> Result<Vec<Measured>, String> {
    stage.set_latency(SLOW);
    let measured = async {
        let cold = cold(stage, "cold, 50 ms", UNBOUNDED).await?;
        let restart = restart(stage, "restart, 50 ms").await?;
        let edits = edits(stage, "edits, 50 ms", "1h").await?;
        Ok(vec![cold, restart, edits])
    }
    .await;
    stage.set_latency(Duration::ZERO);
    measured
}

/// A server with a quota: the operator has to find out, and then is told.
pub(super) async fn quota(stage: &Stage) -> Result<Vec<Measured>, String> {
    stage.simulator.reconfigure(|config| {
        config.quota = Some(QUOTA);
        config.quota_retry_after = Some("1".to_owned());
    });
    let measured = async {
        let unknown = cold(stage, "quota of 50/s, budget 1000/s", 1_000).await?;
        let known = cold(stage, "quota of 50/s, budget 50/s", QUOTA).await?;
        Ok(vec![unknown, known])
    }
    .await;
    stage.simulator.reconfigure(|config| config.quota = None);
    measured
}

/// The scenarios that begin with everything different.
pub(super) async fn from_nothing(stage: &Stage) -> Result<Measured, String> {
    cold(stage, "cold", UNBOUNDED).await
}
