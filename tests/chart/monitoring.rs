//! Alerts and dashboard: sound, tested, documented, and about metrics that exist.

use std::collections::BTreeSet;

use serde_json::Value;
use testbed::Tool;

use super::support::{chart, documents, repository, succeed, template, text, tool, values};

/// What the binary exposes, without the suffixes of counters and histograms.
const METRICS: &[&str] = &[
    "account_budget_requests_per_second",
    "account_held",
    "account_queue_depth",
    "account_queue_duration_seconds",
    "api_request_duration_seconds",
    "api_requests",
    "build_info",
    "credentials_unseen",
    "drift_corrected",
    "drift_detected",
    "kubernetes_errors",
    "leader",
    "lists",
    "reconcile",
    "reconcile_duration_seconds",
    "reconciles_in_progress",
    "resources",
    "status_writes",
    "token_expiry_timestamp_seconds",
];

fn alerts() -> Vec<Value> {
    let rules = documents(&std::fs::read_to_string(chart().join("files/monitoring/alerts.yaml")).unwrap()).remove(0);
    rules["groups"][0]["rules"].as_array().unwrap().clone()
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
