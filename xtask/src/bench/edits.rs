//! Edits of a spec, one at a time: how long until the update arrives at Confidence.

use std::time::Duration;

use confidence_simulator::CallKind;
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::operator::{Operator, Run};
use super::scenarios::{GLANCE, settled};
use super::stage::{Stage, credential};
use super::watch::{Measured, Watch};

const EDITS: usize = 50;

/// The budget that a backlog has to share with the edits.
const BUDGET: u32 = 20;

/// How long one update may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Edits while the operator looks at everything at this interval.
pub(super) async fn edits(stage: &Stage, scenario: &str, interval: &'static str) -> Result<Measured, String> {
    let operator = settled(stage, interval).await?;
    edit_with(stage, scenario, operator).await
}

/// Edits while all other resources wait for the budget, because everything has drifted.
pub(super) async fn backlog(stage: &Stage) -> Result<Measured, String> {
    stage.drift(0..stage.size);
    let watch = Watch::begin(stage, None).await?;
    let operator = Operator::start(&stage.setting, &Run { interval: "1h", rate: BUDGET })?;
    let is_busy = async || Ok(watch.calls(CallKind::Update) >= u64::from(BUDGET));
    watch.until("the first corrections", GLANCE, is_busy).await?;
    edit_with(stage, "edits, everything drifted, 20/s", operator).await
}

async fn edit_with(stage: &Stage, scenario: &str, operator: Operator) -> Result<Measured, String> {
    let watch = Watch::begin(stage, Some(&operator)).await?;
    let mut latencies = Vec::new();
    for edit in 0..EDITS {
        // From the end: a backlog begins with the first ones.
        latencies.push(edit_one(stage, stage.size - 1 - edit * (stage.size / EDITS)).await?);
        // Its answer and its status are no part of the next one's time.
        sleep(Duration::from_millis(100)).await;
    }
    latencies.sort_by(f64::total_cmp);
    let measured = watch.end(scenario, &operator).await?;
    operator.stop()?;
    Ok(Measured { latencies, ..measured })
}

/// Milliseconds from the request to the API server until the update is at Confidence.
async fn edit_one(stage: &Stage, number: usize) -> Result<f64, String> {
    let (client, id) = credential(number);
    let is_backend = stage.simulator.get(&client, &id).is_some_and(|it| it.sdk_type == "BACKEND");
    let before = stage.simulator.call_count();
    let (began, patience) = (Timestamp::now(), Instant::now() + PATIENCE);
    stage.edit(number, if is_backend { "FRONTEND" } else { "BACKEND" }).await?;
    loop {
        let calls = stage.simulator.calls_since(before);
        let is_update = |kind, of: &Option<String>| kind == CallKind::Update && of.as_ref() == Some(&id);
        if let Some(update) = calls.into_iter().find(|it| is_update(it.kind, &it.credential)) {
            return Ok(update.time.duration_since(began).as_secs_f64() * 1000.0);
        }
        if Instant::now() > patience {
            return Err(format!("the update of {id} did not come"));
        }
        sleep(Duration::from_millis(1)).await;
    }
}
