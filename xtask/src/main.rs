//! Chores of a contributor: `cargo xtask --help`.
#![allow(clippy::print_stdout)] // what these are for

mod bench;
mod cargo;
mod cluster_test;
mod controlplane;
mod demo;
mod dist;
mod generate;
mod image;
mod mutants;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chores of a contributor.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Show the operator at work on a real API server, step by step, and check each step
    Demo(demo::Flags),
    /// Measure the operator on a real API server: calls, writes, CPU, memory, latency
    Bench(bench::Flags),
    /// Break the rules of the lifecycle one by one, and show that a test notices each
    Mutants(mutants::Flags),
    /// Write what is generated from the source: the CRD, here and in the chart
    Generate(generate::Flags),
    /// Install the chart in a cluster and check pods, failover, upgrade and uninstall; the simulator takes Confidence's place
    ClusterTest(cluster_test::Flags),
    /// Build what a release consists of into target/dist: chart, manifests, schemas, plugin, OLM bundle, checksums
    Dist(dist::Flags),
    /// Run a control plane until Ctrl-C, to try things by hand
    Controlplane,
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Cli::parse().chore {
        Chore::Demo(flags) => demo::run(flags).await,
        Chore::Bench(flags) => bench::run(flags).await,
        Chore::Mutants(flags) => mutants::run(&flags),
        Chore::Generate(flags) => generate::run(&flags),
        Chore::ClusterTest(flags) => cluster_test::run(&flags),
        Chore::Dist(flags) => dist::run(&flags),
        Chore::Controlplane => controlplane::run().await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
