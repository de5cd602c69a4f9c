//! Accounts that are resources: grants, Secrets, isolation.

use confidence_operator::api::ConfidenceAccount;
use confidence_simulator::{Account, CallKind, Config, Fault, FaultKind, Token};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use testbed::{Deadline, eventually};

use crate::account_objects::{
    accounts, calls, grant, of_cluster, operator, put_account, put_client_secret, put_shop_secret, to_this,
    until_account, with_shop,
};
use crate::world::{CLIENT, PATIENCE, World, condition, credential, message};

/// An account of the cluster that grants this namespace everything: its credential is brought in line, and the account says
/// that it is well.
#[tokio::test]
async fn granted_cluster_account_is_used() {
    let world = World::new(Config::default()).await;
    let account = with_shop(&world, &["granted"]);
    put_shop_secret(&world).await;
    grant(&world, to_this(&world)).await;
    let _operator = operator(&world, &[]);
    world.apply("granted", json!({"accountRef": of_cluster(&world), "sdkType": "BACKEND"})).await;
    world.until_reason("granted", "InSync").await;
    assert_eq!(account.get(CLIENT, "granted").unwrap().sdk_type, "BACKEND");
    assert!(world.updates().iter().all(|call| call.account.as_deref() == Some("shop")));
}

/// No grant, the grant of another client, and that of another namespace: the resource is Stalled before any call, and does
/// not hold the credential either.
#[tokio::test]
async fn resource_without_grant_makes_no_call() {
    let world = World::new(Config::default()).await;
    with_shop(&world, &["denied"]);
    put_shop_secret(&world).await;
    grant(&world, json!([])).await;
    let _operator = operator(&world, &["--interval", "1s"]);
    world.apply("denied", json!({"accountRef": of_cluster(&world)})).await;
    let object = world.until_reason("denied", "NotAllowedByAccount").await;
    assert_eq!(condition(&object, "Stalled").unwrap().0, "True");
    grant(
        &world,
        json!([
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "elsewhere"}}},
            {"namespaceSelector": {}, "clients": ["clients/another"]},
        ]),
    )
    .await;
    let object = world.look_at("denied", "again").await;
    assert_eq!(condition(&object, "Ready").unwrap().1, "NotAllowedByAccount");
    assert_eq!(calls(&world), 0, "{:#?}", world.simulator.calls());
}

/// A grant that is given starts the resource within seconds, by the account or by the label of the namespace; taken away, it
/// stops it, and nothing is written although the credential drifts.
#[tokio::test]
async fn grants_start_and_stop_writes() {
    let world = World::new(Config::default()).await;
    let account = with_shop(&world, &["moved"]);
    put_shop_secret(&world).await;
    grant(&world, json!([{"namespaceSelector": {"matchLabels": {"team": "checkout"}}}])).await;
    let _operator = operator(&world, &["--interval", "1s"]);
    world.apply("moved", json!({"accountRef": of_cluster(&world), "displayName": "Mine"})).await;
    world.until_reason("moved", "NotAllowedByAccount").await;
    label(&world, json!("checkout")).await;
    world.until_reason("moved", "InSync").await;
    grant(&world, json!([])).await;
    world.until_reason("moved", "NotAllowedByAccount").await;
    let before = calls(&world);
    account.put(CLIENT, "moved", credential("Theirs"));
    let object = world.look_at("moved", "again").await;
    assert_eq!(condition(&object, "Ready").unwrap().1, "NotAllowedByAccount");
    assert_eq!(calls(&world), before);
    grant(&world, to_this(&world)).await;
    world.until_reason("moved", "InSync").await;
    assert_eq!(account.get(CLIENT, "moved").unwrap().display_name, "Mine");
    label(&world, Value::Null).await;
    assert_eq!(condition(&world.look_at("moved", "label").await, "Ready").unwrap().1, "InSync");
}

async fn label(world: &World, team: Value) {
    let api: Api<Namespace> = Api::all(world.client.clone());
    let patch = json!({"metadata": {"labels": {"team": team}}});
    api.patch(&world.namespace, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

/// A write that failed is due again when the grant is taken away: it is not repeated, not even when Confidence recovers.
#[tokio::test]
async fn revoked_grant_ends_repeated_write() {
    let world = World::new(Config::default()).await;
    with_shop(&world, &["waiting"]);
    put_shop_secret(&world).await;
    grant(&world, to_this(&world)).await;
    let outage = world.simulator.fault(Fault::always(FaultKind::status(503)).on(CallKind::Update));
    let _operator = operator(&world, &[]);
    world.apply("waiting", json!({"accountRef": of_cluster(&world), "displayName": "Mine"})).await;
    world.until_calls(|calls| calls.iter().any(|call| call.kind == CallKind::Update)).await;
    grant(&world, json!([])).await;
    world.until_reason("waiting", "NotAllowedByAccount").await;
    world.simulator.remove_fault(outage);
    let before = world.updates().len();
    world.look_at("waiting", "again").await;
    assert_eq!(world.updates().len(), before);
}

/// The Secret is missing, holds a half, is wrong, and is right at last: the account says each, and its resource goes on
/// within seconds.
#[tokio::test]
async fn account_follows_its_secret() {
    let world = World::new(Config::default()).await;
    with_shop(&world, &["late"]);
    put_account(&world, "shop", json!({"clientSecretRef": {"name": "shop"}})).await;
    let _operator = operator(&world, &[]);
    let status = until_account(&world, "shop", "SecretNotFound").await;
    assert_eq!(status.observed_generation, Some(1));
    world.apply("late", json!({"accountRef": {"name": "shop"}})).await;
    let object = world.until_reason("late", "Unauthenticated").await;
    assert!(message(&object).contains("ConfidenceAccount"), "{}", message(&object));
    put_client_secret(&world, "shop", json!({"clientId": "shop-client"})).await;
    let is_half = |it: &ConfidenceAccount| it.status.iter().any(|it| it.conditions[0].message.contains("clientSecret"));
    let api = accounts(&world);
    eventually("half", Deadline(PATIENCE), async || api.get("shop").await.unwrap(), is_half).await;
    assert_eq!(world.simulator.call_count(), 0, "nothing is sent without credentials");
    put_client_secret(&world, "shop", json!({"clientId": "shop-client", "clientSecret": "wrong"})).await;
    until_account(&world, "shop", "Unauthenticated").await;
    put_shop_secret(&world).await;
    world.until_reason("late", "InSync").await;
    until_account(&world, "shop", "Authenticated").await;
    world.secrets().delete("shop", &DeleteParams::default()).await.unwrap();
    until_account(&world, "shop", "SecretNotFound").await;
}

/// One account of the namespace is down; the resource of the other is served, and each account says how it stands.
#[tokio::test]
async fn account_that_is_down_harms_no_other() {
    let world = World::new(Config::default()).await;
    with_shop(&world, &["down"]);
    world.simulator.put_account("sandbox", Account::with_token("sandbox-token"));
    world.simulator.account("sandbox").put(CLIENT, "up", credential("Checkout"));
    world.simulator.fault(Fault::always(FaultKind::status(503)).with_account("shop"));
    put_shop_secret(&world).await;
    world.put_secret("sandbox", "token", "sandbox-token").await;
    put_account(&world, "shop", json!({"clientSecretRef": {"name": "shop"}})).await;
    put_account(&world, "sandbox", json!({"tokenSecretRef": {"name": "sandbox"}})).await;
    let _operator = operator(&world, &[]);
    world.apply("down", json!({"accountRef": {"name": "shop"}})).await;
    world.apply("up", json!({"accountRef": {"name": "sandbox"}, "sdkType": "BACKEND"})).await;
    world.until_reason("up", "InSync").await;
    world.until_reason("down", "ServiceUnavailable").await;
    until_account(&world, "sandbox", "Authenticated").await;
    until_account(&world, "shop", "ServiceUnavailable").await;
}

/// Without an account of its own the operator serves nobody who names none; an account that comes later is used at once, and
/// one that is deleted no more.
#[tokio::test]
async fn accounts_come_and_go() {
    let world = World::new(Config::default()).await;
    with_shop(&world, &["later"]);
    put_shop_secret(&world).await;
    let _operator = operator(&world, &[]);
    world.apply("none", json!({})).await;
    let object = world.until_reason("none", "AccountNotFound").await;
    assert!(message(&object).contains("without an account of its own"), "{}", message(&object));
    world.apply("later", json!({"accountRef": {"name": "shop"}})).await;
    world.until_reason("later", "AccountNotFound").await;
    put_account(&world, "shop", json!({"clientSecretRef": {"name": "shop"}})).await;
    world.until_reason("later", "InSync").await;
    accounts(&world).delete("shop", &DeleteParams::default()).await.unwrap();
    world.until_reason("later", "AccountNotFound").await;
}

/// The operator's own account serves beside the others, and an operator that is told so uses no other.
#[tokio::test]
async fn default_account_serves_beside_others() {
    let world = World::new(Config::default()).await;
    with_shop(&world, &["theirs"]);
    world.seed("mine");
    put_shop_secret(&world).await;
    put_account(&world, "shop", json!({"clientSecretRef": {"name": "shop"}})).await;
    let mut first = world.operator(&["--watch-accounts=true"]);
    world.apply("mine", json!({})).await;
    world.apply("theirs", json!({"accountRef": {"name": "shop"}})).await;
    world.until_reason("mine", "InSync").await;
    world.until_reason("theirs", "InSync").await;
    first.terminate(PATIENCE).unwrap();
    let _second = world.operator(&[]);
    world.until_reason("theirs", "AccountNotFound").await;
    assert_eq!(condition(&world.look_at("mine", "again").await, "Ready").unwrap().1, "InSync");
}

/// Two accounts for one API client have one budget, the lower: a second holds at most 1.25 times of it.
#[tokio::test]
async fn same_api_client_shares_one_budget() {
    let ids: Vec<String> = (0..16).map(|number| format!("shared-{number}")).collect();
    let world = World::new(Config::default()).await;
    let _account = with_shop(&world, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    world.simulator.account("shop").add_token("unused", Token::default());
    put_shop_secret(&world).await;
    for (name, per_second) in [("slow", 4), ("fast", 1000)] {
        put_account(&world, name, json!({"clientSecretRef": {"name": "shop"}})).await;
        let patch = json!({"spec": {"requestsPerSecond": per_second}});
        accounts(&world).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }
    let _operator = operator(&world, &["--observe", "update"]);
    until_account(&world, "slow", "Authenticated").await;
    until_account(&world, "fast", "Authenticated").await;
    let began = std::time::Instant::now();
    for (number, id) in ids.iter().enumerate() {
        let account = if number % 2 == 0 { "slow" } else { "fast" };
        world.apply(id, json!({"accountRef": {"name": account}})).await;
    }
    for id in &ids {
        world.until_reason(id, "InSync").await;
    }
    // Sixteen calls at four a second.
    assert!(began.elapsed() >= std::time::Duration::from_secs(3), "{:?}", began.elapsed());
}
