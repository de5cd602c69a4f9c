//! What the chart renders, whole: for the default values, for all of them changed (in two sets, as some exclude others), and
//! for a team without cluster rights.

use super::support::{succeed, template, values};

/// The CRD and the dashboard are files of the repository already; here they would drown the rest.
fn rendered(arguments: &[&str]) -> String {
    let all = succeed(template(arguments).args(["--set", "crds.install=false"]));
    let documents = all.split("\n---\n").filter(|it| !it.contains("templates/monitoring/dashboard.yaml"));
    documents.collect::<Vec<_>>().join("\n---\n")
}

#[test]
fn default_values() {
    insta::assert_snapshot!(rendered(&[]));
}

#[test]
fn full_values() {
    insta::assert_snapshot!(rendered(&["--values", &values("values-full.yaml")]));
}

#[test]
fn other_values() {
    insta::assert_snapshot!(rendered(&["--values", &values("values-other.yaml")]));
}

#[test]
fn namespaced_values() {
    let rendered = rendered(&["--values", &values("values-namespaced.yaml")]);
    assert!(!rendered.contains("kind: ClusterRole"), "a team without cluster rights cannot install it");
    insta::assert_snapshot!(rendered);
}
