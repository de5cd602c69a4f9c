//! The manifest by which krew installs the plugin.

use std::path::Path;

use serde_json::{Value, json};

use super::plugin::{Archive, PROGRAM};
use super::{HOME, VERSION, files};

const DESCRIPTION: &str = "\
See what the Confidence operator would change before it does, import existing
credentials as manifests, find credentials that nobody manages or uses, and
request a rotation or a reconcile.
No command writes to Confidence, and none prints a secret.
";

const CAVEATS: &str = "\
The commands find the cluster as kubectl does. They call Confidence with the
credentials of an API client: set CONFIDENCE_CLIENT_ID_FILE and
CONFIDENCE_CLIENT_SECRET_FILE, then run `kubectl confidence check`.
";

/// Writes `confidence.yaml`.
pub(super) fn write(archives: &[Archive], download_url: &str, out: &Path) -> Result<(), String> {
    let platforms = archives.iter().map(|it| platform(it, download_url)).collect::<Result<Vec<_>, _>>()?;
    let manifest = json!({
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": "confidence"},
        "spec": {
            "version": format!("v{VERSION}"),
            "homepage": HOME,
            "shortDescription": "Manage client credentials of Confidence",
            "description": DESCRIPTION,
            "caveats": CAVEATS,
            "platforms": platforms,
        },
    });
    files::write(&out.join("confidence.yaml"), &yaml(&manifest)?)
}

fn platform(archive: &Archive, download_url: &str) -> Result<Value, String> {
    Ok(json!({
        "selector": {"matchLabels": {"os": archive.platform.os, "arch": archive.platform.arch}},
        "uri": format!("{download_url}/{}", files::name(&archive.path)),
        "sha256": files::sha256(&archive.path)?,
        "bin": PROGRAM,
    }))
}

/// A value as YAML.
pub(super) fn yaml(value: &Value) -> Result<String, String> {
    serde_saphyr::to_string(value).map_err(|error| error.to_string())
}
