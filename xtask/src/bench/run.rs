//! One size: the stage, then the scenarios that are asked for, in an order in which each finds what it needs.

use std::path::Path;

use super::report::{Ceiling, Report};
use super::scenarios::{self, Scenario};
use super::stage::{Origin, Stage};
use super::watch::Measured;
use super::{ceiling, created, edits};

/// Above this, the quota is not measured: it would take longer than it tells.
const QUOTA_AT_MOST: usize = 1_000;

/// Measures one size.
pub(super) async fn size(size: usize, binary: &Path, wanted: &[Scenario], report: &mut Report) -> Result<(), String> {
    let stage = Stage::set(size, Origin::Adopted, binary).await?;
    let (status_writes, status_write_cpu) = ceiling::status_writes(&stage).await?;
    let simulator = ceiling::simulator(&stage).await?;
    println!("  the control plane takes {status_writes:.0} status writes a second, the simulator {simulator:.0} calls");
    report.ceilings.push(Ceiling { size, status_writes, status_write_cpu, simulator });
    // Statuses must be there for everything that follows, so this one is always run.
    keep(report, scenarios::from_nothing(&stage).await?);
    let is_wanted = |scenario| wanted.is_empty() || wanted.contains(&scenario);
    if is_wanted(Scenario::Restart) {
        keep(report, scenarios::restart(&stage, "restart").await?);
    }
    if is_wanted(Scenario::Steady) {
        keep(report, scenarios::steady(&stage).await?);
    }
    if is_wanted(Scenario::Drift) {
        keep(report, scenarios::drift(&stage).await?);
    }
    if is_wanted(Scenario::Edits) {
        keep(report, edits::edits(&stage, "edits, idle", "1h").await?);
        keep(report, edits::edits(&stage, "edits, during rounds", "1s").await?);
    }
    if is_wanted(Scenario::Backlog) {
        keep(report, edits::backlog(&stage).await?);
    }
    if is_wanted(Scenario::Latency) {
        scenarios::latency(&stage).await?.into_iter().for_each(|measured| keep(report, measured));
    }
    if is_wanted(Scenario::Quota) && size <= QUOTA_AT_MOST {
        scenarios::quota(&stage).await?.into_iter().for_each(|measured| keep(report, measured));
    }
    if is_wanted(Scenario::Relist) {
        keep(report, scenarios::relist(&stage).await?);
    }
    drop(stage);
    if is_wanted(Scenario::Created) && size <= created::AT_MOST {
        let stage = Stage::set(size, Origin::Created, binary).await?;
        created::created(&stage).await?.into_iter().for_each(|measured| keep(report, measured));
    }
    Ok(())
}

fn keep(report: &mut Report, measured: Measured) {
    println!("  {}", super::report::line(&measured));
    report.measured.push(measured);
}
