//! The chart on a real API server: installed, upgraded, uninstalled, and held against Pod Security and its own roles.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::{ControlPlane, Tool};

use super::support::{SETS, chart, documents, fail, repository, succeed, template, text, tool, values};

const CRD: &str = "confidenceclientcredentials.iam.confidence.dev";

fn kubectl(arguments: &[&str]) -> Command {
    let mut kubectl = ControlPlane::shared().kubectl();
    kubectl.args(arguments);
    kubectl
}

fn helm(arguments: &[&str]) -> Command {
    let mut helm = tool(Tool::Helm);
    helm.env("KUBECONFIG", ControlPlane::shared().kubeconfig()).args(arguments);
    helm
}

/// A namespace at the strictest Pod Security level.
fn namespace(name: &str) -> &str {
    succeed(&mut kubectl(&["create", "namespace", name]));
    succeed(&mut kubectl(&["label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted"]));
    name
}

fn install(namespace: &str, arguments: &[&str]) {
    let chart = chart().display().to_string();
    let install = ["install", "confidence-operator", &chart, "--namespace", namespace];
    let told = succeed(helm(&install).args(arguments));
    assert!(told.contains("kubectl create secret generic") || arguments.contains(&"--values"), "NOTES: {told}");
}

fn get(arguments: &[&str]) -> Value {
    let json = succeed(kubectl(&["get", "--output", "json"]).args(arguments));
    serde_json::from_str(&json).unwrap()
}

/// Gives the API server a manifest, for a look only.
fn dry_run(namespace: &str, manifest: &Value) -> Result<(), String> {
    let mut kubectl = kubectl(&["create", "--dry-run=server", "--namespace", namespace, "--filename", "-"]);
    let mut child = kubectl.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(manifest.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    output.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

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
    for other in ["checkout", "payments", "monitoring"] {
        succeed(&mut kubectl(&["create", "namespace", other]));
    }
    let foreign = "metrics.serviceMonitor.enabled=false,metrics.prometheusRule.enabled=false,crds.install=false";
    install(namespace, &["--values", &values("values-full.yaml"), "--set", foreign]);
    // With only the named Secrets, and no list or watch of any.
    let account = "system:serviceaccount:full:operator";
    for (request, allowed) in [
        (["get", "secrets/checkout-confidence", "checkout"], true),
        (["get", "secrets/payments-b", "payments"], true),
        (["get", "secrets/other", "checkout"], false),
        (["get", "secrets/checkout-confidence", "payments"], false),
        (["list", "secrets", "checkout"], false),
        (["watch", "secrets", "checkout"], false),
        (["get", "secrets", "full"], false),
        (["watch", "confidenceclientcredentials.iam.confidence.dev", "checkout"], true),
    ] {
        assert_eq!(can_i(account, request), allowed, "{request:?}");
    }
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

/// Verb, resource, namespace, and whether the operator may, by the table of `docs/security.md`.
const CLUSTER_WIDE: &[([&str; 3], bool)] = &[
    (["get", "confidenceclientcredentials.iam.confidence.dev", "anywhere"], true),
    (["list", "confidenceclientcredentials.iam.confidence.dev", "anywhere"], true),
    (["watch", "confidenceclientcredentials.iam.confidence.dev", "anywhere"], true),
    (["create", "confidenceclientcredentials.iam.confidence.dev", "anywhere"], false),
    (["update", "confidenceclientcredentials.iam.confidence.dev", "anywhere"], false),
    (["patch", "confidenceclientcredentials.iam.confidence.dev", "anywhere"], false),
    (["delete", "confidenceclientcredentials.iam.confidence.dev", "anywhere"], false),
    (["get", "confidenceclientcredentials.iam.confidence.dev/status", "anywhere"], false),
    (["patch", "confidenceclientcredentials.iam.confidence.dev/status", "anywhere"], true),
    (["update", "confidenceclientcredentials.iam.confidence.dev/status", "anywhere"], false),
    (["get", "secrets", "anywhere"], true),
    (["list", "secrets", "anywhere"], true),
    (["watch", "secrets", "anywhere"], true),
    (["create", "secrets", "anywhere"], false),
    (["update", "secrets", "anywhere"], false),
    (["patch", "secrets", "anywhere"], false),
    (["delete", "secrets", "anywhere"], false),
    (["create", "events.events.k8s.io", "anywhere"], true),
    (["patch", "events.events.k8s.io", "anywhere"], false),
    (["delete", "events.events.k8s.io", "anywhere"], false),
    (["create", "events", "anywhere"], false),
    (["create", "leases.coordination.k8s.io", "cluster-wide"], true),
    (["get", "leases.coordination.k8s.io/confidence-operator", "cluster-wide"], true),
    (["update", "leases.coordination.k8s.io/confidence-operator", "cluster-wide"], true),
    (["patch", "leases.coordination.k8s.io/confidence-operator", "cluster-wide"], false),
    (["delete", "leases.coordination.k8s.io/confidence-operator", "cluster-wide"], false),
    (["update", "leases.coordination.k8s.io/another", "cluster-wide"], false),
    (["create", "leases.coordination.k8s.io", "anywhere"], false),
    (["update", "customresourcedefinitions.apiextensions.k8s.io", "anywhere"], false),
    (["get", "configmaps", "anywhere"], false),
    (["get", "pods", "cluster-wide"], false),
    (["escalate", "clusterroles.rbac.authorization.k8s.io", "anywhere"], false),
    (["impersonate", "serviceaccounts", "anywhere"], false),
];

#[test]
fn the_operator_may_do_in_the_cluster_what_it_needs_and_nothing_more() {
    install(namespace("cluster-wide"), &["--set", "crds.install=false"]);
    let account = "system:serviceaccount:cluster-wide:confidence-operator";
    wait_until_roles_hold(account, ["list", "secrets", "anywhere"]);
    wait_until_roles_hold(account, ["get", "leases.coordination.k8s.io/confidence-operator", "cluster-wide"]);
    for (request, allowed) in CLUSTER_WIDE {
        assert_eq!(can_i(account, *request), *allowed, "{request:?}");
    }
}

#[test]
fn in_namespaced_mode_it_may_do_nothing_elsewhere() {
    let home = namespace("namespaced");
    for watched in ["team-a", "team-b"] {
        succeed(&mut kubectl(&["create", "namespace", watched]));
    }
    let alone = "leaderElection.enabled=false,replicaCount=1";
    install(home, &["--set", "crds.install=false,watchNamespaces={team-a,team-b}", "--set", alone]);
    let account = "system:serviceaccount:namespaced:confidence-operator";
    for watched in ["team-a", "team-b"] {
        wait_until_roles_hold(account, ["list", "secrets", watched]);
    }
    for resource in ["confidenceclientcredentials.iam.confidence.dev", "secrets"] {
        for (namespace, allowed) in [("team-a", true), ("team-b", true), ("team-c", false), (home, false)] {
            for verb in ["get", "list", "watch"] {
                assert_eq!(can_i(account, [verb, resource, namespace]), allowed, "{verb} {resource} in {namespace}");
            }
        }
    }
    // What concerns the account is told about its pod, whether replicas elect one or there is but one.
    for (namespace, allowed) in [("team-a", true), (home, true), ("team-c", false)] {
        assert_eq!(can_i(account, ["create", "events.events.k8s.io", namespace]), allowed, "events in {namespace}");
    }
    assert!(!can_i(account, ["create", "leases.coordination.k8s.io", home]), "a Lease without election");
    let roles = get(&["clusterroles,clusterrolebindings", "--selector", "app.kubernetes.io/name=confidence-operator"]);
    let named = roles["items"].as_array().unwrap().iter().map(|it| text(it, "/metadata/name"));
    assert!(named.clone().all(|name| !name.starts_with("namespaced")), "{:?}", named.collect::<Vec<_>>());
}

/// The API server knows of new roles when its own watch of them says so, which is soon and not at once.
fn wait_until_roles_hold(account: &str, allowed: [&str; 3]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !can_i(account, allowed) {
        assert!(Instant::now() < deadline, "the roles of {account} do not hold");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn can_i(account: &str, [verb, resource, namespace]: [&str; 3]) -> bool {
    let mut kubectl = kubectl(&["auth", "can-i", "--as", account, "--namespace", namespace, verb]);
    // The part after the slash is a name, or the one subresource that is asked about.
    match resource.strip_suffix("/status") {
        Some(resource) => kubectl.args([resource, "--subresource=status"]),
        None => kubectl.arg(resource),
    };
    let output = kubectl.output().unwrap();
    match String::from_utf8_lossy(&output.stdout).trim() {
        "yes" => true,
        "no" => false,
        other => panic!("{other}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}
