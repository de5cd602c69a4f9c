//! The scenarios, one function each: bring the stage into a state, watch the operator, note what it took.

use std::time::Duration;

use clap::ValueEnum;
use confidence_simulator::CallKind;
use tokio::time::sleep;

use super::api_server::Requests;
use super::edits::edits;
use super::operator::{Operator, Run};
use super::stage::Stage;
use super::watch::{Measured, Watch};

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
    /// Fifty edits of a spec, one at a time: while nothing else happens, and during rounds
    Edits,
    /// The same while everything else has drifted and the budget is 20 calls a second
    Backlog,
    /// The API server is restarted, and everything listed again
    Relist,
    /// Everything has drifted, or nothing, and the server takes 50 ms
    Latency,
    /// Everything has drifted, and the server allows 50 calls a second (at 1,000 resources at most)
    Quota,
    /// Credentials are created and published at 50 calls a second; then the operator is restarted (at 1,000 at most)
    Created,
}

/// No budget of its own is to be in the way.
pub(super) const UNBOUNDED: u32 = 100_000;

const SLOW: Duration = Duration::from_millis(50);

const QUOTA: u32 = 50;

/// How often the simulator, in this process, is looked at.
pub(super) const GLANCE: Duration = Duration::from_millis(5);

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
pub(super) async fn settled(stage: &Stage, interval: &'static str) -> Result<Operator, String> {
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

/// The API server goes away and comes back; everything is listed again.
pub(super) async fn relist(stage: &Stage) -> Result<Measured, String> {
    let operator = settled(stage, "1h").await?;
    let mut watch = Watch::begin(stage, Some(&operator)).await?;
    for _ in 0..2 {
        stage.plane.stop_api_server()?;
        stage.plane.start_api_server()?;
        // Watches come back within their backoff.
        sleep(Duration::from_secs(8)).await;
    }
    // Its counts began anew with it.
    watch.requests = Requests::new();
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
