//! `reconcile`, `rotate`, `suspend` and `resume`, with an operator that answers and without one.

use serde_json::json;

use super::{run, world};
use crate::world::{CLIENT, status};

/// Each request waits for its own answer in the status.
#[tokio::test]
async fn requests_wait_for_their_answer() {
    let world = world().await;
    let _operator = world.operator(&[]);
    world.seed("web");
    world.apply("web", json!({})).await;
    world.until_reason("web", "InSync").await;
    let in_namespace = async |command: &str, more: &[&str]| {
        let mut arguments = vec![command, "web", "-n", &world.namespace, "--wait"];
        arguments.extend(more);
        run(&world, &arguments).await
    };
    let ran = in_namespace("reconcile", &[]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("web: Ready=True, InSync"), "{}", ran.out);
    let ran = in_namespace("suspend", &[]).await;
    assert!(ran.code == 0 && ran.out.contains("Suspended"), "{}{}", ran.out, ran.err);
    let refused = in_namespace("reconcile", &[]).await;
    assert!(refused.code == 1 && refused.err.contains("resume it first"), "{}", refused.err);
    let ran = in_namespace("resume", &[]).await;
    assert!(ran.code == 0 && ran.out.contains("Ready=True"), "{}{}", ran.out, ran.err);
    let refused = in_namespace("rotate", &[]).await;
    assert!(refused.code == 1 && refused.err.contains("spec.client"), "{}", refused.err);
}

/// A rotation that was asked for has happened when the command ends.
#[tokio::test]
async fn rotate_waits_for_new_credential() {
    let world = world().await;
    let _operator = world.operator(&[]);
    let spec =
        json!({"client": format!("clients/{CLIENT}"), "displayName": "Shop", "publishedSecret": {"name": "shop"}});
    world.apply_spec("shop", spec).await.unwrap();
    let before = run(&world, &["plan", "shop", "-n", &world.namespace]).await;
    assert!(matches!(before.code, 0 | 1), "{}{}", before.out, before.err);
    let first = status(&world.until_reason("shop", "InSync").await).name;
    let ran = run(&world, &["rotate", "shop", "-n", &world.namespace, "--wait"]).await;
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_ne!(status(&world.api().get("shop").await.unwrap()).name, first);
    let after = run(&world, &["plan", "shop", "-n", &world.namespace]).await;
    assert!(after.code == 0 && after.out.contains("delete the superseded"), "{}", after.out);
}

/// Without an operator a wait ends, and says what to look at.
#[tokio::test]
async fn wait_without_operator_times_out() {
    let world = world().await;
    world.apply("web", json!({})).await;
    let ran = run(&world, &["reconcile", "web", "-n", &world.namespace, "--wait", "--timeout", "1s"]).await;
    assert_eq!((ran.code, ran.err.lines().count()), (1, 1), "{}", ran.err);
    assert!(ran.err.contains("check that it runs"), "{}", ran.err);
}
