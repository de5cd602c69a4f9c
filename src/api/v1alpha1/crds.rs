//! The CRDs, as they are printed, installed and documented.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use super::{ClusterConfidenceAccount, ConfidenceAccount, ConfidenceClientCredential};

/// The properties that every object has, and that the derive leaves out of the root schema. `kubectl explain` and
/// generators of clients look for them there.
const ROOT: [(&str, &str, &str); 3] = [
    ("apiVersion", "string", "The group and version of this kind: iam.confidence.dev/v1alpha1."),
    ("kind", "string", "The kind of this object."),
    ("metadata", "object", "Name, namespace, labels and annotations, as for every object of Kubernetes."),
];

/// The CRD of each kind of the group.
pub fn crds() -> [CustomResourceDefinition; 3] {
    [
        finished(ConfidenceClientCredential::crd()),
        finished(ConfidenceAccount::crd()),
        finished(ClusterConfidenceAccount::crd()),
    ]
}

/// Completes what the derive makes.
fn finished(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let Some(root) = version.schema.as_mut().and_then(|it| it.open_api_v3_schema.as_mut()) else { continue };
        without_nullable(root);
        for (name, type_, description) in ROOT {
            let property = JSONSchemaProps {
                type_: Some(type_.to_owned()),
                description: Some(description.to_owned()),
                ..JSONSchemaProps::default()
            };
            root.properties.get_or_insert_default().insert(name.to_owned(), property);
        }
    }
    crd
}

/// Invariant: nothing is nullable (`schema_of_no_field_is_nullable`). schemars marks every `Option`; a stored null would
/// be a third thing beside absent and empty.
fn without_nullable(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.properties.iter_mut().flat_map(|it| it.values_mut()).for_each(without_nullable);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        without_nullable(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        without_nullable(values);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
