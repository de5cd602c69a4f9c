//! How a resource is decoded from a list or a watch: what somebody here asks for, and nothing else.
//!
//! The API server sends everything. Most of it is `managedFields`, a tree of maps, and `kubectl`'s annotation, the manifest
//! once more: what is skipped while decoding costs no memory.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialSpec, ConfidenceClientCredentialStatus, GROUP};
use crate::engine::Watched;

impl Watched for ConfidenceClientCredential {
    type Wire = Wire;
}

/// In characters. The longest value that means something is the name of a credential, with 300; what is longer is still longer
/// when it is cut.
const MAX_ANNOTATION_LENGTH: usize = 301;

/// A resource as it is decoded.
#[derive(Deserialize)]
pub struct Wire {
    metadata: Metadata,
    spec: ConfidenceClientCredentialSpec,
    /// A status that cannot be decoded counts as lost: the operator writes it anew.
    #[serde(default, deserialize_with = "lenient")]
    status: Option<ConfidenceClientCredentialStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    annotations: Option<BTreeMap<String, String>>,
    finalizers: Option<Vec<String>>,
}

fn lenient<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ConfidenceClientCredentialStatus>, D::Error> {
    Ok(Option::<Value>::deserialize(from)?.and_then(|status| serde_json::from_value(status).ok()))
}

impl From<Wire> for ConfidenceClientCredential {
    fn from(Wire { metadata: read, spec, status }: Wire) -> Self {
        let own = read.annotations.into_iter().flatten().filter(|(name, _)| name.starts_with(GROUP));
        let annotations: BTreeMap<_, _> =
            own.map(|(name, value)| (name, value.chars().take(MAX_ANNOTATION_LENGTH).collect())).collect();
        let finalizers: Vec<_> = read.finalizers.into_iter().flatten().filter(|it| it.starts_with(GROUP)).collect();
        let metadata = ObjectMeta {
            name: read.name,
            namespace: read.namespace,
            uid: read.uid,
            resource_version: read.resource_version,
            generation: read.generation,
            creation_timestamp: read.creation_timestamp,
            deletion_timestamp: read.deletion_timestamp,
            annotations: (!annotations.is_empty()).then_some(annotations),
            finalizers: (!finalizers.is_empty()).then_some(finalizers),
            ..ObjectMeta::default()
        };
        Self { metadata, spec, status }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::api::RECONCILE_REQUESTED_AT;
    use serde_json::json;

    fn decode(object: &Value) -> ConfidenceClientCredential {
        serde_json::from_value::<Wire>(object.clone()).unwrap().into()
    }

    fn object(metadata: &Value) -> Value {
        json!({
            "apiVersion": "iam.confidence.dev/v1alpha1", "kind": "ConfidenceClientCredential", "metadata": metadata,
            "spec": {"name": "clients/c/credentials/k", "displayName": "Web", "labels": {"team": "x"}, "later": 1},
            "status": {"observedGeneration": 2, "updateTime": "2026-01-02T03:04:05.5Z"},
        })
    }

    /// Nothing is lost of what the operator uses.
    #[test]
    fn needed_fields_decode_as_the_resource_itself() {
        let needed = object(&json!({
            "name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "7", "generation": 2,
            "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-03T00:00:00Z",
            "annotations": {RECONCILE_REQUESTED_AT: "now"}, "finalizers": ["iam.confidence.dev/credential"],
        }));
        let whole: ConfidenceClientCredential = serde_json::from_value(needed.clone()).unwrap();
        assert_eq!(serde_json::to_value(decode(&needed)).unwrap(), serde_json::to_value(whole).unwrap());
    }

    /// A hundred large resources must not fill the memory.
    #[test]
    fn unneeded_metadata_is_dropped() {
        let whole = decode(&object(&json!({
            "name": "web", "labels": {"a": "b"}, "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
            "finalizers": ["f"], "ownerReferences": [{"name": "o", "uid": "u", "kind": "K", "apiVersion": "v1"}],
            "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
        })));
        assert_eq!(whole.metadata, ObjectMeta { name: Some("web".to_owned()), ..ObjectMeta::default() });
    }

    /// The status is the operator's own to write: one that is broken is as good as none.
    #[test]
    fn undecodable_status_counts_as_lost() {
        let mut broken = object(&json!({"name": "web"}));
        broken["status"]["updateTime"] = json!("2026-01-02T03:04:05+99:99");
        assert_eq!(decode(&broken).status, None);
    }
}
