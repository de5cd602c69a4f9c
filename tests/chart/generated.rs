//! Files that are made from others, and the staleness of each. `GENERATE=1` writes them.

use std::path::Path;
use std::process::Command;

use testbed::Tool;

use super::support::{RELEASE, chart, repository, succeed, template, tool};

/// How the plain manifests begin.
const ORIGIN: &str = "# Rendered from charts/confidence-operator with its default values; change it there.\n";

/// The plain manifests bring their namespace, at the strictest Pod Security level.
const NAMESPACE: &str = "\
apiVersion: v1
kind: Namespace
metadata:
  name: confidence-operator
  labels:
    app.kubernetes.io/part-of: confidence-operator
    pod-security.kubernetes.io/enforce: restricted
";

/// What only Helm needs to know.
const HELMS_OWN: &[&str] =
    &["# Source: ", "helm.sh/chart: ", "helm.sh/resource-policy: ", "app.kubernetes.io/managed-by: "];

/// Holds a file against what it is made from, or writes it.
pub fn up_to_date(path: &Path, expected: &str) {
    if std::env::var_os("GENERATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, expected).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == expected, "{} is stale: run `cargo xtask generate`", path.display());
}

#[test]
fn the_chart_carries_the_crds_as_they_are() {
    let names = |dir: &Path| {
        let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    for name in names(&repository("crds")) {
        let crd = std::fs::read_to_string(repository("crds").join(&name)).unwrap();
        up_to_date(&chart().join("files/crds").join(name), &crd);
    }
    assert_eq!(names(&chart().join("files/crds")), names(&repository("crds")), "one too many in the chart");
}

#[test]
fn the_readme_of_the_chart_tells_every_value() {
    let mut helm_docs = tool(Tool::HelmDocs);
    helm_docs.args(["--dry-run", "--log-level", "warning", "--sort-values-order", "file", "--chart-search-root"]);
    let readme = succeed(helm_docs.arg(chart()));
    let silent: Vec<_> = readme.lines().filter(|line| line.starts_with("| ") && line.ends_with("|  |")).collect();
    assert!(silent.is_empty(), "values without a description: {silent:#?}");
    up_to_date(&chart().join("README.md"), &format!("{}\n", readme.trim_end()));
}

#[test]
fn the_plain_manifests_are_what_the_chart_renders_and_a_kustomize_base() {
    let rendered = succeed(&mut template(&["--no-hooks"]));
    let lines = rendered.lines().filter(|line| !HELMS_OWN.iter().any(|own| line.trim_start().starts_with(own)));
    let documents = format!("{}\n", lines.collect::<Vec<_>>().join("\n"));
    let documents = documents.split("---\n").map(str::trim).filter(|it| !it.is_empty());
    // Apart, so that what takes the operator away does not take every resource away.
    let (crds, others): (Vec<_>, Vec<_>) = documents.partition(|it| it.contains("kind: CustomResourceDefinition\n"));
    let together = |all: String, document: &str| format!("{all}---\n{document}\n");
    for (file, manifests) in [
        ("deploy/crds/crds.yaml", crds.into_iter().fold(ORIGIN.to_owned(), together)),
        ("deploy/install.yaml", others.into_iter().fold(format!("{ORIGIN}{NAMESPACE}"), together)),
    ] {
        assert!(!manifests.contains("helm"), "something of Helm is left");
        up_to_date(&repository(file), &manifests);
    }

    let kubectl = testbed::Assets::find().unwrap().kubectl();
    let kustomize = |base: &str| succeed(Command::new(&kubectl).arg("kustomize").arg(repository(base)));
    let built = kustomize("deploy");
    for kind in ["Namespace", "ClusterRole", "Deployment"] {
        assert!(built.contains(&format!("kind: {kind}\n")), "{kind}");
    }
    assert!(kustomize("deploy/crds").contains("kind: CustomResourceDefinition\n"));
    assert!(built.contains(&format!("image: {RELEASE}:{}", env!("CARGO_PKG_VERSION"))));
}
