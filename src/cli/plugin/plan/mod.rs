//! `plan`: what the operator would do, from the same pure functions that it decides with.
//!
//! ```text
//! gather (cluster or files) ─► accounts ─► observe (LIST, GET) ─► ResourcePlan::new ─► render
//! ```

// The docs of the flags are their --help: text for a terminal, without the marks of Markdown.
#![allow(clippy::doc_markdown)]

mod accounts;
mod gather;
mod next;
mod observe;
mod render;
mod resource_plan;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;

pub(super) use self::gather::list as list_resources;

use self::accounts::Found;
use self::gather::Gathered;
use self::resource_plan::{Inputs, ResourcePlan};
use super::{CommandError, OutputFormat, TargetFlags, output};

/// The exit codes, below the flags.
pub(super) const HELP: &str =
    "Exit code: 0 nothing differs, 1 something does, 2 something could not be read (as kubectl diff has it).";

/// The flags of `plan`.
#[derive(Clone, Debug, Args)]
pub struct PlanFlags {
    /// The names of the resources [default: all of the namespace]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// A file with manifests that need not be applied yet; - for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["names", "all_namespaces"])]
    pub filename: Option<PathBuf>,
    /// The resources of all namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["names", "namespace"])]
    pub all_namespaces: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: OutputFormat,
    /// Which cluster and which account.
    #[command(flatten)]
    pub target: TargetFlags,
}

/// Runs the command to its exit code.
pub(super) async fn run(flags: &PlanFlags) -> Result<u8, CommandError> {
    let (cluster, gathered) = gather::gather(flags).await?;
    let accounts = accounts::find(&flags.target, cluster.as_ref(), &gathered).await?;
    let readable =
        gathered.iter().zip(&accounts).filter_map(|(it, account)| Some((account.as_deref().ok()?, &it.resource)));
    let observed = observe::observe(readable).await;
    let now = Timestamp::now();
    let plan = |(Gathered { resource, client_secret }, account): (Gathered, Found)| {
        let name = resource_plan::planned_name(&resource);
        let account = account.map(|account| Arc::clone(&account.name));
        let observed = name.and_then(|name| observed.get(&(Arc::clone(account.as_ref().ok()?), name)).cloned());
        let account = account.map(|_| ());
        ResourcePlan::new(&resource, Inputs { account, observed, client_secret, now })
    };
    let plans: Vec<ResourcePlan> = gathered.into_iter().zip(accounts).map(plan).collect();
    output::print(&match flags.output {
        OutputFormat::Text => render::text(&plans, output::has_colors()),
        OutputFormat::Json => output::json(&plans)?,
    })?;
    Ok(exit_code(&plans))
}

fn exit_code(plans: &[ResourcePlan]) -> u8 {
    if plans.iter().any(|plan| plan.problem.is_some()) {
        2
    } else {
        u8::from(plans.iter().any(ResourcePlan::has_differences))
    }
}
