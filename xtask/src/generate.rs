//! Writes what is generated from the source: the CRD from the types, and from it and the chart's values the chart's copy,
//! its README and the plain manifests. The latter are written by the tests that also find them stale.

use std::fs;
use std::path::Path;
use std::process::Command;

use clap::Args;

/// The CRD, for `kubectl apply -f crds/`.
const CRD: &str = "crds/iam.confidence.dev_confidenceclientcredentials.yaml";

/// The flags of `generate`.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// Write nothing; fail where something is stale
    #[arg(long)]
    check: bool,
}

/// Writes, or checks, each file.
pub(crate) fn run(flags: &Flags) -> Result<(), String> {
    let crd = confidence_operator::crd::yaml().map_err(|error| error.to_string())?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(CRD);
    let fresh = fs::read_to_string(&path).is_ok_and(|text| text == crd);
    if flags.check && !fresh {
        return Err(format!("{CRD} is stale; run cargo xtask generate"));
    }
    if !fresh {
        fs::write(&path, &crd).map_err(|error| format!("{CRD}: {error}"))?;
        println!("wrote {CRD}");
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--quiet", "--package", "confidence-operator", "--test", "chart", "generated"]);
    if !flags.check {
        cargo.env("GENERATE", "1");
    }
    let status = cargo.status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err("what is made from the chart is stale; run cargo xtask generate".into()) }
}
