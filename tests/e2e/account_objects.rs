//! Accounts that are resources, as tests make them: the objects, their Secrets, and an operator that uses no other.

use confidence_operator::api::{ClusterConfidenceAccount, ConfidenceAccount, ConfidenceAccountStatus};
use confidence_simulator::{Account, CallKind, Simulator};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use testbed::{Deadline, Process, eventually};

use crate::world::{CLIENT, PATIENCE, World, credential};

/// The operator without an account of its own; its namespace is that of the test.
pub fn operator(world: &World, flags: &[&str]) -> Process {
    let program =
        world.program().env("POD_NAMESPACE", &world.namespace).args(["--watch-accounts=true", "--no-default-account"]);
    program.args(flags).start().unwrap()
}

/// The name of the cluster's account of a test: tests share the cluster.
pub fn shop(world: &World) -> String {
    format!("shop-{}", world.namespace)
}

/// The account at Confidence, with a credential that an account of another name has not.
pub fn with_shop(world: &World, ids: &[&str]) -> Simulator {
    world.simulator.put_account("shop", Account::with_client("shop-client", "shop-secret"));
    let account = world.simulator.account("shop");
    for id in ids {
        account.put(CLIENT, id, credential("Checkout"));
    }
    account
}

pub async fn put_client_secret(world: &World, name: &str, values: Value) {
    let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values});
    world.secrets().patch(name, &PatchParams::apply("a-person").force(), &Patch::Apply(object)).await.unwrap();
}

pub async fn put_shop_secret(world: &World) {
    // The operators of other tests keep the cluster's account too, and must find no Secret of it in their namespaces.
    for name in ["shop", &shop(world)] {
        put_client_secret(world, name, json!({"clientId": "shop-client", "clientSecret": "shop-secret"})).await;
    }
}

/// Applies the cluster's account with these grants; its Secret has its name.
pub async fn grant(world: &World, grants: Value) {
    let name = shop(world);
    let object = json!({
        "apiVersion": "iam.confidence.dev/v1alpha1", "kind": "ClusterConfidenceAccount", "metadata": {"name": name},
        "spec": {
            "url": world.server.url(), "credentials": {"clientSecretRef": {"name": name}}, "grants": grants,
            "requestsPerSecond": 1000,
        },
    });
    let api: Api<ClusterConfidenceAccount> = Api::all(world.client.clone());
    api.patch(&name, &PatchParams::apply("a-person").force(), &Patch::Apply(object)).await.unwrap();
}

/// Applies an account of the namespace.
pub async fn put_account(world: &World, name: &str, credentials: Value) {
    put_account_at(world, name, credentials, &world.server.url()).await;
}

/// The same for another server.
pub async fn put_account_at(world: &World, name: &str, credentials: Value, url: &str) {
    let object = json!({
        "apiVersion": "iam.confidence.dev/v1alpha1", "kind": "ConfidenceAccount", "metadata": {"name": name},
        "spec": {"url": url, "credentials": credentials, "requestsPerSecond": 1000},
    });
    accounts(world).patch(name, &PatchParams::apply("a-person").force(), &Patch::Apply(object)).await.unwrap();
}

pub fn accounts(world: &World) -> Api<ConfidenceAccount> {
    Api::namespaced(world.client.clone(), &world.namespace)
}

/// Waits until the Ready condition of an account of the namespace has a reason.
pub async fn until_account(world: &World, name: &str, reason: &str) -> ConfidenceAccountStatus {
    let api = accounts(world);
    let is_so = |it: &ConfidenceAccount| reason_of(it.status.as_ref()) == Some(reason);
    let read = async || api.get(name).await.unwrap();
    eventually(&format!("{name} {reason}"), Deadline(PATIENCE), read, is_so).await.status.unwrap()
}

pub fn reason_of(status: Option<&ConfidenceAccountStatus>) -> Option<&str> {
    status?.conditions.iter().find(|it| it.type_ == "Ready").map(|it| it.reason.as_str())
}

/// Everything that the test's own namespace may do, and no other.
pub fn to_this(world: &World) -> Value {
    json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}}])
}

pub fn of_cluster(world: &World) -> Value {
    json!({"kind": "ClusterConfidenceAccount", "name": shop(world)})
}

/// Calls about credentials: the operator also asks whether the account's own credentials are accepted.
pub fn calls(world: &World) -> usize {
    let about = |kind: &CallKind| !matches!(kind, CallKind::Token | CallKind::ListClients);
    world.simulator.calls().iter().filter(|call| about(&call.kind)).count()
}
