//! The chart on a real API server: installed, upgraded, uninstalled, and held against Pod Security.

use std::process::Command;

use serde_json::{Value, json};
use testbed::{ControlPlane, Tool};

use super::cluster::{dry_run, get, helm, install, kubectl, namespace};
use super::support::{RELEASE, SETS, chart, documents, fail, repository, succeed, template, text, tool, values};

const CRD: &str = "confidenceclientcredentials.iam.confidence.dev";

#[test]
fn the_crd_upgrades_with_the_release_and_survives_it_with_every_resource() {
    let namespace = namespace("lifecycle");
    let older = older_chart();
    let older = older.path().display().to_string();
    succeed(&mut helm(&["install", "confidence-operator", &older, "--namespace", namespace]));
    assert!(get(&["crd", CRD]).pointer("/spec/names/shortNames").is_none(), "the older chart has the newer CRD");

    let chart = chart().display().to_string();
    succeed(&mut helm(&["upgrade", "confidence-operator", &chart, "--namespace", namespace]));
    assert_eq!(get(&["crd", CRD])["spec"]["names"]["shortNames"], json!(["ccc"]));

    let resource = json!({
        "apiVersion": "iam.confidence.dev/v1alpha1",
        "kind": "ConfidenceClientCredential",
        "metadata": {"name": "kept"},
        "spec": {"name": "clients/a/credentials/b", "displayName": "Kept"},
    });
    succeed(&mut kubectl(&["wait", "--for=condition=Established", "--timeout=60s", &format!("crd/{CRD}")]));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), resource.to_string()).unwrap();
    let file = file.path().display().to_string();
    succeed(&mut kubectl(&["create", "--namespace", namespace, "--filename", &file]));

    succeed(&mut helm(&["uninstall", "confidence-operator", "--namespace", namespace]));
    assert_eq!(text(&get(&["ccc", "kept", "--namespace", namespace]), "/spec/displayName"), "Kept");
    let left = get(&["deployments,services,serviceaccounts,roles,poddisruptionbudgets", "--namespace", namespace]);
    let left: Vec<_> = left["items"].as_array().unwrap().iter().map(|it| text(it, "/metadata/name")).collect();
    assert!(left.iter().all(|name| !name.starts_with("confidence-operator")), "{left:?}");

    // What a release left behind, the same release takes up again; another one must be told to.
    succeed(&mut helm(&["install", "confidence-operator", &chart, "--namespace", namespace]));
    succeed(&mut helm(&["uninstall", "confidence-operator", "--namespace", namespace]));
    let foreign = ["install", "other", &chart, "--namespace", namespace];
    let told = fail(&mut helm(&foreign));
    assert!(told.contains("invalid ownership metadata"), "{told}");
    succeed(helm(&foreign).arg("--take-ownership"));
    succeed(&mut helm(&["uninstall", "other", "--namespace", namespace]));
    get(&["crd", CRD]);
}

/// The chart as it may have been before: its CRD has no short name.
fn older_chart() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    succeed(Command::new("cp").arg("-r").arg(chart().join(".")).arg(dir.path()));
    let crd = dir.path().join("files/crds/iam.confidence.dev_confidenceclientcredentials.yaml");
    let now = std::fs::read_to_string(&crd).unwrap();
    let before = now.replace("    shortNames:\n    - ccc\n", "");
    assert_ne!(now, before);
    std::fs::write(crd, before).unwrap();
    dir
}

#[test]
fn restricted_pod_security_takes_the_pods_of_every_set_of_values() {
    let namespace = namespace("pod-security");
    for file in SETS.into_iter().map(Some).chain([None]) {
        let path = file.map(values);
        let arguments: Vec<&str> = path.iter().flat_map(|path| ["--values", path]).collect();
        let rendered = documents(&succeed(&mut template(&arguments)));
        let deployment = rendered.iter().find(|it| text(it, "/kind") == "Deployment").unwrap();
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "operator"}});
        pod["spec"] = deployment["spec"]["template"]["spec"].clone();
        // Objects of the cluster that are not there; they have nothing to do with Pod Security.
        for absent in ["runtimeClassName", "priorityClassName", "serviceAccountName"] {
            pod["spec"].as_object_mut().unwrap().remove(absent);
        }
        dry_run(namespace, &pod).unwrap();
        let mut test = rendered.iter().find(|it| text(it, "/kind") == "Pod").unwrap().clone();
        test["metadata"]["namespace"] = json!(namespace);
        dry_run(namespace, &test).unwrap();

        pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
        let told = dry_run(namespace, &pod).expect_err("the level is not enforced");
        assert!(told.contains("violates PodSecurity \"restricted"), "{told}");
    }
}

#[test]
fn the_api_server_takes_every_object_of_the_full_values_and_of_the_plain_manifests() {
    let namespace = namespace("full");
    for other in ["checkout", "payments", "monitoring", "confidence-system"] {
        succeed(&mut kubectl(&["create", "namespace", other]));
    }
    let foreign = "metrics.serviceMonitor.enabled=false,metrics.prometheusRule.enabled=false,\
                   metrics.dashboard.grafanaOperator.enabled=false,crds.install=false";
    install(namespace, &["--values", &values("values-full.yaml"), "--set", foreign]);
    let manifests = repository("deploy/install.yaml").display().to_string();
    let made = documents(&std::fs::read_to_string(&manifests).unwrap());
    // A look at an object whose namespace is to come cannot be had: the namespace first, for good.
    dry_run("default", &made[0]).unwrap();
    succeed(&mut kubectl(&["create", "namespace", "confidence-operator"]));
    let crds = repository("deploy/crds/crds.yaml").display().to_string();
    for file in [&crds, &manifests] {
        succeed(&mut kubectl(&["apply", "--server-side", "--dry-run=server", "--force-conflicts", "--filename", file]));
    }
}

/// Trying it out in five minutes needs a kubelet, but every object on that way is one that a real API server takes.
#[test]
fn try_manifests_are_accepted() {
    let plane = ControlPlane::start().unwrap();
    let kubectl = |arguments: &[&str]| succeed(plane.kubectl().args(arguments));
    let file = |name: &str| repository("examples/try").join(name).display().to_string();
    let told = kubectl(&["apply", "--filename", &file("simulator.yaml")]);
    assert_eq!(told.lines().filter(|line| line.ends_with(" created")).count(), 6, "{told}");
    let mut helm = tool(Tool::Helm);
    helm.env("KUBECONFIG", plane.kubeconfig()).args(["install", RELEASE]).arg(chart());
    succeed(helm.args(["--namespace", RELEASE, "--values", &file("values.yaml")]));
    kubectl(&["wait", "--for=condition=Established", "--timeout=60s", &format!("crd/{CRD}")]);
    kubectl(&["apply", "--filename", &file("credential.yaml")]);
    // A pod of each Deployment, as the controllers would make it: the namespaces refuse what is not restricted.
    for (namespace, name) in [("confidence-try", "confidence-simulator"), (RELEASE, RELEASE)] {
        let deployment = kubectl(&["get", "deployment", name, "--namespace", namespace, "--output", "json"]);
        let deployment: Value = serde_json::from_str(&deployment).unwrap();
        let mut pod = deployment["spec"]["template"].clone();
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"]["name"] = json!("pod");
        pod["spec"].as_object_mut().unwrap().remove("serviceAccountName");
        pod["spec"].as_object_mut().unwrap().remove("serviceAccount");
        let manifest = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(manifest.path(), pod.to_string()).unwrap();
        let manifest = manifest.path().display().to_string();
        kubectl(&["create", "--dry-run=server", "--namespace", namespace, "--filename", &manifest]);
    }
}

/// On a control plane of its own: the namespace stays in its end, as nothing here empties it.
#[test]
fn taking_the_plain_manifests_away_leaves_every_resource() {
    let plane = ControlPlane::start().unwrap();
    let kubectl = |arguments: &[&str]| succeed(plane.kubectl().args(arguments));
    let base = |path: &str| repository(path).display().to_string();
    kubectl(&["apply", "--server-side", "--kustomize", &base("deploy/crds")]);
    kubectl(&["wait", "--for=condition=Established", "--timeout=60s", &format!("crd/{CRD}")]);
    kubectl(&["apply", "--server-side", "--kustomize", &base("deploy")]);
    kubectl(&["create", "--filename", &base("examples/minimal.yaml")]);
    kubectl(&["delete", "--wait=false", "--kustomize", &base("deploy")]);
    let deployments = kubectl(&["get", "deployments", "--namespace", "confidence-operator", "--output", "name"]);
    assert_eq!(deployments, "");
    let left = kubectl(&["get", "ccc", "--all-namespaces", "--output", "name"]);
    assert!(left.starts_with("confidenceclientcredential.iam.confidence.dev/"), "{left}");
    // Who prunes looks at these. Without them, a commit that takes the base away would do what is not done above.
    let crd: Value = serde_json::from_str(&kubectl(&["get", "crd", CRD, "--output", "json"])).unwrap();
    let annotations = &crd["metadata"]["annotations"];
    assert_eq!(annotations["kustomize.toolkit.fluxcd.io/prune"], "disabled");
    assert_eq!(annotations["argocd.argoproj.io/sync-options"], "Prune=false,Delete=false");
}
