//! Flags to parts to run, and nothing else.

use std::process::ExitCode;

use clap::Parser;
use confidence_operator::cli::flags::{Cli, Command};
use confidence_operator::cli::{crd, run};

/// musl's own allocator costs a third of all CPU here.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The exit code of a mistake on the command line, as clap has it.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let flags = match cli.command {
        Some(Command::Crd) => return print_crd(),
        Some(Command::Run(flags)) => *flags,
        None => cli.run,
    };
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
