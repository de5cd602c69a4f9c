//! The benchmark: what the operator costs at a size, on a real API server against the simulator.
//!
//! Everything is measured from outside: calls by the simulator's record, writes by the API server's own metrics, CPU and
//! memory by the kernel's account of the operator's process. So any binary with the same flags can be measured.

mod api_server;
mod ceiling;
mod created;
mod edits;
mod operator;
mod plot;
mod report;
mod run;
mod scenarios;
mod stage;
mod targets;
mod watch;

use std::path::PathBuf;

use clap::Args;

use self::report::Report;
use crate::cargo::cargo;

/// The flags of `bench`.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// How many resources; may be repeated
    #[arg(long = "n", value_name = "N", default_values_t = [1_000, 10_000])]
    sizes: Vec<usize>,
    /// Only these scenarios; may be repeated
    #[arg(long = "scenario", value_enum, value_name = "NAME")]
    scenarios: Vec<scenarios::Scenario>,
    /// Measure this binary instead of the one that is built from here
    #[arg(long, value_name = "FILE")]
    operator: Option<PathBuf>,
    /// Where to write bench.json and bench.svg
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    out: PathBuf,
}

/// Runs the benchmark.
pub(crate) async fn run(flags: Flags) -> Result<(), String> {
    if cfg!(debug_assertions) {
        return again_in_release();
    }
    let binary = match &flags.operator {
        Some(binary) => binary.clone(),
        None => build()?,
    };
    let mut report = Report::default();
    for size in &flags.sizes {
        run::size(*size, &binary, &flags.scenarios, &mut report).await?;
    }
    print!("\n{}", report.table());
    let files = report.write(&flags.out)?;
    println!("\n{files}");
    Ok(())
}

/// The simulator runs in this process and must not be what is measured.
fn again_in_release() -> Result<(), String> {
    println!("building in release; the first time takes minutes");
    let status = cargo()
        .args(["run", "--quiet", "--release", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1))
        .status()
        .map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("the benchmark ended with {status}")) }
}

fn build() -> Result<PathBuf, String> {
    println!("building the operator in release; the first time takes minutes");
    let status = cargo()
        .args(["build", "--quiet", "--release", "--package", "confidence-operator"])
        .status()
        .map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("the operator could not be built: {status}"));
    }
    Ok(testbed::target_dir().join("release/confidence-operator"))
}
