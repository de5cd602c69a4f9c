//! `docs/cli.md`: what its console blocks show is what the binary prints. `GENERATE=1` writes them anew.

use std::fmt::Write;
use std::path::Path;

use confidence_operator::api::ConfidenceClientCredential;
use confidence_simulator::Credential;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use testbed::Process;

use super::{run, world};
use crate::world::{CLIENT, World, credential, status};

const FILE: &str = "docs/cli.md";
const NAMESPACE: &str = "shop";
const ADOPTED: &str = "3pxcfkkmi5sppg0lfa8d";
const FORGOTTEN: &str = "6t2wq9b4nv7rk1ymx0ce";
/// What the documentation calls the credentials that the operator created, in the order in which it did.
const CREATED: [&str; 2] = ["9h4kqz1m7d2xw8s0v5tb", "b7n3yc6f1pj8re4u2gal"];
const BEGIN: &str = "```console\n";
const END: &str = "```\n";
const PROMPT: &str = "$ kubectl confidence ";

/// The shop of the documentation: a credential that drifts, one that nobody manages, and one that the operator created.
async fn shop() -> (World, Process) {
    let mut world = world().await;
    world.namespace = NAMESPACE.to_owned();
    let namespace = serde_json::from_value(json!({"metadata": {"name": NAMESPACE}})).unwrap();
    Api::<Namespace>::all(world.client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
    world.simulator.put(CLIENT, ADOPTED, credential("Chekout"));
    let last_seen_time = Some("2025-01-15T08:00:00Z".parse().unwrap());
    world.simulator.put(CLIENT, FORGOTTEN, Credential { last_seen_time, ..credential("Nightly report") });
    let client = format!("clients/{CLIENT}");
    let adopted = json!({"name": format!("{client}/credentials/{ADOPTED}"), "displayName": "Checkout",
                         "labels": {"team": "shop"}, "driftPolicy": "Report"});
    let created = json!({"client": client, "displayName": "Cart", "publishedSecret": {"name": "cart-confidence"}});
    let operator = world.operator(&[]);
    world.apply_spec("checkout", adopted).await.unwrap();
    world.apply_spec("cart", created).await.unwrap();
    world.until_reason("checkout", "DriftReported").await;
    world.until_reason("cart", "InSync").await;
    (world, operator)
}

/// What varies from run to run, as the documentation has it.
async fn normalized(world: &World, created: &mut Vec<String>, text: &str) -> String {
    let cart: ConfidenceClientCredential = world.api().get("cart").await.unwrap();
    let id = status(&cart).name.unwrap().rsplit('/').next().unwrap().to_owned();
    if !created.contains(&id) {
        created.push(id);
    }
    let version = world.client.apiserver_version().await.unwrap().git_version;
    let mut text = text.replace(&world.server.url(), "https://iam.confidence.dev").replace(&version, "v1.33.1");
    for (id, name) in created.iter().zip(CREATED) {
        text = text.replace(id.as_str(), name);
    }
    text
}

/// The documentation, with the output of each command as it is now.
async fn renewed(world: &World, text: &str) -> String {
    let (mut renewed, mut rest, mut created) = (String::new(), text, Vec::new());
    while let Some(begin) = rest.find(BEGIN) {
        let (before, block) = rest.split_at(begin + BEGIN.len());
        renewed.push_str(before);
        let (block, after) = block.split_at(block.find(END).expect("the block has an end"));
        for command in block.lines().filter_map(|line| line.strip_prefix(PROMPT)) {
            let arguments: Vec<&str> = command.split(' ').collect();
            let ran = run(world, &arguments).await;
            let output = normalized(world, &mut created, &format!("{}{}", ran.out, ran.err)).await;
            let _ = write!(renewed, "{PROMPT}{command}\n{output}");
        }
        rest = after;
    }
    renewed + rest
}

/// Changed words or rules of a command show here until `GENERATE=1` has run.
#[tokio::test]
async fn console_blocks_are_real_output() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    let (world, _operator) = shop().await;
    let renewed = renewed(&world, &text).await;
    assert!(renewed.matches(PROMPT).count() > 5, "{FILE} shows no output");
    if std::env::var_os("GENERATE").is_some() {
        std::fs::write(&path, &renewed).unwrap();
        return;
    }
    let differs = renewed.lines().zip(text.lines()).find(|(now, then)| now != then);
    let advice = "run GENERATE=1 cargo test --test e2e console_blocks";
    assert!(renewed == text, "{FILE} is stale: {advice}; the first difference: {differs:#?}");
}
