//! `plan`: what the operator would do, from the same pure functions that it decides with.
//!
//! ```text
//! gather (cluster or files) ─► accounts ─► observe, lifecycle (LIST, GET) ─► ResourcePlan::new ─► render
//! ```

// The docs of the flags are their --help: text for a terminal, without the marks of Markdown.
#![allow(clippy::doc_markdown)]

mod accounts;
mod gather;
mod lifecycle;
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

pub(super) use self::gather::list as list_resources;

use self::gather::Gathered;
use self::lifecycle::Lifecycles;
use self::resource_plan::{Inputs, ResourcePlan};
use super::progress::Progress;
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
    /// What tells the credentials of this installation from those of another, for resources with spec.client [default: the uid
    /// of the namespace kube-system]
    #[arg(long, env = "INSTANCE_ID", value_name = "ID")]
    pub instance_id: Option<String>,
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
    let with_account = gathered.iter().zip(&accounts);
    let readable = with_account.filter_map(|(it, account)| Some((account.as_deref().ok()?, &it.resource)));
    let observed = observe::observe(readable).await;
    let mut lifecycles = Lifecycles::new(cluster.as_ref(), flags.instance_id.as_deref());
    let mut plans = Vec::with_capacity(gathered.len());
    let progress = Progress::counting("planning", gathered.len());
    for (Gathered { resource, client_secret }, account) in gathered.into_iter().zip(accounts) {
        let inputs = match account {
            Ok(account) => {
                let name = resource_plan::planned_name(&resource);
                let observed = name.and_then(|name| observed.get(&(Arc::clone(&account.name), name)).cloned());
                let next = lifecycles.next(&account, &resource).await;
                Inputs { observed, client_secret, next: next.map_err(|error| error.to_string()) }
            }
            // Without an account nothing is read.
            Err(problem) => Inputs { observed: None, client_secret: None, next: Err(problem) },
        };
        plans.push(ResourcePlan::new(&resource, inputs));
        progress.advance();
    }
    drop(progress);
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
