//! Helm's own lint, the chart's unit tests, and the one place for the version.

use std::process::Command;

use testbed::Tool;

use super::support::{SETS, chart, documents, repository, succeed, template, text, tool, values};

#[test]
fn helm_lint_has_nothing_to_say_about_any_set_of_values() {
    succeed(tool(Tool::Helm).args(["lint", "--strict"]).arg(chart()));
    for file in SETS {
        succeed(tool(Tool::Helm).args(["lint", "--strict", "--values", &values(file)]).arg(chart()));
    }
}

#[test]
fn every_switch_of_the_chart_does_what_its_unit_test_says() {
    let told = succeed(tool(Tool::HelmUnittest).args(["--strict", "--color=false"]).arg(chart()));
    assert!(told.contains("Test Suites:"), "no suite ran: {told}");
}

#[test]
fn the_chart_has_the_version_of_the_workspace() {
    let chart = documents(&std::fs::read_to_string(repository("charts/confidence-operator/Chart.yaml")).unwrap());
    assert_eq!(text(&chart[0], "/version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(text(&chart[0], "/appVersion"), env!("CARGO_PKG_VERSION"));
}

#[test]
fn objects_of_the_chart_have_the_common_metadata() {
    for document in documents(&succeed(&mut template(&["--values", &values("values-full.yaml")]))) {
        let name = text(&document, "/metadata/name");
        // The user's own objects are the user's own.
        if !["confidence-operator-extra", "confidence-operator-text"].contains(&name) {
            let metadata = &document["metadata"];
            assert_eq!(metadata["labels"]["cost-centre"], "platform", "{} {name}", text(&document, "/kind"));
            assert_eq!(
                metadata["annotations"]["example.com/contact"],
                "platform",
                "{} {name}",
                text(&document, "/kind")
            );
        }
    }
}

/// What a user sets takes the place of what the chart has, and no key comes twice: the full values repeat keys everywhere.
#[test]
fn repeated_keys_are_merged() {
    for file in SETS {
        documents(&succeed(&mut template(&["--values", &values(file)])));
    }
    let twice = "a: {b: 1, b: 2}";
    assert!(std::panic::catch_unwind(|| documents(twice)).is_err(), "a key that is there twice was not noticed");
}

#[test]
fn the_packaged_chart_has_what_it_needs_and_nothing_of_its_tests() {
    let dir = tempfile::tempdir().unwrap();
    succeed(tool(Tool::Helm).arg("package").arg(chart()).arg("--destination").arg(dir.path()));
    let package = dir.path().join(format!("confidence-operator-{}.tgz", env!("CARGO_PKG_VERSION")));
    let listed = succeed(Command::new("tar").args(["--list", "--gzip", "--file"]).arg(&package));
    let files: Vec<_> = listed.lines().filter_map(|line| line.strip_prefix("confidence-operator/")).collect();
    for needed in [
        "values.schema.json",
        "files/crds/iam.confidence.dev_confidenceclientcredentials.yaml",
        "files/monitoring/alerts.yaml",
        "files/monitoring/dashboard.json",
        "templates/NOTES.txt",
        "templates/tests/version.yaml",
    ] {
        assert!(files.contains(&needed), "{needed} is missing: {files:#?}");
    }
    assert!(!files.iter().any(|file| file.starts_with("tests/") || file.ends_with(".gotmpl")), "{files:#?}");
}

/// Artifact Hub shows the image and the CRDs of this version, and an icon and links that are in the repository.
#[test]
fn artifact_hub_annotations_match_the_repository() {
    let chart =
        documents(&std::fs::read_to_string(repository("charts/confidence-operator/Chart.yaml")).unwrap()).remove(0);
    let list = |name: &str| {
        let annotation = chart["annotations"][format!("artifacthub.io/{name}")].as_str().unwrap();
        documents(annotation).remove(0).as_array().unwrap().clone()
    };
    assert!(text(&list("images")[0], "/image").ends_with(&format!(":{}", env!("CARGO_PKG_VERSION"))));
    let mut crds: Vec<_> = list("crds").iter().map(|crd| text(crd, "/name").to_owned()).collect();
    crds.sort();
    let file = |name: &String| name.split_once('.').map(|(plural, group)| format!("{group}_{plural}.yaml")).unwrap();
    let mut found: Vec<_> = std::fs::read_dir(repository("crds")).unwrap().collect();
    found.sort_by_key(|entry| entry.as_ref().unwrap().file_name());
    let found: Vec<_> = found.into_iter().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(crds.iter().map(file).collect::<Vec<_>>(), found);
    for url in list("links").iter().map(|link| text(link, "/url")).chain([text(&chart, "/icon")]) {
        let (_, path) = url.split_once("/main/").unwrap();
        assert!(repository(path).exists(), "{url}");
    }
    let kinds = ["added", "changed", "deprecated", "removed", "fixed", "security"];
    assert!(list("changes").iter().all(|change| kinds.contains(&text(change, "/kind"))));
}

/// The table in the guide names the versions that the tests run on.
#[test]
fn tested_versions_are_those_that_are_pinned() {
    let pinned = |module: &str, name: &str| {
        let text = std::fs::read_to_string(repository(module)).unwrap();
        let line = text.lines().find_map(|line| line.trim_start().strip_prefix(&format!("{name} v"))).unwrap();
        line.split(' ').next().unwrap().to_owned()
    };
    let kubernetes = pinned("testbed/controlplane/go.mod", "k8s.io/kubernetes");
    let helm = pinned("testbed/tools/helm/go.mod", "helm.sh/helm/v4");
    let chart = std::fs::read_to_string(repository("charts/confidence-operator/Chart.yaml")).unwrap();
    let oldest = chart.split_once("kubeVersion: \">=").unwrap().1.split_once(".0-0\"").unwrap().0;
    let guide = std::fs::read_to_string(repository("docs/install.md")).unwrap();
    for row in [format!("| Kubernetes | {oldest} | {kubernetes} |"), format!("| Helm | {helm} | {helm} |")] {
        assert!(guide.contains(&row), "docs/install.md: {row}");
    }
}
