//! Resources as large as the API server takes them, and a process with the memory that the chart gives it.

use std::time::Duration;

use confidence_simulator::Config;
use futures::{StreamExt, stream};
use kube::api::{Patch, PatchParams};
use serde_json::json;
use testbed::{Deadline, Program, eventually};

use crate::program::get;
use crate::world::{CLIENT, World};

const RESOURCES: usize = 100;

/// In KiB: the chart's limit. It counts what the process may write to, and so a little more than a container's limit does.
const LIMIT: usize = 256 << 10;

/// In an owner reference and an annotation: the API server takes no more than 1.5 MiB in all.
const LARGE: (usize, usize) = (1_150_000, 250_000);

/// Anybody who may create resources may make them large: a hundred of them must not keep the operator from starting.
#[tokio::test(flavor = "multi_thread")]
async fn hundred_huge_resources_fit_the_memory_limit() {
    let world = World::new(Config::default()).await;
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "uid": "u", "name": "x".repeat(LARGE.0)});
    let annotations = json!({"example.com/large": "x".repeat(LARGE.1)});
    stream::iter(0..RESOURCES)
        .for_each_concurrent(4, async |number| {
            let id = format!("huge-{number}");
            world.seed(&id);
            let object = json!({
                "apiVersion": "iam.confidence.dev/v1alpha1", "kind": "ConfidenceClientCredential",
                "metadata": {"name": id, "ownerReferences": [owner], "annotations": annotations},
                "spec": {"name": format!("clients/{CLIENT}/credentials/{id}"), "displayName": "Checkout"},
            });
            world.api().patch(&id, &PatchParams::apply("a-person"), &Patch::Apply(object)).await.unwrap();
        })
        .await;
    let limited = format!("ulimit -d {LIMIT} && exec \"$0\" \"$@\"");
    let program = Program::new("sh").args(["-c", &limited, env!("CARGO_BIN_EXE_confidence-operator")]);
    let program = program.env("KUBECONFIG", &world.kubeconfig).env("LOG_LEVEL", "info").env("LOG_FORMAT", "json");
    let program = program.args(["--listen", "127.0.0.1:0", "--watch-namespace", &world.namespace]);
    let program = program.args(["--confidence-url", &world.server.url(), "--watch-accounts=false"]);
    let operator = program.arg("--token-file").arg(world.file("token")).start().unwrap();
    let metrics = async || get(&operator, "/metrics").await.1;
    let all = format!(r#"confidence_operator_resources{{reason="InSync"}} {RESOURCES}"#);
    eventually("all are served", Deadline(Duration::from_mins(6)), metrics, |it| it.contains(&all)).await;
}
