//! Manifests against the schemas of Kubernetes, strictly: an unknown or misspelt field fails.
//!
//! The schemas come from the `OpenAPI` document in the Kubernetes module that the control plane is built from.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};
use testbed::Tool;

use super::support::{SETS, repository, succeed, template, tool, values};

/// Not of Kubernetes; `monitoring.rs` checks what matters about them.
const FOREIGN: &str = "ServiceMonitor,PodMonitor,PrometheusRule";

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
    let swagger: Value = serde_json::from_slice(&std::fs::read(openapi()).unwrap()).unwrap();
    let definitions = swagger["definitions"].as_object().unwrap();
    for (name, definition) in definitions {
        for kind in definition["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
            let group = kind["group"].as_str().unwrap().split('.').next().unwrap();
            let parts = [group, kind["version"].as_str().unwrap()];
            let suffix = parts.iter().filter(|it| !it.is_empty()).fold(String::new(), |all, it| format!("{all}-{it}"));
            let file = format!("{}{suffix}.json", kind["kind"].as_str().unwrap().to_lowercase());
            if WANTED.contains(&kind["kind"].as_str().unwrap()) {
                std::fs::write(dir.join(file), schema(name, definitions).to_string()).unwrap();
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
    let mut needed = BTreeMap::new();
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        if let Entry::Vacant(entry) = needed.entry(name) {
            let mut definition = definitions[entry.key()].clone();
            strict(entry.key(), &mut definition);
            references(&definition, &mut open);
            entry.insert(definition);
        }
    }
    json!({"$ref": format!("#/definitions/{name}"), "definitions": needed})
}

/// No field but the known ones, and the two types that are more than one in JSON.
fn strict(name: &str, definition: &mut Value) {
    if name.ends_with(".IntOrString") {
        *definition = json!({"type": ["integer", "string"]});
    } else if name.ends_with(".Quantity") {
        *definition = json!({"type": ["number", "string"]});
    } else if definition.get("properties").is_some() {
        definition["additionalProperties"] = Value::Bool(false);
    }
}

fn references(value: &Value, open: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            if let Some(name) = object.get("$ref").and_then(Value::as_str) {
                open.extend(name.strip_prefix("#/definitions/").map(str::to_owned));
            }
            object.values().for_each(|it| references(it, open));
        }
        Value::Array(array) => array.iter().for_each(|it| references(it, open)),
        _ => {}
    }
}

fn openapi() -> PathBuf {
    let mut go = Command::new("go");
    go.current_dir(repository("testbed/controlplane")).args(["mod", "download", "-json", "k8s.io/kubernetes"]);
    let module: Value = serde_json::from_str(&succeed(go.env("GOTOOLCHAIN", "local"))).unwrap();
    Path::new(module["Dir"].as_str().unwrap()).join("api/openapi-spec/swagger.json")
}
