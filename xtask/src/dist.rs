//! Builds what a release consists of, as far as that needs no registry and no signature: the release workflow does the rest.
//!
//! ```text
//! target/dist/
//!   confidence-operator-VERSION.tgz      the chart, with the image as its default
//!   install.yaml, crds.yaml              plain manifests
//!   schemas/GROUP/KIND_VERSION.json      JSON Schemas of the kinds, also as schemas.tar.gz
//!   kubectl-confidence_vVERSION_*.tar.gz the plugin; confidence.yaml: its krew manifest
//!   bundle/                              the OLM bundle, also as bundle.tar.gz
//!   confidence-operator.cdx.json         the bill of materials, which .ci/supply-chain writes
//!   SHA256SUMS
//! ```

mod archive;
mod bundle;
mod chart;
mod csv;
mod files;
mod krew;
mod manifests;
mod plugin;
mod schemas;

use std::path::{Path, PathBuf};

use clap::Args;

/// Where the repository is at home, unless a flag says otherwise.
const HOME: &str = "https://github.com/confidence-operator/confidence-operator";

/// The version of the workspace, which is that of a release.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The flags of `dist`.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// Where to write; an earlier release there is deleted first
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    out: PathBuf,
    /// The image that the manifests name; by digest, when it is known
    #[arg(long, value_name = "IMAGE", default_value_t = format!("confidence-operator:{VERSION}"))]
    image: String,
    /// Build the plugin for this target of Rust; may be repeated [default: that of this machine]
    #[arg(long, value_name = "TRIPLE")]
    target: Vec<String>,
    /// The profile of cargo for the plugin
    #[arg(long, default_value = "release")]
    profile: String,
    /// A folder with archives of the plugin that were built elsewhere; takes the place of a build
    #[arg(long, value_name = "DIR", conflicts_with = "target")]
    plugins: Option<PathBuf>,
    /// Build the archives of the plugin, and nothing else
    #[arg(long, conflicts_with = "plugins")]
    plugin_only: bool,
    /// Where the files of the release can be downloaded; the krew manifest says so
    #[arg(long, value_name = "URL", default_value_t = format!("{HOME}/releases/download/v{VERSION}"))]
    download_url: String,
    /// Do without the bill of materials, which .ci/supply-chain writes
    #[arg(long)]
    without_sbom: bool,
}

/// Builds it.
pub(crate) fn run(flags: &Flags) -> Result<(), String> {
    files::begin(&flags.out)?;
    let archives = match &flags.plugins {
        Some(built) => plugin::take(built, &flags.out)?,
        None => plugin::build(&flags.target, &flags.profile, &flags.out)?,
    };
    if flags.plugin_only {
        return files::write_sums(&flags.out);
    }
    krew::write(&archives, &flags.download_url, &flags.out)?;
    chart::package(&flags.image, &flags.out)?;
    manifests::write(&flags.image, &flags.out)?;
    schemas::write(&flags.out)?;
    bundle::write(&flags.image, &flags.out)?;
    if !flags.without_sbom {
        copy_sbom(&flags.out)?;
    }
    files::write_sums(&flags.out)?;
    println!("{}", files::read(&flags.out.join("SHA256SUMS"))?.trim_end());
    Ok(())
}

fn copy_sbom(out: &Path) -> Result<(), String> {
    let name = "confidence-operator.cdx.json";
    let sbom = testbed::target_dir().join("sbom").join(name);
    if !sbom.exists() {
        return Err(format!("{}: there is none; run .ci/supply-chain first, or give --without-sbom", sbom.display()));
    }
    std::fs::copy(&sbom, out.join(name)).map(drop).map_err(|error| format!("{}: {error}", sbom.display()))
}

/// A path within the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
