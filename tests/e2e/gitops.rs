//! Beside the tools that keep manifests in Git: how they judge real objects, and several managers of one spec.

use confidence_operator::api::{ConfidenceClientCredential, RECONCILE_REQUESTED_AT};
use confidence_simulator::{CallKind, Config, Fault, FaultKind};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use testbed::gitops::argo;
use testbed::gitops::kstatus::{self, Status};
use testbed::{ControlPlane, Deadline, eventually};

use crate::program::metric;
use crate::world::{CLIENT, PATIENCE, World, is_current, run, version};

/// What Argo CD and kstatus say of the object as the API server has it.
async fn judged(world: &World, name: &str) -> (String, Status) {
    let resource = ApiResource::erase::<ConfidenceClientCredential>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), &world.namespace, &resource);
    let object = serde_json::to_value(api.get(name).await.unwrap()).unwrap();
    (argo::health(&object).unwrap().status, kstatus::status(&object))
}

/// Server-side apply of some fields of the spec, and never by force.
async fn apply(world: &World, manager: &str, name: &str, spec: Value) -> kube::Result<ConfidenceClientCredential> {
    world.api().patch(name, &PatchParams::apply(manager), &Patch::Apply(manifest(name, &spec))).await
}

/// The same, as a person does it.
fn kubectl_apply(world: &World, manager: &str, object: &Value) {
    let file = world.file("manifest.json");
    std::fs::write(&file, object.to_string()).unwrap();
    let place = ["-n", &world.namespace, "-f", file.to_str().unwrap(), "--field-manager", manager];
    let apply = ["apply", "--server-side", "--force-conflicts=false"];
    run(ControlPlane::shared(), &[&apply[..], &place].concat());
}

fn manifest(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "iam.confidence.dev/v1alpha1", "kind": "ConfidenceClientCredential",
        "metadata": {"name": name}, "spec": spec,
    })
}

fn credential_name(id: &str) -> String {
    format!("clients/{CLIENT}/credentials/{id}")
}

/// Which parts of the object the operator's entries in `managedFields` name, with their subresource.
fn owned_by_the_operator(object: &ConfidenceClientCredential) -> Vec<(Option<String>, Vec<String>)> {
    let parts = |entry: &ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref().unwrap();
        fields.0.as_object().unwrap().keys().cloned().collect()
    };
    let entries = object.managed_fields().iter().filter(|it| it.manager.as_deref() == Some("confidence-operator"));
    entries.map(|it| (it.subresource.clone(), parts(it))).collect()
}

#[tokio::test]
async fn what_nobody_has_looked_at_is_never_taken_as_done() {
    let world = World::new(Config::default()).await;
    world.seed("fresh");
    world.apply("fresh", json!({})).await;
    assert_eq!(judged(&world, "fresh").await, ("Progressing".into(), Status::InProgress));
    let _operator = world.operator(&[]);
    world.until_reason("fresh", "InSync").await;
    assert_eq!(judged(&world, "fresh").await, ("Healthy".into(), Status::Current));
    // A look that does not end says nothing of the new spec, and neither may what was said of the old one.
    world.simulator.fault(Fault::once(FaultKind::Hang).on(CallKind::Update));
    world.apply("fresh", json!({"sdkType": "BACKEND"})).await;
    world.until_calls(|calls| calls.iter().any(|it| it.kind == CallKind::Update)).await;
    assert_eq!(judged(&world, "fresh").await, ("Progressing".into(), Status::InProgress));
}

#[tokio::test]
async fn real_objects_are_judged_as_a_person_would() {
    let world = World::new(Config::default()).await;
    world.seed("resting");
    world.seed("differing");
    let _operator = world.operator(&[]);
    world.apply("lost", json!({})).await;
    world.apply("resting", json!({"suspend": true})).await;
    world.apply("differing", json!({"driftPolicy": "Report", "sdkType": "BACKEND"})).await;
    for (name, reason, argo, kstatus) in [
        ("lost", "CredentialNotFound", "Degraded", Status::Failed),
        ("resting", "Suspended", "Suspended", Status::InProgress),
        ("differing", "DriftReported", "Healthy", Status::Current),
    ] {
        world.until_reason(name, reason).await;
        assert_eq!(judged(&world, name).await, (argo.into(), kstatus), "{name}");
    }
}

/// Argo CD writes what an action returns.
async fn act(world: &World, action: &str, name: &str) {
    let object = serde_json::to_value(world.api().get(name).await.unwrap()).unwrap();
    assert!(argo::actions(&object).unwrap().contains(&action), "{action} is not offered");
    let after = serde_json::from_value(argo::act(action, &object).unwrap()).unwrap();
    world.api().replace(name, &PostParams::default(), &after).await.unwrap();
}

#[tokio::test]
async fn actions_of_argo_cd_reach_the_operator() {
    let world = World::new(Config::default()).await;
    world.seed("acted");
    let _operator = world.operator(&[]);
    world.apply("acted", json!({})).await;
    world.until_reason("acted", "InSync").await;
    act(&world, "suspend", "acted").await;
    world.until_reason("acted", "Suspended").await;
    act(&world, "resume", "acted").await;
    world.until_reason("acted", "InSync").await;
    act(&world, "reconcile", "acted").await;
    let asked = async || world.api().get("acted").await.unwrap();
    let is_echoed = |it: &ConfidenceClientCredential| {
        let handled = it.status.as_ref().and_then(|it| it.last_handled_reconcile_at.clone());
        handled.is_some() && handled.as_ref() == it.annotations().get(RECONCILE_REQUESTED_AT)
    };
    eventually("the request is handled", Deadline::default(), asked, is_echoed).await;
}

#[tokio::test]
async fn the_patch_puts_the_health_check_into_argo_cds_configuration_and_leaves_the_rest() {
    let world = World::new(Config::default()).await;
    let api: Api<ConfigMap> = Api::namespaced(world.client.clone(), &world.namespace);
    let mine = json!({"metadata": {"name": "argocd-cm", "labels": {"mine": "kept"}}, "data": {"mine": "kept"}});
    api.create(&PostParams::default(), &serde_json::from_value(mine).unwrap()).await.unwrap();
    let patch = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/argocd/argocd-cm.yaml");
    let kubectl = ["patch", "configmap", "argocd-cm", "--type", "merge", "--patch-file", patch, "-n", &world.namespace];
    run(ControlPlane::shared(), &kubectl);
    let after = api.get("argocd-cm").await.unwrap();
    assert_eq!(after.labels()["mine"], "kept");
    let data = after.data.unwrap();
    assert_eq!((data.len(), data["mine"].as_str()), (3, "kept"));
    assert_eq!(data["resource.customizations.health.iam.confidence.dev_ConfidenceClientCredential"], argo::SCRIPT);
}

#[tokio::test]
async fn managers_that_share_a_spec_meet_no_conflict_with_the_operator() {
    let world = World::new(Config::default()).await;
    world.seed("shared");
    let _operator = world.operator(&[]);
    let team = json!({"name": credential_name("shared"), "displayName": "Checkout", "labels": {"team": "checkout"}});
    let platform = json!({"environments": ["production"], "labels": {"tier": "gold"}, "interval": "5m"});
    apply(&world, "team", "shared", team.clone()).await.unwrap();
    apply(&world, "platform", "shared", platform.clone()).await.unwrap();
    world.until("shared", |it| is_current(it) && it.spec.environments.is_some()).await;
    let credential = world.credential("shared");
    assert_eq!(credential.environments, ["production"]);
    assert_eq!(credential.labels.len(), 2, "{:?}", credential.labels);

    for round in 0..3 {
        // The operator writes the status between the applies.
        world.simulator.edit(CLIENT, "shared", |it| it.display_name = format!("Drift {round}"));
        world.look_at("shared", &round.to_string()).await;
        assert_eq!(world.credential("shared").display_name, "Checkout");
        apply(&world, "team", "shared", team.clone()).await.unwrap();
        apply(&world, "platform", "shared", platform.clone()).await.unwrap();
    }
    let object = world.api().get("shared").await.unwrap();
    assert_eq!(owned_by_the_operator(&object), [(Some("status".to_owned()), vec!["f:status".to_owned()])]);
    let refused = apply(&world, "platform", "shared", json!({"displayName": "Other"})).await.unwrap_err().to_string();
    assert!(refused.contains("conflict with \"team\""), "{refused}");

    // Of a field that others still state, what nobody states goes: labels are managed as a whole.
    kubectl_apply(&world, "platform", &manifest("shared", &json!({"environments": ["production"]})));
    world.until("shared", is_current).await;
    assert_eq!(world.credential("shared").labels, [("team".to_owned(), "checkout".to_owned())].into());
}

#[tokio::test]
async fn a_manifest_that_is_applied_again_and_again_makes_no_work() {
    let world = World::new(Config::default()).await;
    world.seed("repeated");
    let operator = world.operator(&[]);
    let object = manifest("repeated", &json!({"name": credential_name("repeated"), "displayName": "Checkout"}));
    let apply = |manager| kubectl_apply(&world, manager, &object);
    apply("first");
    let before = world.until_reason("repeated", "InSync").await;
    let counted = async || {
        let passes = r#"confidence_operator_reconcile_total{outcome="in_sync"}"#;
        [metric(&operator, passes).await, metric(&operator, "confidence_operator_status_writes_total").await]
    };
    // A status is seen by others before it is counted.
    let until = async |passes_and_writes| {
        eventually("passes and writes", Deadline(PATIENCE), counted, |it| *it == passes_and_writes).await;
    };
    until([1.0, 1.0]).await;

    // One more manager is news for managedFields, and for nothing else.
    apply("second");
    let second = world.api().get("repeated").await.unwrap();
    for _ in 0..3 {
        for manager in ["first", "second"] {
            apply(manager);
            let again = world.api().get("repeated").await.unwrap();
            assert_eq!((again.metadata.generation, version(&again)), (before.metadata.generation, version(&second)));
        }
    }
    world.seed("witness");
    world.apply("witness", json!({})).await;
    world.until_reason("witness", "InSync").await;
    // One look, one pass and one status more, which are those of the witness.
    until([2.0, 2.0]).await;
    assert_eq!(world.simulator.call_count(), 2);
    assert_eq!(version(&world.api().get("repeated").await.unwrap()), version(&second));
}

#[tokio::test]
async fn a_field_that_its_manager_takes_out_is_left_alone_at_confidence() {
    let world = World::new(Config::default()).await;
    world.seed("released");
    let _operator = world.operator(&[]);
    let team = json!({"name": credential_name("released"), "displayName": "Checkout"});
    let platform = json!({"environments": ["production"], "labels": {"tier": "gold"}, "sdkType": "BACKEND"});
    apply(&world, "team", "released", team).await.unwrap();
    apply(&world, "platform", "released", platform).await.unwrap();
    world.until("released", |it| is_current(it) && it.spec.sdk_type.is_some()).await;
    let (before, updates) = (world.credential("released"), world.updates().len());
    assert_eq!((before.environments.len(), before.labels.len()), (1, 1));

    let after = apply(&world, "platform", "released", json!({})).await.unwrap();
    let spec = &after.spec;
    assert!(spec.environments.is_none() && spec.labels.is_none() && spec.sdk_type.is_none(), "{spec:?}");
    world.until("released", is_current).await;
    world.look_at("released", "again").await;
    assert_eq!(world.updates().len(), updates, "a field that nobody states is nobody's to clear");
    assert_eq!(world.credential("released"), before);
}
