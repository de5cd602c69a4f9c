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
    let crd = confidence_operator::crd::yaml().unwrap();
    check("crds/iam.confidence.dev_confidenceclientcredentials.yaml", &crd);
}

#[test]
fn the_api_reference_is_the_one_that_the_crd_describes() {
    let crd = confidence_operator::api::ConfidenceClientCredential::crd();
    check("docs/api.md", &api_reference::of(&crd));
}
