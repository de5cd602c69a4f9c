//! The operator as the chart installs it: with the rendered arguments, the token of the rendered `ServiceAccount`, and nothing
//! more.

use std::process::Command;

use confidence_simulator::Config;
use kube::config::Kubeconfig;
use serde_json::{Value, json};
use testbed::{ControlPlane, Deadline, Process, Program, Tool, eventually};

use crate::world::{World, install_crd, message, run};

/// Installs the chart into the world's namespace, with a `ServiceAccount` of that name.
fn install(plane: &ControlPlane, world: &World, values: &[&str]) {
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/confidence-operator");
    let output = Command::new(Tool::Helm.find().unwrap())
        .env("KUBECONFIG", plane.kubeconfig())
        .envs(["HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_CACHE_HOME"].map(|name| (name, world.files.path())))
        .args(["install", &world.namespace, chart, "--namespace", &world.namespace])
        .args(["--set", "crds.install=false", "--set", &format!("fullnameOverride={}", world.namespace)])
        // An event that is refused is no warning.
        .args(["--set", r"log.level=info\,confidence_operator=trace"])
        .args(values.iter().flat_map(|value| ["--set", value]))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Makes the world's operator the `ServiceAccount`.
fn become_service_account(plane: &ControlPlane, world: &mut World) {
    let token = run(plane, &["create", "token", &world.namespace, "--namespace", &world.namespace]);
    let mut config = Kubeconfig::read_from(plane.kubeconfig()).unwrap();
    let user = json!([{"name": config.auth_infos[0].name, "user": {"token": token.trim()}}]);
    config.auth_infos = serde_json::from_value(user).unwrap();
    world.kubeconfig = world.file("service-account");
    std::fs::write(&world.kubeconfig, serde_json::to_string(&config).unwrap()).unwrap();
}

/// Waits until the API server's watch of roles has seen the new ones.
async fn until_allowed(plane: &ControlPlane, world: &World, verb: &str, resource: &str) {
    let account = format!("system:serviceaccount:{0}:{0}", world.namespace);
    let ask = async || {
        let kubectl =
            plane.kubectl().args(["auth", "can-i", verb, resource, "--as", &account, "-n", &world.namespace]).output();
        String::from_utf8(kubectl.unwrap().stdout).unwrap()
    };
    eventually("the roles hold", Deadline::default(), ask, |answer| answer.trim() == "yes").await;
}

/// The installed Deployment's container as a process here: other are only the addresses and where the files are.
fn operator(plane: &ControlPlane, world: &World) -> Process {
    let deployment = run(plane, &["get", "deployment", &world.namespace, "-n", &world.namespace, "-o", "json"]);
    let deployment: Value = serde_json::from_str(&deployment).unwrap();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    std::fs::write(world.file("clientId"), "test-client").unwrap();
    std::fs::write(world.file("clientSecret"), "test-client-secret").unwrap();
    let here = |argument: &Value| {
        let argument = argument.as_str().unwrap();
        let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
        match name {
            "--confidence-url" => format!("{name}={}", world.server.url()),
            "--listen" => format!("{name}=127.0.0.1:0"),
            _ => match value.strip_prefix("/etc/confidence-operator/credentials/") {
                Some(file) => format!("{name}={}", world.file(file).display()),
                None => argument.to_owned(),
            },
        }
    };
    Program::new(env!("CARGO_BIN_EXE_confidence-operator"))
        .args(container["args"].as_array().unwrap().iter().map(here))
        .env("KUBECONFIG", &world.kubeconfig)
        .env("POD_NAMESPACE", &world.namespace)
        .env("POD_NAME", "as-installed")
        .start()
        .unwrap()
}

/// Gives the resource a secret, and then another one: the first is written, and so is the second.
async fn the_main_job_is_done(plane: &ControlPlane, world: &World) -> Process {
    until_allowed(plane, world, "watch", "confidenceclientcredentials.iam.confidence.dev").await;
    until_allowed(plane, world, "create", "leases.coordination.k8s.io").await;
    until_allowed(plane, world, "get", "secrets/granted").await;
    let operator = operator(plane, world);
    world.seed("granted");
    world.put_secret("granted", "secret", "hunter2-one").await;
    let reference = json!({"secretKeyRef": {"name": "granted", "key": "secret"}});
    world.apply("granted", json!({"sdkType": "BACKEND", "clientSecret": reference})).await;
    world.until_reason("granted", "InSync").await;
    let events = async || world.event_reasons("granted").await;
    eventually("an event", Deadline::default(), events, |it| it.contains(&"Updated".to_owned())).await;
    world.put_secret("granted", "secret", "hunter2-two").await;
    let secret = async || world.credential("granted").secret;
    eventually("the new secret", Deadline::default(), secret, |it| it == "hunter2-two").await;
    operator
}

fn nothing_was_refused(operator: &Process) {
    let refused: Vec<_> = operator.lines().into_iter().filter(|line| line.contains("forbidden")).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

/// On a control plane of its own: it reports on the resources of every namespace.
#[tokio::test(flavor = "multi_thread")]
async fn cluster_wide_the_rendered_service_account_is_enough() {
    let plane = tokio::task::spawn_blocking(ControlPlane::start).await.unwrap().unwrap();
    install_crd(&plane);
    let mut world = World::on(&plane, Config::default()).await;
    install(&plane, &world, &[]);
    become_service_account(&plane, &mut world);
    // The watch of Secrets works too: the interval is ten minutes.
    nothing_was_refused(&the_main_job_is_done(&plane, &world).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_namespaced_mode_the_rendered_service_account_is_enough() {
    let plane = ControlPlane::shared();
    let mut world = World::new(Config::default()).await;
    let namespaces = format!("watchNamespaces={{{}}}", world.namespace);
    install(plane, &world, &[&namespaces]);
    become_service_account(plane, &mut world);
    nothing_was_refused(&the_main_job_is_done(plane, &world).await);
}

/// A changed Secret is noticed at the interval there, which is why it is short.
#[tokio::test(flavor = "multi_thread")]
async fn with_named_secrets_the_rendered_service_account_reads_those_and_no_other() {
    let plane = ControlPlane::shared();
    let mut world = World::new(Config::default()).await;
    let namespaces = format!("watchNamespaces={{{}}}", world.namespace);
    let named = format!("rbac.secrets.named.{}={{granted}}", world.namespace);
    install(
        plane,
        &world,
        &[
            &namespaces,
            "rbac.secrets.access=named",
            &named,
            "create.enabled=false",
            "accounts.enabled=false",
            "confidence.interval=1s",
            "confidence.minInterval=1s",
        ],
    );
    become_service_account(plane, &mut world);
    let operator = the_main_job_is_done(plane, &world).await;
    nothing_was_refused(&operator);
    world.seed("other");
    world.put_secret("other", "secret", "hunter2").await;
    let reference = json!({"secretKeyRef": {"name": "other", "key": "secret"}});
    world.apply("other", json!({"clientSecret": reference})).await;
    let object = world.until_reason("other", "SecretUnreadable").await;
    assert!(message(&object).contains("may not"), "{}", message(&object));
}
