//! Writes what is generated from the source: the CRDs and the API reference from the types, and from the CRDs and the chart's
//! values the chart's copy, its README and the plain manifests. The tests that find them stale also write them.

use clap::Args;

use crate::cargo::cargo;

/// The flags of `generate`.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// Write nothing; fail where something is stale
    #[arg(long)]
    check: bool,
}

/// Writes, or checks, each file. The chart has copies of the CRDs, so the CRDs come first.
pub(crate) fn run(flags: &Flags) -> Result<(), String> {
    for arguments in [["--test", "generated", ""], ["--test", "chart", "generated"]] {
        let mut cargo = cargo();
        cargo.args(["test", "--quiet", "--package", "confidence-operator"]);
        cargo.args(arguments.into_iter().filter(|it| !it.is_empty()));
        if !flags.check {
            cargo.env("GENERATE", "1");
        }
        let status = cargo.status().map_err(|error| format!("cargo: {error}"))?;
        if !status.success() {
            return Err("what is generated is stale, or could not be written; run cargo xtask generate".into());
        }
    }
    Ok(())
}
