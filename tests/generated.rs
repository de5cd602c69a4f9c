//! What is generated is up to date.
#![allow(clippy::unwrap_used, missing_docs)]

#[test]
fn the_crd_in_the_repository_and_in_the_chart_is_the_one_that_the_types_describe() {
    let crd = confidence_operator::crd::yaml().unwrap();
    for file in [
        "crds/iam.confidence.dev_confidenceclientcredentials.yaml",
        "charts/confidence-operator/files/crds/iam.confidence.dev_confidenceclientcredentials.yaml",
    ] {
        let text = std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(text == crd, "{file} is stale; run cargo xtask generate");
    }
}
