//! The CRDs as YAML: what `confidence-operator crd` prints and `crds/` holds.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::api;

/// All CRDs as one stream of YAML documents.
///
/// # Errors
/// When one cannot be written as YAML, which would be a mistake in the types.
pub fn yaml() -> Result<String, serde_saphyr::ser::Error> {
    let documents: Vec<String> = files()?.into_iter().map(|(_, document)| document).collect();
    Ok(documents.join("---\n"))
}

/// The name of the file of each CRD below `crds/`, and its text.
///
/// # Errors
/// When one cannot be written as YAML, which would be a mistake in the types.
pub fn files() -> Result<Vec<(String, String)>, serde_saphyr::ser::Error> {
    let file = |crd: &CustomResourceDefinition| {
        let name = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
        Ok((name, serde_saphyr::to_string(crd)?))
    };
    api::crds().iter().map(file).collect()
}
