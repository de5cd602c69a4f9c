//! The plain manifests: `deploy/`, with an image and in as few files as a person wants to apply.

use std::path::Path;

use super::{VERSION, files, repository};

/// Writes `crds.yaml`, and `install.yaml` with the CRDs before the operator.
pub(super) fn write(image: &str, out: &Path) -> Result<(), String> {
    let crds = files::read(&repository("deploy/crds/crds.yaml"))?;
    let operator = with_image(&files::read(&repository("deploy/install.yaml"))?, image)?;
    files::write(&out.join("install.yaml"), &format!("{}\n---\n{operator}", crds.trim_end()))?;
    files::write(&out.join("crds.yaml"), &crds)
}

fn with_image(manifests: &str, image: &str) -> Result<String, String> {
    let default = format!("\"confidence-operator:{VERSION}\"");
    match manifests.matches(&default).count() {
        1 => Ok(manifests.replace(&default, &format!("\"{image}\""))),
        count => Err(format!("deploy/install.yaml names the image {default} {count} times instead of once")),
    }
}
