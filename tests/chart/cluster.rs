//! kubectl and Helm on the control plane that the tests share, and what they are asked there.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::{ControlPlane, Tool};

use super::support::{chart, succeed, tool};

pub fn kubectl(arguments: &[&str]) -> Command {
    let mut kubectl = ControlPlane::shared().kubectl();
    kubectl.args(arguments);
    kubectl
}

pub fn helm(arguments: &[&str]) -> Command {
    let mut helm = tool(Tool::Helm);
    helm.env("KUBECONFIG", ControlPlane::shared().kubeconfig()).args(arguments);
    helm
}

/// A namespace at the strictest Pod Security level.
pub fn namespace(name: &str) -> &str {
    succeed(&mut kubectl(&["create", "namespace", name]));
    succeed(&mut kubectl(&["label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted"]));
    name
}

pub fn install(namespace: &str, arguments: &[&str]) {
    let chart = chart().display().to_string();
    let install = ["install", "confidence-operator", &chart, "--namespace", namespace];
    let told = succeed(helm(&install).args(arguments));
    let needs_none = arguments.iter().any(|it| *it == "--values" || it.contains("accounts.default=false"));
    assert!(told.contains("kubectl create secret generic") || needs_none, "NOTES: {told}");
}

pub fn get(arguments: &[&str]) -> Value {
    let json = succeed(kubectl(&["get", "--output", "json"]).args(arguments));
    serde_json::from_str(&json).unwrap()
}

/// Gives the API server a manifest, for a look only.
pub fn dry_run(namespace: &str, manifest: &Value) -> Result<(), String> {
    let mut kubectl = kubectl(&["create", "--dry-run=server", "--namespace", namespace, "--filename", "-"]);
    let mut child = kubectl.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(manifest.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    output.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A verb, a resource as `group/resource[/name]`, with its subresource after a colon, and a namespace, if it has one.
pub type Request = [&'static str; 3];

/// Which of the requests a service account may make, in their order: one call for all of them.
pub fn allowed(namespace: &str, account: &str, requests: &[Request]) -> Vec<bool> {
    let reviews: Vec<_> = requests.iter().map(|request| review(namespace, account, *request)).collect();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "{}", json!({"apiVersion": "v1", "kind": "List", "items": reviews})).unwrap();
    let told = succeed(kubectl(&["create", "--output", "json", "--filename"]).arg(file.path()));
    let told = serde_json::Deserializer::from_str(&told).into_iter::<Value>();
    let allowed: Vec<_> = told.map(|review| review.unwrap()["status"]["allowed"].as_bool().unwrap()).collect();
    assert_eq!(allowed.len(), requests.len());
    allowed
}

fn review(home: &str, account: &str, [verb, resource, namespace]: Request) -> Value {
    let (path, subresource) = resource.split_once(':').unwrap_or((resource, ""));
    let mut parts = path.split('/');
    let (group, resource, name) = (parts.next(), parts.next(), parts.next());
    let asked = json!({
        "verb": verb, "group": group, "resource": resource, "subresource": subresource, "name": name.unwrap_or_default(),
        "namespace": namespace,
    });
    let groups = ["system:serviceaccounts", &format!("system:serviceaccounts:{home}"), "system:authenticated"];
    json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": format!("system:serviceaccount:{home}:{account}"), "groups": groups, "resourceAttributes": asked},
    })
}

/// The API server knows of new roles when its own watch of them says so, which is soon and not at once.
pub fn wait_until_roles_hold(namespace: &str, account: &str, requests: &[Request]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !allowed(namespace, account, requests).iter().all(|it| *it) {
        assert!(Instant::now() < deadline, "the roles of {account} do not hold: {requests:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
