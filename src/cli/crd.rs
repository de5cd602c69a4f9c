//! The CRD as YAML: what `confidence-operator crd` prints and `crds/` holds.

use kube::CustomResourceExt;

use crate::api::ConfidenceClientCredential;

/// The CRD as YAML.
///
/// # Errors
/// When it cannot be written as YAML, which would be a mistake in the types.
pub fn yaml() -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(&ConfidenceClientCredential::crd())
}
