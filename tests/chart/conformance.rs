//! Manifests against the schemas of Kubernetes, strictly: an unknown or misspelt field fails.

use std::path::Path;

use serde_json::{Map, Value, json};
use testbed::Tool;

use super::kubernetes;
use super::support::{SETS, repository, succeed, template, tool, values};

/// Not of Kubernetes; `monitoring.rs` checks what matters about them.
const FOREIGN: &str = "ServiceMonitor,PodMonitor,PrometheusRule,GrafanaDashboard";

#[test]
fn everything_that_the_chart_renders_is_what_kubernetes_knows() {
    let mut sets = vec![vec![]];
    for file in SETS {
        sets.push(vec!["--values".to_owned(), values(file)]);
    }
    let dir = tempfile::tempdir().unwrap();
    let schemas = write_schemas(dir.path());
    for set in sets {
        let arguments: Vec<_> = set.iter().map(String::as_str).collect();
        let rendered = dir.path().join("rendered.yaml");
        std::fs::write(&rendered, succeed(&mut template(&arguments))).unwrap();
        conforms(&schemas, &rendered);
    }
    for manifests in ["deploy/crds/crds.yaml", "deploy/install.yaml"] {
        conforms(&schemas, &repository(manifests));
    }
}

fn conforms(schemas: &str, manifests: &Path) {
    let mut kubeconform = tool(Tool::Kubeconform);
    kubeconform.args(["-strict", "-summary", "-schema-location", schemas, "-skip", FOREIGN]);
    let told = succeed(kubeconform.arg(manifests));
    assert!(!told.contains("Valid: 0"), "nothing was checked: {told}");
}

/// Writes a schema for each kind; returns where, as kubeconform wants it.
fn write_schemas(dir: &Path) -> String {
    let definitions = kubernetes::definitions();
    for (name, definition) in &definitions {
        for kind in definition["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
            let group = kind["group"].as_str().unwrap().split('.').next().unwrap();
            let parts = [group, kind["version"].as_str().unwrap()];
            let suffix = parts.iter().filter(|it| !it.is_empty()).fold(String::new(), |all, it| format!("{all}-{it}"));
            let file = format!("{}{suffix}.json", kind["kind"].as_str().unwrap().to_lowercase());
            if WANTED.contains(&kind["kind"].as_str().unwrap()) {
                std::fs::write(dir.join(file), schema(name, &definitions).to_string()).unwrap();
            }
        }
    }
    format!("{}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json", dir.display())
}

/// The kinds that the chart can render; another fails for want of a schema.
const WANTED: &[&str] = &[
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "CronJob",
    "CustomResourceDefinition",
    "Deployment",
    "Namespace",
    "NetworkPolicy",
    "Pod",
    "PodDisruptionBudget",
    "Role",
    "RoleBinding",
    "Secret",
    "Service",
    "ServiceAccount",
];

/// One kind with all that it refers to.
fn schema(name: &str, definitions: &Map<String, Value>) -> Value {
    let needed = kubernetes::closure(&[name.to_owned()], definitions);
    json!({"$ref": format!("#/definitions/{name}"), "definitions": needed})
}
