//! What is generated from the types is up to date. `cargo xtask generate` writes it anew.
#![allow(clippy::unwrap_used, missing_docs)]

mod api_reference;

use kube::CustomResourceExt;

/// Compares a file with what it should be, or writes it.
fn check(file: &str, fresh: &str) {
    let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("GENERATE").is_some() {
        std::fs::write(&path, fresh).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == fresh, "{file} is stale; run cargo xtask generate");
}

#[test]
fn the_crd_is_the_one_that_the_types_describe() {
    let crd = confidence_operator::cli::crd::yaml().unwrap();
    check("crds/iam.confidence.dev_confidenceclientcredentials.yaml", &crd);
}

#[test]
fn the_api_reference_is_the_one_that_the_crd_describes() {
    let crd = confidence_operator::api::ConfidenceClientCredential::crd();
    check("docs/api.md", &api_reference::of(&crd));
}

#[test]
fn the_api_reference_keeps_the_full_stop_that_a_message_means_as_a_character() {
    let crd = confidence_operator::api::ConfidenceClientCredential::crd();
    let reference = api_reference::of(&crd);
    for message in ["letters, digits, - _ and .", "lower case letters, digits, - and ."] {
        assert!(reference.contains(&format!(" {message} |")), "{message}");
    }
    assert!(!reference.contains(".. "));
}

#[test]
fn the_patch_for_argo_cd_carries_the_health_check() {
    let key = "resource.customizations.health.iam.confidence.dev_ConfidenceClientCredential";
    let indented = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") };
    let script: String = testbed::gitops::argo::SCRIPT.lines().map(indented).collect();
    let patch = format!(
        "\
# Made from health.lua. A patch of Argo CD's own ConfigMap, not the whole of it:
#   kubectl -n argocd patch configmap argocd-cm --type merge --patch-file argocd-cm.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
data:
  {key}: |
{script}"
    );
    check("deploy/argocd/argocd-cm.yaml", &patch);
}
