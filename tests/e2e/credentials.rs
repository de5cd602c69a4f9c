//! The account's own credentials: exchanged, refused, revoked.

use std::time::Duration;

use confidence_simulator::CallKind::{Get, Token, Update};
use confidence_simulator::{CallKind, Config, Fault, FaultKind};
use serde_json::json;
use testbed::{Deadline, Process, eventually};

use crate::program::get;
use crate::world::{World, condition, message};

/// An operator with the id and the secret of an API client.
pub fn exchanging(world: &World, secret: &str) -> Process {
    std::fs::write(world.file("id"), "test-client\n").unwrap();
    std::fs::write(world.file("secret"), secret).unwrap();
    let program = world.program().arg("--client-id-file").arg(world.file("id"));
    program.arg("--client-secret-file").arg(world.file("secret")).start().unwrap()
}

fn kinds(world: &World) -> Vec<CallKind> {
    world.simulator.calls().into_iter().map(|call| call.kind).collect()
}

/// Others come, and are told the same without a call.
async fn nobody_else_makes_a_call(world: &World) {
    let calls = world.simulator.call_count();
    for id in ["other-1", "other-2", "other-3"] {
        world.seed(id);
        world.apply(id, json!({})).await;
    }
    for id in ["other-1", "other-2", "other-3"] {
        let object = world.until_reason(id, "Unauthenticated").await;
        assert_eq!(condition(&object, "Ready").unwrap().0, "False");
        assert_eq!(condition(&object, "Stalled"), None, "it is no trouble of this resource");
    }
    assert_eq!(world.simulator.call_count(), calls);
}

#[tokio::test]
async fn refused_token_is_renewed_once() {
    let world = World::new(Config::default()).await;
    world.seed("renewed");
    world.simulator.fault(Fault::once(FaultKind::status(401)).on(Update));
    let _operator = exchanging(&world, "test-client-secret");
    world.apply("renewed", json!({"sdkType": "BACKEND"})).await;
    world.until_reason("renewed", "InSync").await;
    assert_eq!(kinds(&world), [Token, Get, Update, Token, Update]);
}

/// A server with another API client, whose secret is the same.
fn with_other_client() -> Config {
    let clients = ["test-client", "other-client"].map(|id| (id.to_owned(), "test-client-secret".to_owned()));
    Config { clients: clients.into(), ..Config::default() }
}

#[tokio::test]
async fn new_credentials_try_refused_calls_again() {
    let world = World::new(with_other_client()).await;
    world.seed("forbidden");
    let fault = world.simulator.fault(Fault::always(FaultKind::status(403)).about("forbidden"));
    let operator = exchanging(&world, "test-client-secret");
    // What the first list names is reconciled, and what is refused then is tried once more by the first resync.
    let ready = async || get(&operator, "/readyz").await.0;
    eventually("ready", Deadline::default(), ready, |it| *it == 200).await;
    world.apply("forbidden", json!({})).await;
    world.until_reason("forbidden", "Forbidden").await;
    world.simulator.remove_fault(fault);
    std::fs::write(world.file("id"), "other-client").unwrap();
    world.until_reason("forbidden", "InSync").await;
    assert_eq!(kinds(&world), [Token, Get, Update, Token, Get]);
}

/// Two credentials that are refused with every token tell that it is the account.
#[tokio::test]
async fn standing_401_blocks_the_account() {
    let world = World::new(with_other_client()).await;
    let fault = world.simulator.fault(Fault::always(FaultKind::status(401)).on(Get));
    let _operator = exchanging(&world, "test-client-secret");
    for id in ["barred-1", "barred-2"] {
        world.seed(id);
        world.apply(id, json!({})).await;
        let object = world.until_reason(id, "Unauthenticated").await;
        assert!(message(&object).contains("--client-secret-file"), "{}", message(&object));
    }
    // Other credentials are a reason to try again at once.
    world.simulator.remove_fault(fault);
    std::fs::write(world.file("id"), "other-client").unwrap();
    for id in ["barred-1", "barred-2"] {
        world.until_reason(id, "InSync").await;
    }
    let calls = kinds(&world);
    assert!(calls.iter().filter(|it| **it == Token).count() <= 4, "{calls:?}");
}

#[tokio::test]
async fn refused_client_secret_waits_for_new_files() {
    let world = World::new(Config::default()).await;
    world.seed("refused");
    let operator = exchanging(&world, "wrong");
    world.apply("refused", json!({})).await;
    let object = world.until_reason("refused", "Unauthenticated").await;
    assert!(message(&object).contains("--client-secret-file"), "{}", message(&object));
    assert_eq!(kinds(&world), [Token]);
    nobody_else_makes_a_call(&world).await;
    std::fs::write(world.file("secret"), "test-client-secret").unwrap();
    world.until_reason("refused", "InSync").await;
    operator.wait_for_line(Duration::from_secs(1), |line| line.contains("credentials have changed")).unwrap();
    assert!(operator.lines().iter().all(|line| !line.contains("test-client-secret")), "no secret in the log");
}
