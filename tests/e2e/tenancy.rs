//! What a tenant can do to another one: nothing. Mallory has every right that a namespace's editor has, in a namespace of hers,
//! and acts with her own kubeconfig.

use confidence_operator::api::{ClusterConfidenceAccount, ConfidenceClientCredential};
use confidence_simulator::{Call, CallKind, Client, Config};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use testbed::{ControlPlane, Deadline, Process, eventually};

use crate::account_objects::{
    accounts, grant, of_cluster, operator, put_account_at, put_shop_secret, shop, until_account, with_shop,
};
use crate::world::{CLIENT, World, credential, message, run, status};

/// The client that Mallory is granted.
const HERS: &str = "9mallory2z9qigdzqg6u";

/// The operator's namespace, and those of two tenants.
struct Tenants {
    platform: World,
    victim: World,
    mallory: World,
    _operator: Process,
}

impl Tenants {
    /// The cluster's account grants each tenant a client; flags may be added to those of the operator.
    async fn new(flags: &[&str]) -> Self {
        let platform = World::new(Config::default()).await;
        let (mut victim, mut mallory) = (World::new(Config::default()).await, World::new(Config::default()).await);
        let account = with_shop(&platform, &["victims"]);
        for client in [CLIENT, HERS] {
            account.put_client(client, Client::default());
        }
        for tenant in [&mut victim, &mut mallory] {
            tenant.simulator = platform.simulator.clone();
        }
        put_shop_secret(&platform).await;
        grant(&platform, json!([covers(&victim, CLIENT), covers(&mallory, HERS)])).await;
        mallory.client = client_of_editor(&mallory).await;
        let namespaces = ["--watch-namespace", &victim.namespace, "--watch-namespace", &mallory.namespace];
        let operator = operator(&platform, &[&namespaces, flags].concat());
        Self { platform, victim, mallory, _operator: operator }
    }

    /// The victim's resource, in line.
    async fn serve_victim(&self) {
        self.victim.apply("victims", json!({"accountRef": of_cluster(&self.platform), "sdkType": "BACKEND"})).await;
        self.victim.until_reason("victims", "InSync").await;
    }

    /// The calls about the victim's credential.
    fn calls_about_victim(&self) -> Vec<Call> {
        let is_about = |call: &Call| call.credential.as_deref() == Some("victims");
        self.platform.simulator.calls().into_iter().filter(is_about).collect()
    }

    /// No message to Mallory names what is the victim's.
    fn tells_nothing_foreign(&self, message: &str) {
        assert!(!message.contains(&self.victim.namespace), "{message}");
    }
}

fn covers(tenant: &World, client: &str) -> Value {
    let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": tenant.namespace}});
    json!({"namespaceSelector": selector, "clients": [format!("clients/{client}")]})
}

/// A user with the rights of `edit` in the namespace, and every right to the resources there but that to their statuses.
async fn client_of_editor(world: &World) -> kube::Client {
    let plane = ControlPlane::shared();
    let ns = ["--namespace", world.namespace.as_str()];
    let run = |arguments: &[&str]| run(plane, &[arguments, &ns].concat());
    run(&["create", "serviceaccount", "mallory"]);
    run(&[
        "create",
        "role",
        "mallory",
        "--verb=*",
        "--resource=confidenceclientcredentials.iam.confidence.dev,confidenceaccounts.iam.confidence.dev,secrets",
    ]);
    let user = format!("--serviceaccount={}:mallory", world.namespace);
    run(&["create", "rolebinding", "mallory", "--role=mallory", &user]);
    run(&["create", "rolebinding", "mallory-edits", "--clusterrole=edit", &user]);
    let token = run(&["create", "token", "mallory"]);
    let mut config = Kubeconfig::read_from(plane.kubeconfig()).unwrap();
    let user = json!([{"name": config.auth_infos[0].name, "user": {"token": token.trim()}}]);
    config.auth_infos = serde_json::from_value(user).unwrap();
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await;
    let client = kube::Client::try_from(config.unwrap()).unwrap();
    // The API server's watch of roles takes a moment.
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &world.namespace);
    let may_read = async || secrets.list(&ListParams::default()).await.is_ok();
    eventually("the role holds", Deadline::default(), may_read, |may| *may).await;
    client
}

fn is_forbidden<T: std::fmt::Debug>(result: kube::Result<T>) -> bool {
    matches!(result, Err(kube::Error::Api(status)) if status.code == 403)
}

/// Labels that a grant selects, statuses that claim a credential, the victim's objects: the API server refuses all of it.
#[tokio::test(flavor = "multi_thread")]
async fn tenant_may_forge_no_label_or_status() {
    let tenants = Tenants::new(&[]).await;
    let mallory = &tenants.mallory;
    let namespaces: Api<Namespace> = Api::all(mallory.client.clone());
    let label = Patch::Merge(json!({"metadata": {"labels": {"team": "checkout"}}}));
    assert!(is_forbidden(namespaces.patch(&mallory.namespace, &PatchParams::default(), &label).await));
    mallory.apply("forged", json!({"accountRef": of_cluster(&tenants.platform)})).await;
    let forged = Patch::Merge(json!({"status": {"name": format!("clients/{CLIENT}/credentials/victims")}}));
    assert!(is_forbidden(mallory.api().patch_status("forged", &PatchParams::default(), &forged).await));
    let victims: Api<ConfidenceClientCredential> = Api::namespaced(mallory.client.clone(), &tenants.victim.namespace);
    assert!(is_forbidden(victims.list(&ListParams::default()).await));
}

/// The account of the cluster for a client that is not hers, the victim's own account, and none at all: no call is made
/// about the victim's credential, which stays as it is.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_credential_is_out_of_reach() {
    let tenants = Tenants::new(&["--interval", "1s"]).await;
    let (platform, mallory) = (&tenants.platform, &tenants.mallory);
    tenants.serve_victim().await;
    let before = tenants.calls_about_victim().len();
    let name = format!("clients/{CLIENT}/credentials/victims");
    for (id, account, reason) in [
        ("granted", of_cluster(platform), "NotAllowedByAccount"),
        ("namespaced", json!({"name": "victims-account"}), "AccountNotFound"),
        ("default", Value::Null, "AccountNotFound"),
    ] {
        let mut spec = json!({"name": name, "displayName": "Mine now", "accountRef": account});
        spec.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        mallory.apply(id, spec).await;
        let object = mallory.until_reason(id, reason).await;
        tenants.tells_nothing_foreign(&message(&object));
        mallory.delete(id).await;
    }
    let writes = |calls: &[Call]| calls[before..].iter().filter(|call| call.kind != CallKind::Get).count();
    assert_eq!(writes(&tenants.calls_about_victim()), 0);
    tenants.victim.until_reason("victims", "InSync").await;
}

/// An account of hers at the same URL with credentials that Confidence refuses: she names the victim's credential before the
/// victim does, and it is the victim's all the same.
#[tokio::test(flavor = "multi_thread")]
async fn refused_account_holds_no_credential() {
    let tenants = Tenants::new(&["--interval", "1s"]).await;
    let mallory = &tenants.mallory;
    mallory.put_secret("bogus", "token", "no-such-token").await;
    put_account_at(mallory, "bogus", json!({"tokenSecretRef": {"name": "bogus"}}), &tenants.platform.server.url())
        .await;
    mallory.apply("victims", json!({"accountRef": {"name": "bogus"}, "displayName": "Mine now"})).await;
    mallory.until_reason("victims", "Unauthenticated").await;
    tenants.serve_victim().await;
    let account = tenants.platform.simulator.account("shop");
    assert_eq!(account.get(CLIENT, "victims").unwrap().display_name, "Checkout");
}

/// A resource names the Secret of an account of its namespace, which she might not be allowed to read: its value is written
/// to no credential.
#[tokio::test(flavor = "multi_thread")]
async fn secret_of_account_is_written_nowhere() {
    let tenants = Tenants::new(&[]).await;
    let (platform, mallory) = (&tenants.platform, &tenants.mallory);
    platform.simulator.account("shop").put(HERS, "hers", credential("Checkout"));
    mallory.put_secret("keys", "token", "somebodys-token").await;
    put_account_at(mallory, "theirs", json!({"tokenSecretRef": {"name": "keys"}}), &platform.server.url()).await;
    until_account(mallory, "theirs", "Unauthenticated").await;
    let reference = json!({"secretKeyRef": {"name": "keys", "key": "token"}});
    let spec = json!({
        "name": format!("clients/{HERS}/credentials/hers"), "accountRef": of_cluster(platform), "clientSecret": reference,
    });
    mallory.apply("hers", spec.clone()).await;
    let object = mallory.until_reason("hers", "SecretInvalid").await;
    assert!(message(&object).contains("holds the credentials of an account"), "{}", message(&object));
    assert_eq!(platform.updates().len(), 0);
    // Once it is no account's, it is a Secret like any other.
    accounts(mallory).delete("theirs", &DeleteParams::default()).await.unwrap();
    mallory.look_at("hers", "again").await;
    mallory.until_reason("hers", "InSync").await;
    assert_eq!(platform.simulator.account("shop").get(HERS, "hers").unwrap().secret, "somebodys-token");
}

/// Both may create under one client. She names the victim's credential in the Secret that the operator published for her, and
/// deletes her resource: the victim's credential stays, with its labels.
#[tokio::test(flavor = "multi_thread")]
async fn forged_secret_deletes_no_foreign_credential() {
    let tenants = Tenants::new(&["--interval", "1s"]).await;
    let (platform, victim, mallory) = (&tenants.platform, &tenants.victim, &tenants.mallory);
    grant(platform, json!([covers(victim, CLIENT), covers(mallory, CLIENT)])).await;
    let spec = |name: &str| {
        json!({"client": format!("clients/{CLIENT}"), "displayName": "Checkout", "publishedSecret": {"name": name},
            "accountRef": of_cluster(platform)})
    };
    victim.apply_spec("created", spec("theirs")).await.unwrap();
    mallory.apply_spec("created", spec("mine")).await.unwrap();
    let victims = status(&victim.until_reason("created", "InSync").await).name.unwrap();
    mallory.until_reason("created", "InSync").await;
    let account = platform.simulator.account("shop");
    let id = victims.rsplit('/').next().unwrap();
    let before = account.get(CLIENT, id).unwrap();
    let forged = json!({"metadata": {"annotations": {"iam.confidence.dev/credential": victims}}});
    mallory.secrets().patch("mine", &PatchParams::default(), &Patch::Merge(forged)).await.unwrap();
    mallory.annotate("created", "iam.confidence.dev/retire", &victims).await;
    mallory.look_at("created", "again").await;
    mallory.delete("created").await;
    let object = async || mallory.api().get_opt("created").await.unwrap();
    eventually("her resource is gone", Deadline::default(), object, Option::is_none).await;
    assert_eq!(account.get(CLIENT, id).unwrap(), before);
}

/// Her crowd has drifted and she edits it in a loop; the victim's edit is written before most of that backlog.
#[tokio::test(flavor = "multi_thread")]
async fn crowd_of_one_tenant_delays_no_other() {
    const CROWD: usize = 300;
    let tenants = Tenants::new(&[]).await;
    let (platform, mallory) = (&tenants.platform, &tenants.mallory);
    tenants.serve_victim().await;
    let account = platform.simulator.account("shop");
    let ids: Vec<String> = (0..CROWD).map(|number| format!("crowd-{number:03}")).collect();
    for id in &ids {
        account.put(HERS, id, credential("Drifted"));
    }
    let budget = json!({"spec": {"requestsPerSecond": 10}});
    let all: Api<ClusterConfidenceAccount> = Api::all(platform.client.clone());
    all.patch(&shop(platform), &PatchParams::default(), &Patch::Merge(budget)).await.unwrap();
    let spec = json!({"accountRef": of_cluster(platform), "interval": "1s"});
    let spec_of = |id: &str| {
        let mut spec = spec.clone();
        spec["name"] = json!(format!("clients/{HERS}/credentials/{id}"));
        spec
    };
    for id in &ids {
        mallory.apply(id, spec_of(id)).await;
    }
    let updates = |calls: &[Call]| calls.iter().filter(|call| call.kind == CallKind::Update).count();
    platform.until_calls(|calls| updates(calls) > 5).await;
    let before = platform.simulator.call_count();
    tenants.victim.apply("victims", json!({"accountRef": of_cluster(platform), "sdkType": "FRONTEND"})).await;
    let about_victim = |call: &Call| call.kind == CallKind::Update && call.credential.as_deref() == Some("victims");
    let calls = platform.until_calls(|calls| calls[before..].iter().any(about_victim)).await;
    let waited = calls[before..].iter().take_while(|call| !about_victim(call)).count();
    let rest = CROWD - updates(&calls[..before]);
    eprintln!("the victim's edit waited for {waited} of {rest} calls of the backlog");
    assert!(waited < rest / 3, "it waited for {waited} of {rest}");
}
