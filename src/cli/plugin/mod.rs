//! The commands of the kubectl plugin: see before you act.
//!
//! ```text
//! flags ──► cluster, account (reads alone) ──► a pure decision ──► text or JSON, and an exit code
//! ```
//! None of them writes to Confidence. What decides and what formats is apart from what calls, so that it is tested without.

mod account;
mod audit;
mod check;
mod cluster;
mod error;
mod import;
mod output;
mod plan;
mod progress;
mod requests;
mod target;

use std::process::ExitCode;

use clap::{CommandFactory, Subcommand};
use clap_complete::Shell;

use self::requests::Request;
use super::flags::{Cli, PluginCli};

pub use self::audit::AuditFlags;
pub use self::check::CheckFlags;
pub use self::cluster::ClusterFlags;
pub use self::error::CommandError;
pub use self::import::ImportFlags;
pub use self::output::OutputFormat;
pub use self::plan::PlanFlags;
pub use self::requests::RequestFlags;
pub use self::target::TargetFlags;

/// The name of the program as a plugin.
pub const PROGRAM: &str = "kubectl-confidence";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Try everything that an installation needs, and say what is missing
    #[command(after_help = check::HELP)]
    Check(Box<CheckFlags>),
    /// Show what the operator would change at Confidence, and change nothing
    #[command(after_help = plan::HELP)]
    Plan(Box<PlanFlags>),
    /// Print manifests of the credentials that exist, which change nothing when they are applied
    #[command(after_help = import::HELP)]
    Import(Box<ImportFlags>),
    /// Find credentials that nobody looks after, and say what mends each
    #[command(after_help = audit::HELP)]
    Audit(Box<AuditFlags>),
    /// Ask the operator to reconcile a resource at once
    Reconcile(RequestFlags),
    /// Ask the operator to replace a created credential by a new one
    Rotate(RequestFlags),
    /// Stop all calls for a resource
    Suspend(RequestFlags),
    /// Take a suspended resource up again
    Resume(RequestFlags),
    /// Print the completion of a shell
    Completion {
        /// The shell
        #[arg(value_parser = clap::builder::EnumValueParser::<Shell>::new())]
        shell: Shell,
    },
}

/// Runs a command to its exit code.
pub fn start(command: PluginCommand, is_plugin: bool) -> ExitCode {
    let failure = command.failure();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&CommandError::new(error.to_string()), failure),
    };
    let result = runtime.block_on(run(command, is_plugin));
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => failed(&error, failure),
    }
}

fn failed(error: &CommandError, code: u8) -> ExitCode {
    output::tell(&format!("error: {error}"));
    ExitCode::from(code)
}

async fn run(command: PluginCommand, is_plugin: bool) -> Result<u8, CommandError> {
    match command {
        PluginCommand::Check(flags) => check::run(&flags).await,
        PluginCommand::Plan(flags) => plan::run(&flags).await,
        PluginCommand::Import(flags) => import::run(&flags).await,
        PluginCommand::Audit(flags) => audit::run(&flags).await,
        PluginCommand::Reconcile(flags) => requests::run(Request::Reconcile, &flags).await,
        PluginCommand::Rotate(flags) => requests::run(Request::Rotate, &flags).await,
        PluginCommand::Suspend(flags) => requests::run(Request::Suspend, &flags).await,
        PluginCommand::Resume(flags) => requests::run(Request::Resume, &flags).await,
        PluginCommand::Completion { shell } => complete(shell, is_plugin),
    }
}

impl PluginCommand {
    /// The exit code when the command cannot do its work. Where 1 says something else, it is 2, as `diff` has it.
    fn failure(&self) -> u8 {
        match self {
            Self::Plan(_) | Self::Audit(_) => 2,
            _ => 1,
        }
    }
}

fn complete(shell: Shell, is_plugin: bool) -> Result<u8, CommandError> {
    let mut script = Vec::new();
    if is_plugin {
        clap_complete::generate(shell, &mut PluginCli::command(), PROGRAM, &mut script);
    } else {
        clap_complete::generate(shell, &mut Cli::command(), "confidence-operator", &mut script);
    }
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
