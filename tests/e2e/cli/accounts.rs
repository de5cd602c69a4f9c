//! The commands with accounts that are resources, read with the caller's own rights.

use confidence_simulator::{CallKind, Config};
use serde_json::json;

use super::{Ran, command, output, run};
use crate::account_objects::{
    grant, of_cluster, put_account, put_client_secret, put_shop_secret, shop, to_this, with_shop,
};
use crate::world::{CLIENT, World};

/// Runs a command without credentials of its own; the namespace of the test is also the operator's.
async fn run_as_caller(world: &World, arguments: &[&str]) -> Ran {
    let place = ["-n", &world.namespace, "--operator-namespace", &world.namespace];
    output(&mut command(world, &[arguments, &place].concat())).await
}

/// A world with an account of the cluster that grants the test's namespace everything.
async fn world_with_shop(ids: &[&str]) -> World {
    let world = World::new(Config::default()).await;
    with_shop(&world, ids);
    put_shop_secret(&world).await;
    grant(&world, to_this(&world)).await;
    world
}

/// Each command reads the account and its Secret, and needs no credentials by flag. None prints them.
#[tokio::test]
async fn commands_use_account_of_cluster() {
    let world = world_with_shop(&["one"]).await;
    let account = format!("ClusterConfidenceAccount/{}", shop(&world));
    for (arguments, code, said) in [
        (&["check", "--client", CLIENT][..], 0, "1 of clients/"),
        (&["import", "--client", CLIENT], 0, "name: checkout"),
        (&["audit", "--client", CLIENT, "--instance-id", "test"], 0, "unmanaged"),
    ] {
        let ran = run_as_caller(&world, &[arguments, &["--account", &account]].concat()).await;
        assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains(said), "{arguments:?}: {}{}", ran.out, ran.err);
        assert!(!ran.out.contains("shop-secret") && !ran.err.contains("shop-secret"), "{}{}", ran.out, ran.err);
    }
    assert!(world.simulator.calls().iter().all(|call| call.account.as_deref() == Some("shop")));
}

/// What is missing is told in one line: the account, its Secret, or the right to read it.
#[tokio::test]
async fn unusable_account_says_what_to_do() {
    let world = world_with_shop(&[]).await;
    put_account(&world, "eu", json!({"tokenSecretRef": {"name": "none"}})).await;
    let account = format!("ClusterConfidenceAccount/{}", shop(&world));
    let nobody = format!("system:serviceaccount:{}:nobody", world.namespace);
    let elsewhere = ["import", "--all", "--account", &account, "--operator-namespace", "default"];
    let missing = output(&mut command(&world, &elsewhere)).await;
    assert!(missing.code == 1 && missing.err.contains("give --operator-namespace"), "{}", missing.err);
    for (account, more, said) in [
        ("ConfidenceAccount/none", &[][..], "there is no ConfidenceAccount none"),
        ("ConfidenceAccount/eu", &[], "there is no Secret"),
        (&account, &["--as", &nobody], "ask for that right"),
        ("shop", &[], "ClusterConfidenceAccount/NAME"),
    ] {
        let ran = run_as_caller(&world, &[&["import", "--all", "--account", account], more].concat()).await;
        assert!(ran.code != 0 && ran.err.contains(said), "{account}: {}{}", ran.out, ran.err);
    }
}

/// Each resource is read with its own account, and each account logs in once. A resource that no grant covers is told so in the
/// words of the operator, before any call.
#[tokio::test]
async fn plan_reads_with_account_of_resource() {
    let world = world_with_shop(&["one", "two"]).await;
    world.seed("own");
    world.apply("own", json!({})).await;
    put_client_secret(&world, "eu", json!({"clientId": "shop-client", "clientSecret": "shop-secret"})).await;
    put_account(&world, "eu", json!({"clientSecretRef": {"name": "eu"}})).await;
    world.apply("one", json!({"accountRef": of_cluster(&world)})).await;
    world.apply("two", json!({"accountRef": {"name": "eu"}, "displayName": "Other"})).await;
    let plan = ["plan", "-n", &world.namespace, "--operator-namespace", &world.namespace];
    let ran = run(&world, &plan).await;
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.ends_with("3 resources: 2 in sync, 1 to change, 0 not read\n"), "{}", ran.out);
    assert_eq!(world.calls(CallKind::Token).len(), 2, "one for each account");
    // Resources that all name an account need none by flag.
    assert_eq!(run_as_caller(&world, &["plan", "one"]).await.code, 0);
    grant(&world, json!([{"namespaceSelector": {}, "clients": ["clients/another"]}])).await;
    let before = world.simulator.calls().len();
    let denied = run_as_caller(&world, &["plan", "one"]).await;
    assert_eq!(denied.code, 2, "{}{}", denied.out, denied.err);
    assert!(denied.out.contains("! NotAllowedByAccount: spec.accountRef: no grant"), "{}", denied.out);
    assert_eq!(world.simulator.calls().len(), before);
}
