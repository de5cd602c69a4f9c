//! Writes what is generated from the source.

use std::fs;
use std::path::Path;

use clap::Args;

/// Where the CRD stands: for `kubectl apply -f crds/`, and in the chart.
const CRD_FILES: [&str; 2] = [
    "crds/iam.confidence.dev_confidenceclientcredentials.yaml",
    "charts/confidence-operator/files/crds/iam.confidence.dev_confidenceclientcredentials.yaml",
];

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
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for file in CRD_FILES {
        let path = root.join(file);
        let fresh = fs::read_to_string(&path).is_ok_and(|text| text == crd);
        if flags.check && !fresh {
            return Err(format!("{file} is stale; run cargo xtask generate"));
        }
        if !fresh {
            fs::write(&path, &crd).map_err(|error| format!("{file}: {error}"))?;
            println!("wrote {file}");
        }
    }
    Ok(())
}
