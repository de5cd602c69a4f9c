//! The steps, each with what has to hold after it.

use std::path::Path;

use super::cluster::Cluster;
use crate::image::Image;

/// The namespaces of `examples/try`.
const OPERATOR: &str = "confidence-operator";
const TRY: &str = "confidence-try";

const RELEASE: &str = "confidence-operator";
const LEASE: &str = "lease/confidence-operator";
const CREDENTIAL: &str = "ccc/checkout-backend";
const HOLDER: &str = ".spec.holderIdentity";
const TIMEOUT: &str = "--timeout=180s";

const CRDS: [&str; 3] = [
    "clusterconfidenceaccounts.iam.confidence.dev",
    "confidenceaccounts.iam.confidence.dev",
    "confidenceclientcredentials.iam.confidence.dev",
];

/// The test deletes what it finds at the end, so it begins with nothing.
pub(super) fn refuse_used_cluster(cluster: &Cluster) -> Result<(), String> {
    let found = cluster.kubectl(&["get", "crds", "--output", "name"])?;
    let namespaces = cluster.kubectl(&["get", "namespaces", "--output", "name"])?;
    let is_ours = |name: &str| namespaces.lines().any(|line| line == format!("namespace/{name}"));
    if CRDS.iter().any(|crd| found.contains(crd)) || is_ours(OPERATOR) || is_ours(TRY) {
        return Err(
            "the cluster has a confidence-operator, its CRDs or its namespaces: use another, or delete them".into()
        );
    }
    Ok(())
}

pub(super) fn prepare(cluster: &Cluster, simulator: &str, has_pods: bool) -> Result<(), String> {
    heading("The simulator takes the place of Confidence");
    cluster.kubectl(&["apply", "--filename", &example("simulator.yaml")])?;
    let image = format!("simulator={simulator}");
    cluster.kubectl(&["set", "image", "deployment/confidence-simulator", &image, "--namespace", TRY])?;
    if has_pods {
        rollout(cluster, TRY, "deployment/confidence-simulator")?;
    }
    Ok(())
}

pub(super) fn install(cluster: &Cluster, image: &str, has_pods: bool) -> Result<(), String> {
    heading("helm install, with two replicas");
    release(cluster, "install", image, &[], has_pods)?;
    cluster.kubectl(&["wait", "--for=condition=Established", TIMEOUT, &format!("crd/{}", CRDS[2])])?;
    if has_pods {
        let ready = cluster.field(OPERATOR, "deployment/confidence-operator", ".status.readyReplicas")?;
        check(ready == "2", "two replicas are ready")?;
    }
    Ok(())
}

fn release(cluster: &Cluster, command: &str, image: &str, more: &[&str], has_pods: bool) -> Result<(), String> {
    let (chart, values) = (repository("charts/confidence-operator"), example("values.yaml"));
    let image = Image::of(image).values().map(|(name, value)| format!("image.{name}={value}")).join(",");
    let mut arguments = vec![command, RELEASE, &chart, "--namespace", OPERATOR, "--values", &values, "--set", &image];
    arguments.extend(more);
    if has_pods {
        arguments.extend(["--wait", "--timeout", "180s"]);
    }
    cluster.helm(&arguments).map(drop)
}

pub(super) fn run_helm_test(cluster: &Cluster) -> Result<(), String> {
    heading("helm test");
    cluster.helm(&["test", RELEASE, "--namespace", OPERATOR, "--timeout", "180s"])?;
    check(true, "the image runs on the nodes and tells its version")
}

pub(super) fn apply_credential(cluster: &Cluster) -> Result<(), String> {
    heading("A credential that the operator creates");
    cluster.kubectl(&["apply", "--filename", &example("credential.yaml")]).map(drop)
}

pub(super) fn wait_for_credential(cluster: &Cluster) -> Result<(), String> {
    cluster.kubectl(&["wait", "--for=condition=Ready", TIMEOUT, CREDENTIAL, "--namespace", TRY])?;
    let published = cluster.field(TRY, "secret/checkout-confidence", ".metadata.name")?;
    check(published == "checkout-confidence", "it is ready, and its secret is published")
}

pub(super) fn fail_over(cluster: &Cluster) -> Result<(), String> {
    heading("The pod that works goes away");
    let before = cluster.until([OPERATOR, LEASE, HOLDER], |it| !it.is_empty())?;
    let pods = cluster.kubectl(&["get", "pods", "--namespace", OPERATOR, "--output", "name"])?;
    // The identity in the Lease begins with the name of the pod.
    let pod = pods.lines().find(|pod| pod.strip_prefix("pod/").is_some_and(|name| before.starts_with(name)));
    let pod = pod.ok_or_else(|| format!("no pod has the Lease, {before} has it"))?;
    // At once and without a word, so that the Lease has to expire.
    cluster.kubectl(&["delete", pod, "--namespace", OPERATOR, "--grace-period=0", "--force"])?;
    let after = cluster.until([OPERATOR, LEASE, HOLDER], |it| !it.is_empty() && it != before)?;
    check(after != before, "another replica holds the Lease")
}

pub(super) fn rotate(cluster: &Cluster) -> Result<(), String> {
    heading("The replica that took over rotates the credential");
    let before = cluster.field(TRY, CREDENTIAL, ".status.name")?;
    let request = "iam.confidence.dev/rotate-requested-at=cluster-test";
    cluster.kubectl(&["annotate", CREDENTIAL, "--namespace", TRY, "--overwrite", request])?;
    cluster.until([TRY, CREDENTIAL, ".status.name"], |it| !it.is_empty() && it != before)?;
    cluster.until([TRY, CREDENTIAL, ".status.rotation.lastHandledRotateAt"], |it| it == "cluster-test")?;
    check(true, "the resource has another credential")
}

pub(super) fn upgrade(cluster: &Cluster, image: &str, has_pods: bool) -> Result<(), String> {
    heading("helm upgrade");
    let before = cluster.field(TRY, CREDENTIAL, ".status.name")?;
    release(cluster, "upgrade", image, &["--set", "log.level=debug"], has_pods)?;
    let arguments =
        cluster.field(OPERATOR, "deployment/confidence-operator", ".spec.template.spec.containers[0].args")?;
    check(arguments.contains("--log-level=debug"), "the Deployment has the new value")?;
    if !has_pods {
        return Ok(());
    }
    rollout(cluster, OPERATOR, "deployment/confidence-operator")?;
    cluster.kubectl(&["wait", "--for=condition=Ready", TIMEOUT, CREDENTIAL, "--namespace", TRY])?;
    let after = cluster.field(TRY, CREDENTIAL, ".status.name")?;
    check(after == before, "the credential stayed the same")
}

pub(super) fn delete_credential(cluster: &Cluster) -> Result<(), String> {
    heading("The resource is deleted");
    cluster.kubectl(&["delete", CREDENTIAL, "--namespace", TRY, TIMEOUT])?;
    let secrets = cluster.kubectl(&["get", "secrets", "--namespace", TRY, "--output", "name"])?;
    check(!secrets.contains("checkout-confidence"), "its published Secret is gone")
}

pub(super) fn uninstall(cluster: &Cluster) -> Result<(), String> {
    heading("helm uninstall");
    cluster.helm(&["uninstall", RELEASE, "--namespace", OPERATOR, "--wait"])?;
    let crds = cluster.kubectl(&["get", "crds", "--output", "name"])?;
    check(CRDS.iter().all(|crd| crds.contains(crd)), "the CRDs stay")?;
    let left = cluster.kubectl(&["get", "deployments,services", "--namespace", OPERATOR, "--output", "name"])?;
    check(left.trim().is_empty(), "nothing else of the release is left")
}

/// Deletes what was made; a resource whose operator is gone is released first.
pub(super) fn clear(cluster: &Cluster) -> Result<(), String> {
    let installed = cluster.helm(&["list", "--namespace", OPERATOR, "--short"])?;
    if installed.lines().any(|name| name == RELEASE) {
        cluster.helm(&["uninstall", RELEASE, "--namespace", OPERATOR])?;
    }
    let unfinished = cluster.kubectl(&["get", "ccc", "--namespace", TRY, "--output", "name", "--ignore-not-found"]);
    for resource in unfinished.unwrap_or_default().lines() {
        let patch = r#"{"metadata":{"finalizers":null}}"#;
        cluster.kubectl(&["patch", resource, "--namespace", TRY, "--type", "merge", "--patch", patch])?;
    }
    cluster.kubectl(&[&["delete", "crds", "--ignore-not-found"], &CRDS[..]].concat())?;
    cluster.kubectl(&["delete", "namespace", TRY, OPERATOR, "--ignore-not-found", "--wait=false"]).map(drop)
}

/// Shows how things stand where a step failed.
pub(super) fn tell(cluster: &Cluster) {
    let pods = ["get", "pods,ccc,events", "--all-namespaces", "--output", "wide"];
    let log = ["logs", "deployment/confidence-operator", "--namespace", OPERATOR, "--all-pods", "--tail", "50"];
    for arguments in [&pods[..], &log[..]] {
        eprintln!("{}", cluster.kubectl(arguments).unwrap_or_else(|error| error));
    }
}

fn rollout(cluster: &Cluster, namespace: &str, deployment: &str) -> Result<(), String> {
    cluster.kubectl(&["rollout", "status", deployment, "--namespace", namespace, TIMEOUT]).map(drop)
}

fn repository(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path).display().to_string()
}

fn example(name: &str) -> String {
    repository(&format!("examples/try/{name}"))
}

fn heading(text: &str) {
    println!("\n== {text}");
}

/// Shows that something holds, or ends the test.
fn check(holds: bool, what: &str) -> Result<(), String> {
    if holds {
        println!("✔ {what}");
        return Ok(());
    }
    Err(format!("this does not hold: {what}"))
}
