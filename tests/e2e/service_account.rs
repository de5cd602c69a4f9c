//! The operator as the chart installs it: with the token of the rendered `ServiceAccount` and nothing more.

use std::process::Command;

use confidence_simulator::Config;
use kube::config::Kubeconfig;
use serde_json::json;
use testbed::{ControlPlane, Deadline, Process, Tool, eventually};

use crate::world::{World, run};

/// Installs the chart into the world's namespace, with a `ServiceAccount` of that name.
fn install(world: &World, values: &[&str]) {
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/confidence-operator");
    let output = Command::new(Tool::Helm.find().unwrap())
        .env("KUBECONFIG", ControlPlane::shared().kubeconfig())
        .envs(["HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_CACHE_HOME"].map(|name| (name, world.files.path())))
        .args(["install", &world.namespace, chart, "--namespace", &world.namespace])
        .args(["--set", "crds.install=false", "--set", &format!("fullnameOverride={}", world.namespace)])
        .args(values)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Makes the world's operator the `ServiceAccount`.
fn become_service_account(world: &mut World) {
    let plane = ControlPlane::shared();
    let token = run(plane, &["create", "token", &world.namespace, "--namespace", &world.namespace]);
    let mut config = Kubeconfig::read_from(plane.kubeconfig()).unwrap();
    let user = json!([{"name": config.auth_infos[0].name, "user": {"token": token.trim()}}]);
    config.auth_infos = serde_json::from_value(user).unwrap();
    world.kubeconfig = world.file("service-account");
    std::fs::write(&world.kubeconfig, serde_json::to_string(&config).unwrap()).unwrap();
}

/// Waits until the API server's watch of roles has seen the new ones.
async fn until_allowed(world: &World, verb: &str, resource: &str) {
    let account = format!("system:serviceaccount:{0}:{0}", world.namespace);
    let ask = async || {
        let plane = ControlPlane::shared();
        let kubectl =
            plane.kubectl().args(["auth", "can-i", verb, resource, "--as", &account, "-n", &world.namespace]).output();
        String::from_utf8(kubectl.unwrap().stdout).unwrap()
    };
    eventually("the roles hold", Deadline::default(), ask, |answer| answer.trim() == "yes").await;
}

fn operator(world: &World) -> Process {
    let program = world.program().arg("--token-file").arg(world.file("token")).arg("--leader-elect");
    program.env("POD_NAMESPACE", &world.namespace).env("POD_NAME", "as-installed").start().unwrap()
}

async fn the_main_job_is_done(world: &World) {
    until_allowed(world, "watch", "confidenceclientcredentials.iam.confidence.dev").await;
    until_allowed(world, "create", "leases.coordination.k8s.io").await;
    let operator = operator(world);
    world.seed("granted");
    world.put_secret("granted", "secret", "hunter2-one").await;
    let reference = json!({"secretKeyRef": {"name": "granted", "key": "secret"}});
    world.apply("granted", json!({"sdkType": "BACKEND", "clientSecret": reference})).await;
    world.until_reason("granted", "InSync").await;
    let events = async || world.event_reasons("granted").await;
    eventually("an event", Deadline::default(), events, |it| it.contains(&"Updated".to_owned())).await;
    // The watch of Secrets works too: the interval is ten minutes.
    world.put_secret("granted", "secret", "hunter2-two").await;
    let secret = async || world.credential("granted").secret;
    eventually("the new secret", Deadline::default(), secret, |it| it == "hunter2-two").await;
    let refused: Vec<_> = operator.lines().into_iter().filter(|line| line.contains("forbidden")).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_wide_the_rendered_service_account_is_enough() {
    let mut world = World::new(Config::default()).await;
    install(&world, &[]);
    become_service_account(&mut world);
    the_main_job_is_done(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_namespaced_mode_the_rendered_service_account_is_enough() {
    let mut world = World::new(Config::default()).await;
    let namespaces = format!("watchNamespaces={{{}}}", world.namespace);
    install(&world, &["--set", &namespaces]);
    become_service_account(&mut world);
    the_main_job_is_done(&world).await;
}
