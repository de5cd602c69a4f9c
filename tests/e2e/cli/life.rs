//! `plan` of created credentials, against the operator.

use std::collections::BTreeMap;

use confidence_operator::api::ROTATE_REQUESTED_AT;
use confidence_simulator::{Call, CallKind, Client, Config, Secrets};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::run;
use crate::world::{CLIENT, World, status};

/// What somebody does to a resource while no operator runs.
#[derive(Clone, Copy, Debug)]
enum Disturbance {
    None,
    DeleteSecret,
    DeleteCredential,
    RemoveLabels,
    RenameSecret,
    RequestRotation,
    Suspend,
}

const DISTURBANCES: [Disturbance; 7] = [
    Disturbance::None,
    Disturbance::DeleteSecret,
    Disturbance::DeleteCredential,
    Disturbance::RemoveLabels,
    Disturbance::RenameSecret,
    Disturbance::RequestRotation,
    Disturbance::Suspend,
];

const INSTANCE: [&str; 2] = ["--instance-id", "life"];

/// What happens to a resource: how many are created, whether its credential is updated, and whether its Secret is written.
type Effect = (usize, bool, bool);

fn spec(name: &str, secret: &str, more: &Value) -> Value {
    let mut spec =
        json!({"client": format!("clients/{CLIENT}"), "displayName": name, "publishedSecret": {"name": secret}});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

async fn id(world: &World, name: &str) -> String {
    status(&world.api().get(name).await.unwrap()).name.unwrap().rsplit('/').next().unwrap().to_owned()
}

/// Disturbs a resource. Returns the name of its Secret from now on.
async fn disturb(world: &World, name: &str, disturbance: Disturbance) -> String {
    let id = id(world, name).await;
    match disturbance {
        Disturbance::None => {}
        Disturbance::DeleteSecret => drop(world.secrets().delete(name, &DeleteParams::default()).await.unwrap()),
        Disturbance::DeleteCredential => drop(world.simulator.delete(CLIENT, &id).unwrap()),
        Disturbance::RemoveLabels => assert!(world.simulator.relabel(CLIENT, &id, BTreeMap::new())),
        Disturbance::RenameSecret => {
            let renamed = format!("{name}-renamed");
            world.apply_spec(name, spec(name, &renamed, &json!({}))).await.unwrap();
            return renamed;
        }
        Disturbance::RequestRotation => world.annotate(name, ROTATE_REQUESTED_AT, "please").await,
        Disturbance::Suspend => {
            drop(world.apply_spec(name, spec(name, name, &json!({"suspend": true}))).await.unwrap());
        }
    }
    name.to_owned()
}

/// What plan says of a resource.
fn said(plan: &Value) -> Effect {
    let steps = plan["next"].as_array().unwrap().iter().filter(|it| it["isChange"] == true);
    let steps: Vec<&str> = steps.map(|it| it["text"].as_str().unwrap()).collect();
    let says = |words: &str| steps.iter().any(|it| it.contains(words));
    let is_suspended =
        plan["next"].as_array().unwrap().iter().any(|it| it["text"].as_str().unwrap().starts_with("suspended"));
    let is_created = says("publish its secret");
    let is_updated = !is_suspended && (plan["updateMask"] != "" || says("labels back on"));
    (usize::from(is_created), is_updated, is_created || says("publish the secret of"))
}

/// Where a Secret is, which changes with every write.
async fn version(world: &World, secret: &str) -> Option<(String, String)> {
    let metadata = world.secrets().get_opt(secret).await.unwrap()?.metadata;
    Some((metadata.uid.unwrap(), metadata.resource_version.unwrap()))
}

/// A resource after its disturbance.
struct Disturbed {
    name: String,
    /// The id of its credential before.
    id: String,
    secret: String,
    version: Option<(String, String)>,
    disturbance: Disturbance,
}

/// Has resources created, ends the operator, and disturbs them: each in one way, and some drift as well.
async fn disturbed(world: &World, random: &mut fastrand::Rng) -> Vec<Disturbed> {
    world.simulator.put_client(CLIENT, Client::default());
    let names: Vec<String> = (0..10).map(|number| format!("life-{number}")).collect();
    let operator = world.operator(&INSTANCE);
    for name in &names {
        world.apply_spec(name, spec(name, name, &json!({}))).await.unwrap();
    }
    for name in &names {
        world.until_reason(name, "InSync").await;
    }
    drop(operator);
    let mut all = Vec::new();
    for (number, name) in names.into_iter().enumerate() {
        let of_all = DISTURBANCES.get(number).copied();
        let disturbance = of_all.unwrap_or_else(|| *random.choice(&DISTURBANCES).unwrap());
        let id = id(world, &name).await;
        let secret = disturb(world, &name, disturbance).await;
        if random.bool() {
            world.simulator.edit(CLIENT, &id, |it| it.display_name.push_str(", edited"));
        }
        let version = version(world, &secret).await;
        all.push(Disturbed { name, id, secret, version, disturbance });
    }
    all
}

/// What the operator did about a resource.
async fn done(world: &World, resource: &Disturbed, calls: &[Call]) -> Effect {
    let count =
        |kind: CallKind, about: &dyn Fn(&Call) -> bool| calls.iter().filter(|it| it.kind == kind && about(it)).count();
    let creates = count(CallKind::Create, &|call| call.body["displayName"] == *resource.name);
    let updates = count(CallKind::Update, &|call| call.credential.as_deref() == Some(&resource.id));
    (creates, updates > 0, version(world, &resource.secret).await != resource.version)
}

async fn plans_agree(seed: u64, secrets: Secrets, is_later: bool) {
    let world = World::new(Config { secrets, ..Config::default() }).await;
    let resources = disturbed(&world, &mut fastrand::Rng::with_seed(seed)).await;
    if is_later {
        // A credential is not replaced in its first minute.
        world.simulator.reconfigure(|config| config.clock_skew_milliseconds += 120_000);
    }
    let ran = run(&world, &[&["plan", "-n", &world.namespace, "-o", "json"][..], &INSTANCE].concat()).await;
    assert!(ran.code < 2 && ran.err.is_empty(), "{}{}", ran.out, ran.err);
    let plans = ran.json();
    let before = world.simulator.call_count();
    let _operator = world.operator(&INSTANCE);
    for resource in &resources {
        match resource.disturbance {
            // No request is answered until it is resumed.
            Disturbance::Suspend => world.until_reason(&resource.name, "Suspended").await,
            _ => world.look_at(&resource.name, "after").await,
        };
    }
    let calls = world.simulator.calls_since(before);
    let mut wrong = Vec::new();
    for resource in &resources {
        let plan = plans.as_array().unwrap().iter().find(|it| it["name"] == *resource.name).unwrap();
        let done = done(&world, resource, &calls).await;
        if said(plan) != done {
            wrong.push(format!("{:?}: then {done:?}, planned {plan:#}", resource.disturbance));
        }
    }
    assert!(wrong.is_empty(), "(created, updated, Secret written) with {secrets:?}: {}", wrong.join("\n"));
}

/// In random states of a created credential, plan says what the operator then does: whether it creates another one, corrects
/// the one that is there, and writes the Secret.
#[tokio::test]
async fn plan_says_next_step_of_operator() {
    plans_agree(1, Secrets::Returned, true).await;
    plans_agree(2, Secrets::Withheld, true).await;
    plans_agree(3, Secrets::Withheld, false).await;
}
