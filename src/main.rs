//! Flags to parts to run, and nothing else.

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use confidence_operator::cli::flags::{Cli, Command, PluginCli, RunFlags};
use confidence_operator::cli::{crd, plugin, run};

/// musl's own allocator costs a third of all CPU here.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The exit code of a mistake on the command line, as clap has it.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    if is_plugin() {
        return execute(PluginCli::parse().command);
    }
    let cli = Cli::parse();
    cli.command.map_or_else(|| start(cli.run), execute)
}

/// Whether kubectl called: it looks for a program named `kubectl-confidence`.
fn is_plugin() -> bool {
    let name = std::env::args_os().next();
    name.is_some_and(|it| Path::new(&it).file_stem() == Some(OsStr::new(plugin::PROGRAM)))
}

fn execute(command: Command) -> ExitCode {
    match command {
        Command::Run(flags) => start(*flags),
        Command::Crd => print_crd(),
        Command::Plugin(command) => plugin::start(command, is_plugin()),
    }
}

fn start(flags: RunFlags) -> ExitCode {
    match run::start(flags) {
        Ok(cleanly) => ExitCode::from(u8::from(!cleanly)),
        Err(error) => {
            eprintln!("confidence-operator: {error}");
            ExitCode::from(USAGE)
        }
    }
}

#[allow(clippy::print_stdout)] // what the subcommand is for
fn print_crd() -> ExitCode {
    match crd::yaml() {
        Ok(yaml) => {
            print!("{yaml}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("confidence-operator: {error}");
            ExitCode::FAILURE
        }
    }
}
