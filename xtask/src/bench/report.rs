//! What came of it: a line while it runs, a table of targets at the end, and files.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::watch::Measured;
use super::{plot, targets};

/// All figures.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) ceilings: Vec<Ceiling>,
    pub(super) measured: Vec<Measured>,
}

/// What bounds the figures of a size.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ceiling {
    pub(super) size: usize,
    /// Status writes a second that the control plane takes from a client that does nothing else.
    pub(super) status_writes: f64,
    /// Milliseconds of CPU that one of them costs etcd and the API server.
    pub(super) status_write_cpu: f64,
    /// Calls a second that the simulator answers to a client that does nothing else.
    pub(super) simulator: f64,
}

/// One measurement on one line.
pub(super) fn line(measured: &Measured) -> String {
    let mut line = format!(
        "{}: {:.2} s, {:.2} CPU-s, {:.0} MiB (at most {:.0}), calls {:?}, {} status writes",
        measured.scenario,
        measured.seconds,
        measured.cpu_seconds,
        measured.memory,
        measured.memory_peak,
        measured.calls,
        measured.status_writes(),
    );
    if let Some(seconds) = measured.until_right {
        let _ = write!(line, ", right after {seconds:.2} s");
    }
    if !measured.latencies.is_empty() {
        let (p50, p99) = (percentile(&measured.latencies, 50), percentile(&measured.latencies, 99));
        let _ = write!(line, ", p50 {p50:.1} ms, p99 {p99:.1} ms");
    }
    if measured.refused > 0 {
        let _ = write!(line, ", {} refused", measured.refused);
    }
    line
}

/// Of sorted values.
pub(super) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).clamp(1, sorted.len());
    sorted.get(rank - 1).copied().unwrap_or_default()
}

impl Report {
    /// The targets and what was measured, as a table in Markdown.
    pub(super) fn table(&self) -> String {
        let mut table = "| what | target | measured | |\n|---|---|---|---|\n".to_owned();
        for ceiling in &self.ceilings {
            for row in targets::rows(self, ceiling) {
                let met = if row.met { "met" } else { "**not met**" };
                let _ = writeln!(table, "| {} | {} | {} | {met} |", row.what, row.target, row.measured);
            }
        }
        for ceiling in &self.ceilings {
            let _ = writeln!(
                table,
                "\n{} resources: the control plane takes {:.0} status writes a second, the simulator {:.0} calls a second.",
                ceiling.size, ceiling.status_writes, ceiling.simulator
            );
            if let Some(bound) = self.simulator_is_the_bottleneck(ceiling) {
                let _ = writeln!(table, "The simulator was the bottleneck in: {bound}.");
            }
        }
        table
    }

    /// What was measured in a scenario.
    pub(super) fn of(&self, size: usize, scenario: &str) -> Option<&Measured> {
        self.measured.iter().find(|it| it.size == size && it.scenario == scenario)
    }

    /// The scenarios in which the operator asked nearly as much as the simulator can answer.
    fn simulator_is_the_bottleneck(&self, ceiling: &Ceiling) -> Option<String> {
        let near = |it: &&Measured| {
            let seconds = it.until_right.unwrap_or(it.seconds);
            let calls = count(it.all_calls());
            it.size == ceiling.size && calls / seconds > 0.8 * ceiling.simulator
        };
        let names: Vec<&str> = self.measured.iter().filter(near).map(|it| it.scenario.as_str()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// Writes the figures and their plot; says where.
    pub(super) fn write(&self, folder: &Path) -> Result<String, String> {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let (json, svg) = (folder.join("bench.json"), folder.join("bench.svg"));
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        std::fs::write(&json, text).map_err(|error| format!("{}: {error}", json.display()))?;
        plot::draw(&self.measured, &svg)?;
        Ok(format!("{}\n{}", json.display(), svg.display()))
    }
}

/// A count as a number to divide by.
#[allow(clippy::cast_precision_loss)] // no more than millions
pub(super) fn count(count: u64) -> f64 {
    count as f64
}
