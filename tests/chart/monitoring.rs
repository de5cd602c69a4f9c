//! Alerts and dashboard: sound, tested, documented, and about metrics that exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testbed::Tool;

use super::support::{chart, documents, repository, succeed, template, text, tool, values};

/// What the binary exposes, without the suffixes of counters and histograms.
const METRICS: &[&str] = &[
    "account_blocked",
    "account_queue_depth",
    "account_queue_duration_seconds",
    "account_rate_limit_requests_per_second",
    "api_request_duration_seconds",
    "api_requests",
    "audit_findings",
    "build_info",
    "credentials_created",
    "credentials_deleted",
    "credentials_unseen",
    "drift_corrected",
    "drift_detected",
    "kubernetes_errors",
    "leader",
    "lists",
    "oldest_rotation_start_timestamp_seconds",
    "reconcile",
    "reconcile_duration_seconds",
    "reconciles_in_progress",
    "resources",
    "resources_rotating",
    "resources_with_unresolved_attempts",
    "status_writes",
    "token_expiry_timestamp_seconds",
];

fn alerts() -> Vec<Value> {
    let rules = documents(&std::fs::read_to_string(chart().join("files/monitoring/alerts.yaml")).unwrap()).remove(0);
    rules["groups"][0]["rules"].as_array().unwrap().clone()
}

/// A part of the mixin, as jsonnet renders it.
fn mixin(part: &str) -> Value {
    let code = format!("(import 'monitoring/mixin/mixin.libsonnet') {{ _config+:: {{ runbookUrl: '' }} }}.{part}");
    serde_json::from_str(&succeed(tool(Tool::Jsonnet).args(["-e", &code]))).unwrap()
}

/// The mixin has the alerts and the dashboard of the chart, unless its configuration changes them.
#[test]
fn mixin_renders_the_alerts_and_the_dashboard() {
    let rules = mixin("prometheusAlerts");
    assert_eq!(rules["groups"][0]["rules"].as_array().unwrap(), &alerts());
    let dashboard = std::fs::read(chart().join("files/monitoring/dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_slice(&dashboard).unwrap();
    assert_eq!(mixin("grafanaDashboards")["confidence-operator.json"], dashboard);
}

/// By default an alert of the mixin leads to its runbook, as one of the chart does.
#[test]
fn mixin_links_to_the_runbooks() {
    let code =
        "(import 'monitoring/mixin/mixin.libsonnet').prometheusAlerts.groups[0].rules[0].annotations.runbook_url";
    let link: String = serde_json::from_str(&succeed(tool(Tool::Jsonnet).args(["-e", code]))).unwrap();
    let values = documents(&std::fs::read_to_string(chart().join("values.yaml")).unwrap()).remove(0);
    let page = text(&values, "/metrics/prometheusRule/runbookUrl");
    assert_eq!(link, format!("{page}#{}", text(&alerts()[0], "/alert").to_lowercase()));
}

fn dashboard_queries() -> Vec<String> {
    let text = std::fs::read(chart().join("files/monitoring/dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_slice(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    // As Grafana fills them in.
    targets.map(|it| text_of(it).replace("$__rate_interval", "5m").replace("$namespace", ".*")).collect()
}

fn text_of(target: &Value) -> &str {
    target["expr"].as_str().unwrap()
}

#[test]
fn each_alert_fires_when_it_should_and_only_then() {
    let rules = chart().join("files/monitoring/alerts.yaml");
    succeed(tool(Tool::Promtool).args(["check", "rules", "--lint-fatal"]).arg(rules));
    succeed(tool(Tool::Promtool).args(["test", "rules"]).arg(repository("tests/chart/alerts.test.yaml")));
}

#[test]
fn each_alert_has_a_case_and_a_runbook() {
    let cases = std::fs::read_to_string(repository("tests/chart/alerts.test.yaml")).unwrap();
    let runbooks = std::fs::read_to_string(repository("docs/operations.md")).unwrap();
    for alert in alerts() {
        let name = text(&alert, "/alert");
        assert!(cases.contains(&format!("alertname: {name}\n        exp_alerts:\n          - ")), "{name}: no case");
        assert!(runbooks.contains(&format!("### {name}\n")), "{name}: no section in docs/operations.md");
        assert!(["warning", "critical"].contains(&text(&alert, "/labels/severity")), "{name}: severity");
    }
}

#[test]
fn the_queries_of_the_dashboard_are_sound() {
    let queries = dashboard_queries();
    assert!(queries.len() > 15, "{queries:?}");
    let rules = queries.iter().enumerate();
    let rules = rules.map(|(at, query)| serde_json::json!({"record": format!("dashboard:query{at}"), "expr": query}));
    let group = serde_json::json!({"name": "dashboard", "rules": rules.collect::<Vec<_>>()});
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("dashboard.yaml");
    std::fs::write(&file, serde_json::json!({"groups": [group]}).to_string()).unwrap();
    succeed(tool(Tool::Promtool).args(["check", "rules"]).arg(file));
}

#[test]
fn alerts_and_dashboard_ask_for_every_metric_and_for_none_that_does_not_exist() {
    let alerts = alerts().iter().map(|alert| text(alert, "/expr").to_owned()).collect::<Vec<_>>();
    let asked: BTreeSet<_> = alerts.iter().chain(&dashboard_queries()).flat_map(|query| metrics_of(query)).collect();
    let known: BTreeSet<_> = METRICS.iter().map(|it| (*it).to_owned()).collect();
    assert_eq!(asked, known);
}

fn metrics_of(query: &str) -> Vec<String> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let names = words.filter_map(|word| word.strip_prefix("confidence_operator_"));
    let suffixes = ["_total", "_bucket", "_sum", "_count"];
    names.map(|name| suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name).to_owned()).collect()
}

/// The rule as the chart renders it for a release in a namespace, as a rule file of Prometheus, which takes JSON too.
fn rendered_rule(namespace: &str, folder: &Path) -> PathBuf {
    let rendered = succeed(&mut template(&[
        "--namespace",
        namespace,
        "--set",
        "metrics.prometheusRule.enabled=true,metrics.prometheusRule.runbookUrl=",
        "--show-only",
        "templates/monitoring/prometheusrule.yaml",
    ]));
    let file = folder.join(format!("{namespace}.yaml"));
    std::fs::write(&file, documents(&rendered).remove(0)["spec"].to_string()).unwrap();
    file
}

/// The cases of the alerts, for another rule file and with other expectations.
fn run_cases(rules: &Path, mut expect: impl FnMut(&mut Vec<Value>)) {
    let mut cases = documents(&std::fs::read_to_string(repository("tests/chart/alerts.test.yaml")).unwrap()).remove(0);
    cases["rule_files"] = json!([rules]);
    for case in cases["tests"].as_array_mut().unwrap() {
        expect(case["alert_rule_test"].as_array_mut().unwrap());
    }
    let file = rules.with_extension("test.yaml");
    std::fs::write(&file, cases.to_string()).unwrap();
    succeed(tool(Tool::Promtool).args(["test", "rules"]).arg(file));
}

#[test]
fn the_alerts_of_a_release_speak_of_its_own_namespace_and_of_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let absent = |test: &Value| test["alertname"] == "ConfidenceOperatorAbsent";
    // All series of the cases are of a release in the namespace co.
    let own = rendered_rule("co", dir.path());
    succeed(tool(Tool::Promtool).args(["check", "rules", "--lint-fatal"]).arg(&own));
    run_cases(&own, |tests| {
        for alert in tests.iter_mut().filter(|it| absent(it)).filter_map(|it| it["exp_alerts"].get_mut(0)) {
            // Where nothing is there, its namespace can be known only from the question.
            alert["exp_labels"]["namespace"] = json!("co");
        }
    });
    run_cases(&rendered_rule("elsewhere", dir.path()), |tests| {
        tests.retain(|it| !absent(it));
        for test in tests {
            test["exp_alerts"] = json!([]);
        }
    });
}

#[test]
fn every_metric_that_an_installed_alert_asks_for_is_that_of_the_releases_namespace() {
    let dir = tempfile::tempdir().unwrap();
    let rules = std::fs::read_to_string(rendered_rule("co", dir.path())).unwrap();
    let rules: Value = serde_json::from_str(&rules).unwrap();
    for rule in rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap()) {
        for asked in text(rule, "/expr").split("confidence_operator_").skip(1) {
            let (_, selector) = asked.split_once(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap();
            assert!(selector.starts_with("namespace=\"co\""), "{rule:#}");
        }
    }
}

#[test]
fn the_rendered_rule_is_one_that_prometheus_takes() {
    let full = succeed(&mut template(&[
        "--values",
        &values("values-full.yaml"),
        "--show-only",
        "templates/monitoring/prometheusrule.yaml",
    ]));
    let rule = documents(&full).remove(0);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rules.yaml");
    std::fs::write(&file, rule["spec"].to_string()).unwrap();
    succeed(tool(Tool::Promtool).args(["check", "rules"]).arg(file));
    let installed = rule["spec"]["groups"][0]["rules"].as_array().unwrap();
    assert_eq!(installed.len(), alerts().len() - 1, "one is disabled in the full values");
    for alert in installed {
        assert_eq!(alert["labels"]["team"], "platform");
        let anchor = text(alert, "/alert").to_lowercase();
        assert_eq!(alert["annotations"]["runbook_url"], format!("https://docs.example.com/operations#{anchor}"));
    }
}
