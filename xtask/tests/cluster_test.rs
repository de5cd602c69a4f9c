//! `cargo xtask cluster-test`, as far as an API server without nodes goes.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::process::{Command, Output};

use testbed::{ControlPlane, Tool};

/// Runs it on a control plane, with the pinned Helm and kubectl on its path.
fn cluster_test(plane: &ControlPlane, context: &str) -> Output {
    let kubectl = plane.kubectl();
    let helm = Tool::Helm.find().unwrap();
    let folders = [helm.parent().unwrap(), Path::new(kubectl.get_program()).parent().unwrap()];
    let home = tempfile::tempdir().unwrap();
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    xtask.env("KUBECONFIG", plane.kubeconfig()).env("PATH", std::env::join_paths(folders).unwrap());
    xtask.env("HOME", home.path()).args(["cluster-test", "--without-pods", "--context", context]);
    xtask.output().unwrap()
}

fn kubectl(plane: &ControlPlane, arguments: &[&str]) -> String {
    let output = plane.kubectl().args(arguments).output().unwrap();
    assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// It installs, upgrades and uninstalls, and leaves nothing of its own behind.
#[test]
fn cluster_test_clears_up_after_itself() {
    let plane = ControlPlane::start().unwrap();
    let context = kubectl(&plane, &["config", "current-context"]);
    let output = cluster_test(&plane, &context);
    let (told, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.contains("All steps held."), "{told}{wrong}");
    assert!(told.contains("✔ the CRDs stay"), "{told}");
    assert_eq!(kubectl(&plane, &["get", "crds", "--output", "name"]), "");
    assert_eq!(kubectl(&plane, &["get", "clusterroles", "--output", "name", "--selector", "helm.sh/chart"]), "");
}

/// A cluster in which somebody uses the operator is not one to try things in.
#[test]
fn cluster_in_use_is_refused() {
    let plane = ControlPlane::start().unwrap();
    let context = kubectl(&plane, &["config", "current-context"]);
    kubectl(&plane, &["create", "namespace", "confidence-operator"]);
    let output = cluster_test(&plane, &context);
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && wrong.contains("use another, or delete them"), "{wrong}");
    assert_eq!(
        kubectl(&plane, &["get", "namespaces/confidence-operator", "--output", "name"]),
        "namespace/confidence-operator"
    );
}
