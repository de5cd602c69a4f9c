//! The operator is killed (SIGKILL) at each point of a create, and started again: one credential is left, and what is published
//! works.

use std::time::Duration;

use confidence_simulator::CallKind::{Create, List};
use confidence_simulator::{CallKind, Client, Config, Fault, FaultKind, Secrets};
use http::Method;
use serde_json::json;
use testbed::{Deadline, Process, eventually};

use crate::api_proxy::{ApiProxy, Hold};
use crate::world::{CLIENT, World, condition, status};

/// A lost answer is waited for, which takes 80 s, and for two lists.
const PATIENCE: Deadline = Deadline(Duration::from_mins(3));

/// Where the operator is killed.
enum Point {
    /// While a call to Confidence hangs.
    Confidence(CallKind, FaultKind),
    /// While a request to the API server, or its answer, is held.
    ApiServer(Hold, Method, String),
}

/// Kills the operator at a point of its create and starts another. Returns how many POSTs there were in the end.
async fn killed_at(id: &str, secrets: Secrets, point: Point) -> usize {
    let world = World::new(Config { secrets, ..Config::default() }).await;
    world.simulator.put_client(CLIENT, Client::default());
    run_until(&world, id, point).await.kill().unwrap();

    let _operator = world.operator(&["--interval", "1s"]);
    let object = async || world.api().get(id).await.unwrap();
    let is_done = |it: &_| condition(it, "Ready").is_some_and(|(_, reason)| reason == "InSync");
    let object = eventually(&format!("{id} is in sync"), PATIENCE, object, is_done).await;
    let secret = world.secrets().get(id).await.unwrap();
    let value = String::from_utf8(secret.data.unwrap()["clientSecret"].0.clone()).unwrap();
    assert!(world.simulator.resolve(&value).is_ok(), "{id}: what is published works");
    // What was never published goes when it is old enough; time goes on at the server.
    world.simulator.reconfigure(|config| config.clock_skew_milliseconds += 2 * 24 * 3_600_000);
    assert!(world.simulator.resolve(&value).is_ok());
    let live = async || world.simulator.all().into_keys().map(|(_, id)| id).collect::<Vec<_>>();
    let name = status(&object).name.unwrap();
    let is_alone = |live: &Vec<String>| live.len() == 1 && name.ends_with(&live[0]);
    eventually(&format!("{id}: one credential"), PATIENCE, live, is_alone).await;
    world.calls(Create).len()
}

/// Starts an operator and a resource; returns the operator when it is at the point.
async fn run_until(world: &World, id: &str, point: Point) -> Process {
    let proxy = ApiProxy::start(world.client.clone(), &world.file("kubeconfig")).await;
    match &point {
        Point::Confidence(kind, fault) => drop(world.simulator.fault(Fault::once(fault.clone()).on(*kind))),
        Point::ApiServer(hold, method, path) => proxy.hold(*hold, method.clone(), path),
    }
    let program = world.program().arg("--token-file").arg(world.file("token"));
    let operator = program.env("KUBECONFIG", world.file("kubeconfig")).start().unwrap();
    let spec =
        json!({"client": format!("clients/{CLIENT}"), "displayName": "Checkout", "publishedSecret": {"name": id}});
    world.apply_spec(id, spec).await.unwrap();
    match point {
        Point::Confidence(kind, _) => {
            world.until_calls(|calls| calls.iter().any(|call| call.kind == kind && call.settled)).await;
        }
        Point::ApiServer(..) => proxy.until_held().await,
    }
    operator
}

/// The attempt that is written ahead.
fn attempt(hold: Hold, id: &str) -> Point {
    Point::ApiServer(hold, Method::PATCH, format!("/confidenceclientcredentials/{id}"))
}

/// The Secret as it is written; a dry run comes before it.
fn secret(hold: Hold, id: &str) -> Point {
    Point::ApiServer(hold, Method::PATCH, format!("/secrets/{id}?&fieldManager"))
}

/// A POST whose outcome nobody knows is followed by another one at last. One that landed, with a secret that is withheld, is
/// superseded by another.
#[tokio::test]
async fn killed_create_leaves_one_working_credential() {
    let points = [
        ("kill-list", Point::Confidence(List, FaultKind::Hang), 1),
        ("kill-attempt", attempt(Hold::Request, "kill-attempt"), 1),
        ("kill-attempted", attempt(Hold::Answer, "kill-attempted"), 1),
        ("kill-post", Point::Confidence(Create, FaultKind::Hang), 2),
        ("kill-posted", Point::Confidence(Create, FaultKind::HangAfter), 2),
        ("kill-secret", secret(Hold::Request, "kill-secret"), 2),
        ("kill-published", secret(Hold::Answer, "kill-published"), 1),
        ("kill-status", Point::ApiServer(Hold::Request, Method::PUT, "/status".to_owned()), 1),
        ("kill-told", Point::ApiServer(Hold::Answer, Method::PUT, "/status".to_owned()), 1),
    ];
    let all = points.map(|(id, point, posts)| async move {
        assert_eq!(killed_at(id, Secrets::Withheld, point).await, posts, "{id}");
    });
    futures::future::join_all(all).await;
}

/// Where the secret is returned, a credential that landed is published, and no other is created.
#[tokio::test]
async fn killed_create_is_taken_up_where_secrets_are_returned() {
    let points = [
        ("taken-posted", Point::Confidence(Create, FaultKind::HangAfter)),
        ("taken-secret", secret(Hold::Request, "taken-secret")),
    ];
    let all = points.map(|(id, point)| async move {
        assert_eq!(killed_at(id, Secrets::Returned, point).await, 1, "{id}");
    });
    futures::future::join_all(all).await;
}
