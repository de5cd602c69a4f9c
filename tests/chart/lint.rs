//! Helm's own lint, the chart's unit tests, and the one place for the version.

use testbed::Tool;

use super::support::{chart, documents, repository, succeed, text, tool, values};

#[test]
fn helm_lint_has_nothing_to_say_about_any_set_of_values() {
    succeed(tool(Tool::Helm).args(["lint", "--strict"]).arg(chart()));
    for file in ["values-full.yaml", "values-namespaced.yaml"] {
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
