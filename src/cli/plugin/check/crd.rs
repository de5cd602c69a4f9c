//! Whether the installed CRD is the one that this program knows. Pure.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSONSchemaProps};
use kube::CustomResourceExt;

use super::item::{Item, failed, passed};
use crate::api::ConfidenceClientCredential;

/// The name of the CRD.
pub(super) const NAME: &str = "confidenceclientcredentials.iam.confidence.dev";

/// The group and version.
pub(super) const GROUP_VERSION: &str = "iam.confidence.dev/v1alpha1";

const VERSION: &str = "v1alpha1";
const INSTALL: &str = "confidence-operator crd | kubectl apply --server-side -f -";

/// Judges the CRD of the cluster; none where there is none.
pub(super) fn judge(found: Option<&CustomResourceDefinition>) -> Item {
    let Some(found) = found else {
        return failed("CRD", format!("{NAME} is not installed; run: {INSTALL}"));
    };
    let Some(schema) = schema(found) else {
        return failed("CRD", format!("{NAME} does not serve {VERSION}; run: {INSTALL}"));
    };
    let known = ConfidenceClientCredential::crd();
    let missing = self::schema(&known).map(|known| missing_fields(known, schema)).unwrap_or_default();
    match missing.first() {
        None => passed("CRD", format!("{GROUP_VERSION}, with every field of version {}", env!("CARGO_PKG_VERSION"))),
        Some(field) => failed("CRD", format!("it is older than this program (it lacks {field}); run: {INSTALL}")),
    }
}

fn schema(crd: &CustomResourceDefinition) -> Option<&JSONSchemaProps> {
    let version = crd.spec.versions.iter().find(|version| version.name == VERSION && version.served)?;
    version.schema.as_ref()?.open_api_v3_schema.as_ref()
}

/// The fields that a schema lacks, as paths.
fn missing_fields(known: &JSONSchemaProps, found: &JSONSchemaProps) -> Vec<String> {
    let mut missing = Vec::new();
    for (name, known) in known.properties.iter().flatten() {
        match found.properties.as_ref().and_then(|it| it.get(name)) {
            Some(found) => {
                let within = missing_fields(known, found).into_iter();
                missing.extend(within.map(|path| format!("{name}.{path}")));
            }
            None => missing.push(name.clone()),
        }
    }
    missing
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// An older CRD drops what it does not know without a word, so its first missing field is named.
    #[test]
    fn older_crd_is_told_by_missing_field() {
        let mut crd = ConfidenceClientCredential::crd();
        assert!(judge(Some(&crd)).ok);
        let schema = crd.spec.versions[0].schema.as_mut().unwrap().open_api_v3_schema.as_mut().unwrap();
        let spec = schema.properties.as_mut().unwrap().get_mut("spec").unwrap();
        spec.properties.as_mut().unwrap().remove("rotation");
        assert!(judge(Some(&crd)).text.contains("spec.rotation"));
        crd.spec.versions[0].served = false;
        assert!(judge(Some(&crd)).text.contains("does not serve"));
        assert!(judge(None).text.contains("not installed"));
    }
}
