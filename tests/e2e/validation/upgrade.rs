//! Objects of the previous release under today's CRD.

use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use testbed::{ControlPlane, Deadline, eventually};

use super::Objects;
use crate::world::{PATIENCE, run};

/// The CRD of the previous release.
const PREVIOUS: &str = include_str!("previous-crd.yaml");

const TODAY: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/crds/iam.confidence.dev_confidenceclientcredentials.yaml"));

/// A group of this test's own, because the CRD that all tests share must not go back.
const GROUP: &str = "previous.confidence.test";

/// Installs a CRD under that group, and under names that no kubectl of another test takes for the shared one.
fn install(plane: &ControlPlane, crd: &str) {
    let names = [
        ("iam.confidence.dev", GROUP),
        ("ConfidenceClientCredential", "OldCredential"),
        ("confidenceclientcredential", "oldcredential"),
        ("- ccc", "- occ"),
        ("- confidence\n", "- old\n"),
    ];
    let crd = names.iter().fold(crd.to_owned(), |crd, (shared, own)| crd.replace(shared, own));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), crd).unwrap();
    run(plane, &["apply", "--server-side", "-f", file.path().to_str().unwrap()]);
    run(plane, &["wait", "--for=condition=Established", &format!("crd/oldcredentials.{GROUP}")]);
}

/// An upgrade leaves stored objects that today's rules would refuse: with nulls, with an interval and labels that are no
/// longer allowed, with a long annotation echoed. They stay readable, and whatever does not break a rule anew is accepted.
#[tokio::test]
async fn object_of_previous_crd_stays_updatable() {
    let plane = ControlPlane::shared();
    install(plane, PREVIOUS);
    let client = plane.client().await.unwrap();
    let objects = Objects::served_by(client, GROUP, "OldCredential", "oldcredentials", true);
    let object = json!({
        "apiVersion": format!("{GROUP}/v1alpha1"), "kind": "OldCredential", "metadata": {"name": "old"},
        "spec": {
            "name": "clients/c/clientCredentials/k", "displayName": "Checkout", "environments": null,
            "labels": {"confidence-operator-x": "v"}, "interval": "9000000000us",
        },
    });
    let created =
        async || objects.api.create(&PostParams::default(), &serde_json::from_value(object.clone()).unwrap()).await;
    eventually("the kind", Deadline(PATIENCE), created, Result::is_ok).await.unwrap();
    let status = json!({
        "clientSecret": {"uid": "u", "resourceVersion": "1", "key": "k"}, "lastHandledReconcileAt": "x".repeat(200),
    });
    merge_status(&objects, status).await;

    install(plane, TODAY);
    let spec = |change: Value| json!({"spec": change});
    let merge = async |patch: Value| objects.api.patch("old", &PatchParams::default(), &Patch::Merge(patch)).await;
    let blank = async || merge(spec(json!({"client": "clients/c"}))).await.map(drop).map_err(|error| error.to_string());
    // Until the API server knows today's rules, it drops the field.
    let refused =
        |answer: &Result<(), String>| answer.as_ref().is_err_and(|error| error.contains("exactly one of name"));
    eventually("today's rules", Deadline(PATIENCE), blank, refused).await.unwrap_err();

    let after = merge(spec(json!({"displayName": "Checkout backend"}))).await.unwrap();
    assert_eq!(after.data["spec"]["environments"], Value::Null);
    merge_status(&objects, json!({"observedGeneration": 2})).await;
    let refused = merge(spec(json!({"interval": "9000000001us"}))).await.unwrap_err().to_string();
    assert!(refused.contains("must be a duration of 1s to 8760h"), "{refused}");
    merge(spec(json!({"name": "clients/c/credentials/k", "interval": "1m", "labels": {"confidence-operator-x": null, "a": "b"}}))).await.unwrap();
    objects.api.delete("old", &DeleteParams::default()).await.unwrap();
}

async fn merge_status(objects: &Objects, status: Value) {
    let patch = Patch::Merge(json!({"status": status}));
    objects.api.patch_status("old", &PatchParams::default(), &patch).await.unwrap();
}
