//! Writes to the resource itself: the attempt and the finalizer, over the version that the facts are from.

use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use crate::api::{ATTEMPT, ConfidenceClientCredential, FINALIZER};
use crate::engine::FIELD_MANAGER;
use crate::plan::lifecycle::Attempt;

/// What changes in the metadata of a resource.
#[derive(Clone, Copy, Debug)]
pub(super) enum MetadataChange {
    /// The attempt is written ahead, if asked with the finalizer.
    Attempt { attempt: Attempt, with_finalizer: bool },
    /// The finalizer is set.
    AddFinalizer,
    /// The finalizer is taken away.
    RemoveFinalizer,
}

/// Reads a resource whole, with the finalizers of others; none where it is gone or another one has its name.
pub(super) async fn read(
    client: &Client,
    object: &ConfidenceClientCredential,
) -> kube::Result<Option<ConfidenceClientCredential>> {
    let read = api(client, object).get_opt(&object.name_any()).await?;
    Ok(read.filter(|read| read.uid() == object.uid()))
}

/// Patches the metadata over the version of `object`, which has to be read whole: the list of finalizers is replaced.
///
/// # Errors
/// A conflict (409) where somebody wrote the resource since.
pub(super) async fn change(
    client: &Client,
    object: &ConfidenceClientCredential,
    change: MetadataChange,
) -> kube::Result<ConfidenceClientCredential> {
    let mut finalizers = object.finalizers().to_vec();
    let has_finalizer = finalizers.iter().any(|it| it == FINALIZER);
    match change {
        MetadataChange::Attempt { with_finalizer: false, .. } => {}
        MetadataChange::Attempt { .. } | MetadataChange::AddFinalizer if has_finalizer => {}
        MetadataChange::Attempt { .. } | MetadataChange::AddFinalizer => finalizers.push(FINALIZER.to_owned()),
        MetadataChange::RemoveFinalizer => finalizers.retain(|it| it != FINALIZER),
    }
    let mut metadata = json!({
        "uid": object.uid(), "resourceVersion": object.resource_version(), "finalizers": finalizers,
    });
    if let MetadataChange::Attempt { attempt, .. } = change {
        metadata["annotations"] = json!({ATTEMPT: attempt.to_string()});
    }
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({"metadata": metadata}));
    api(client, object).patch(&object.name_any(), &parameters, &patch).await
}

fn api(client: &Client, object: &ConfidenceClientCredential) -> Api<ConfidenceClientCredential> {
    Api::namespaced(client.clone(), object.metadata.namespace.as_deref().unwrap_or_default())
}
