//! Credentials that the operator creates: what a create costs, and a restart over them.

use std::time::Duration;

use confidence_simulator::CallKind;
use tokio::time::sleep;

use super::operator::{Operator, Run};
use super::scenarios::{GLANCE, UNBOUNDED};
use super::stage::Stage;
use super::watch::{Measured, Watch};

/// Above this, creating would take longer than it tells.
pub(super) const AT_MOST: usize = 1_000;

const BUDGET: u32 = 50;

/// Creates and publishes everything, then starts the operator again over it.
pub(super) async fn created(stage: &Stage) -> Result<[Measured; 2], String> {
    Ok([create(stage).await?, restart(stage).await?])
}

async fn create(stage: &Stage) -> Result<Measured, String> {
    let watch = Watch::begin(stage, None).await?;
    let operator = Operator::start(&stage.setting, &Run { interval: "1h", rate: BUDGET })?;
    let size = stage.size as u64;
    let until_right =
        watch.until("the credentials", GLANCE, async || Ok(watch.calls(CallKind::Create) >= size)).await?;
    // A resource is done when its status names what is published.
    watch.until("the statuses", Duration::from_millis(200), async || stage.all_ready().await).await?;
    let measured = watch.end("creates, budget 50/s", &operator).await?;
    operator.stop()?;
    Ok(Measured { until_right: Some(until_right), ..measured })
}

async fn restart(stage: &Stage) -> Result<Measured, String> {
    let watch = Watch::begin(stage, None).await?;
    let operator = Operator::start(&stage.setting, &Run { interval: "1h", rate: UNBOUNDED })?;
    let listed = async || Ok(watch.calls(CallKind::List) >= stage.pages());
    let until_right = watch.until("the look at everything", GLANCE, listed).await?;
    // What would come of it comes within this.
    sleep(Duration::from_secs(2)).await;
    let measured = watch.end("restart over created credentials", &operator).await?;
    operator.stop()?;
    Ok(Measured { until_right: Some(until_right), ..measured })
}
