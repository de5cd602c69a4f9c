//! What is read of a resource that is listed or watched: what somebody here asks for, and nothing else.
//!
//! The API server sends everything. Most of it is `managedFields`, a tree of maps to read, and `kubectl`'s annotation, the
//! manifest once more: what is left out while reading costs no memory, and no more CPU than finding its end.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use kube::runtime::watcher::Event;
use serde::{Deserialize, Deserializer};

use crate::api::{
    ConfidenceClientCredential, ConfidenceClientCredentialSpec, ConfidenceClientCredentialStatus,
    RECONCILE_REQUESTED_AT,
};

/// A resource as it is read.
#[derive(Clone, Debug, Deserialize, Resource)]
#[resource(inherit = ConfidenceClientCredential)]
pub(super) struct Watched {
    #[serde(deserialize_with = "metadata")]
    metadata: ObjectMeta,
    spec: ConfidenceClientCredentialSpec,
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
    annotations: Option<Annotations>,
}

#[derive(Deserialize)]
struct Annotations {
    /// [`RECONCILE_REQUESTED_AT`], which serde wants spelled out.
    #[serde(rename = "iam.confidence.dev/reconcile-requested-at")]
    requested_at: Option<String>,
}

fn metadata<'de, D: Deserializer<'de>>(from: D) -> Result<ObjectMeta, D::Error> {
    let read = Metadata::deserialize(from)?;
    let requested_at = read.annotations.and_then(|it| it.requested_at);
    Ok(ObjectMeta {
        name: read.name,
        namespace: read.namespace,
        uid: read.uid,
        resource_version: read.resource_version,
        generation: read.generation,
        creation_timestamp: read.creation_timestamp,
        deletion_timestamp: read.deletion_timestamp,
        annotations: requested_at.map(|it| [(RECONCILE_REQUESTED_AT.to_owned(), it)].into()),
        ..ObjectMeta::default()
    })
}

impl From<Watched> for ConfidenceClientCredential {
    fn from(Watched { metadata, spec, status }: Watched) -> Self {
        Self { metadata, spec, status }
    }
}

/// The same event, about the resource.
pub(super) fn event(event: Event<Watched>) -> Event<ConfidenceClientCredential> {
    match event {
        Event::Apply(object) => Event::Apply(object.into()),
        Event::Delete(object) => Event::Delete(object.into()),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(object.into()),
        Event::InitDone => Event::InitDone,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(object: Value) -> ConfidenceClientCredential {
        serde_json::from_value::<Watched>(object).unwrap().into()
    }

    fn object(metadata: &Value) -> Value {
        json!({
            "apiVersion": "iam.confidence.dev/v1alpha1", "kind": "ConfidenceClientCredential", "metadata": metadata,
            "spec": {"name": "clients/c/credentials/k", "displayName": "Web", "labels": {"team": "x"}, "later": 1},
            "status": {"observedGeneration": 2, "updateTime": "2026-01-02T03:04:05.5Z"},
        })
    }

    #[test]
    fn what_is_needed_of_a_resource_is_read_as_the_resource_itself_is() {
        let needed = object(&json!({
            "name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "7", "generation": 2,
            "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-03T00:00:00Z",
            "annotations": {RECONCILE_REQUESTED_AT: "now"},
        }));
        let whole: ConfidenceClientCredential = serde_json::from_value(needed.clone()).unwrap();
        assert_eq!(serde_json::to_value(read(needed)).unwrap(), serde_json::to_value(whole).unwrap());
    }

    #[test]
    fn what_nobody_asks_for_is_not_kept() {
        let whole = read(object(&json!({
            "name": "web", "labels": {"a": "b"}, "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
            "finalizers": ["f"], "ownerReferences": [{"name": "o", "uid": "u", "kind": "K", "apiVersion": "v1"}],
            "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
        })));
        assert_eq!(whole.metadata, ObjectMeta { name: Some("web".to_owned()), ..ObjectMeta::default() });
    }

    #[test]
    fn what_is_absent_or_null_is_none() {
        let bare = read(json!({"metadata": {"name": "web", "annotations": null, "uid": null}, "spec":
            {"name": "clients/c/credentials/k", "displayName": "Web"}, "status": null}));
        assert_eq!((bare.metadata.annotations, bare.metadata.uid, bare.status), (None, None, None));
    }
}
