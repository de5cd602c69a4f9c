//! The chart's place, and the tools run on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use testbed::Tool;

/// The namespace of the tests' releases, and their name.
pub const RELEASE: &str = "confidence-operator";

/// The sets of values that the chart is tested with, besides its defaults.
pub const SETS: [&str; 5] =
    ["values-full.yaml", "values-other.yaml", "values-namespaced.yaml", "values-openshift.yaml", "values-vault.yaml"];

/// A path within the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The chart.
pub fn chart() -> PathBuf {
    repository("charts/confidence-operator")
}

/// A file with values of the chart's tests.
pub fn values(name: &str) -> String {
    chart().join("tests").join(name).display().to_string()
}

/// A tool, ready to get its arguments. Nothing of the machine's own configuration of Helm reaches it.
pub fn tool(tool: Tool) -> Command {
    let mut command = Command::new(tool.find().unwrap());
    let nowhere = testbed::target_dir().join("tools/home");
    command.current_dir(repository("")).env("HOME", &nowhere).env_remove("KUBECONFIG");
    for name in ["HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_CACHE_HOME"] {
        command.env(name, &nowhere);
    }
    command
}

/// Runs it and gives what it wrote to standard output.
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs it, wants it to fail, and gives what it wrote to standard error.
pub fn fail(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{command:?} was to fail\n{}", told(&output));
    String::from_utf8(output.stderr).unwrap()
}

fn told(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// `helm template` with further arguments.
pub fn template(arguments: &[&str]) -> Command {
    let mut helm = tool(Tool::Helm);
    helm.args(["template", RELEASE, "--namespace", RELEASE]).arg(chart()).args(arguments);
    helm
}

/// The documents of a stream of YAML. A key that is twice in one map is an error, as it is for kustomize and Flux.
pub fn documents(yaml: &str) -> Vec<Value> {
    let documents = serde_saphyr::from_multiple::<Value>(yaml).unwrap();
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

/// The text at a JSON pointer.
pub fn text<'a>(document: &'a Value, pointer: &str) -> &'a str {
    document.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
