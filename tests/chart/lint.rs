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
