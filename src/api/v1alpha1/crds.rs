//! The CRDs, as they are printed, installed and documented.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use super::{ClusterConfidenceAccount, ConfidenceAccount, ConfidenceClientCredential};

/// The properties that every object has, and that the derive leaves out of the root schema. `kubectl explain` and
/// generators of clients look for them there. The API server allows no description of `metadata`: it has its own.
const ROOT: [(&str, &str, Option<&str>); 3] = [
    ("apiVersion", "string", Some("The group and version of this kind: iam.confidence.dev/v1alpha1.")),
    ("kind", "string", Some("The kind of this object.")),
    ("metadata", "object", None),
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
///
/// Invariant: no field is nullable (`every_field_is_not_nullable`). schemars marks each `Option`, and a stored null would be a
/// third thing beside absent and empty.
fn finished(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let Some(root) = version.schema.as_mut().and_then(|it| it.open_api_v3_schema.as_mut()) else { continue };
        for_each_schema(root, &mut |schema| {
            schema.nullable = None;
            schema.description = schema.description.as_deref().map(flowed);
        });
        for (name, type_, description) in ROOT {
            let property = JSONSchemaProps {
                type_: Some(type_.to_owned()),
                description: description.map(str::to_owned),
                ..JSONSchemaProps::default()
            };
            root.properties.get_or_insert_default().insert(name.to_owned(), property);
        }
    }
    crd
}

/// Visits a schema and those within it.
fn for_each_schema(schema: &mut JSONSchemaProps, visit: &mut impl FnMut(&mut JSONSchemaProps)) {
    visit(schema);
    for property in schema.properties.iter_mut().flat_map(|it| it.values_mut()) {
        for_each_schema(property, visit);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        for_each_schema(items, visit);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        for_each_schema(values, visit);
    }
}

/// A comment of the source with one line a paragraph: `kubectl explain` wraps lines, and does not join them.
fn flowed(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
