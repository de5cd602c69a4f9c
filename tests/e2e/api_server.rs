//! The API server away and back, and without the CRD.

use std::time::{Duration, Instant};

use confidence_simulator::{CallKind, Config, Fault, FaultKind};
use http::Method;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;
use testbed::{ControlPlane, Deadline, Process, eventually};

use crate::api_proxy::{ApiProxy, Hold};
use crate::world::{CLIENT, World, install_crd, run, status};

/// The operator gives a connection up on which nothing came for so long; beginning anew takes a little more.
const DEAD_WATCH: Duration = Duration::from_secs(65 + 10);

#[tokio::test(flavor = "multi_thread")]
async fn an_update_made_while_the_api_server_is_away_is_reported_when_it_is_back_and_not_made_again() {
    // Its own control plane: this one goes away.
    let plane = tokio::task::spawn_blocking(ControlPlane::start).await.unwrap().unwrap();
    install_crd(&plane);
    let world = World::on(&plane, Config::default()).await;
    world.seed("away");
    let _operator = world.operator(&["--interval", "1s"]);
    world.apply("away", json!({"sdkType": "BACKEND"})).await;
    let before = world.until_reason("away", "InSync").await;
    // The update waits at Confidence until the API server is gone.
    world.simulator.fault(Fault::always(FaultKind::Slow { milliseconds: 4000 }).on(CallKind::Update).times(1));
    world.simulator.edit(CLIENT, "away", |it| it.sdk_type = "FRONTEND".to_owned());
    world.until_calls(|calls| calls.iter().filter(|call| call.kind == CallKind::Update).count() == 2).await;
    plane.stop_api_server().unwrap();
    world
        .until_calls(|calls| {
            calls.iter().filter(|call| call.kind == CallKind::Update && call.status.is_some()).count() == 2
        })
        .await;
    plane.start_api_server().unwrap();
    let after = world.until("away", |it| status(it).last_update != status(&before).last_update).await;
    let update_time = world.credential("away").update_time;
    assert_eq!(status(&after).last_update.map(|it| it.time.0), update_time, "what was done is not forgotten");
    assert_eq!(world.updates().len(), 2);
    // And it goes on as before: a new spec is seen and served.
    world.apply("away", json!({"sdkType": "FRONTEND"})).await;
    world.until_reason("away", "InSync").await;
    assert_eq!(world.updates().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_crd_the_operator_is_not_ready_says_so_and_goes_on_when_it_comes() {
    let plane = tokio::task::spawn_blocking(ControlPlane::start).await.unwrap().unwrap();
    let world = World::on(&plane, Config::default()).await;
    world.seed("early");
    let operator = world.operator(&[]);
    let ready = async || crate::program::get(&operator, "/readyz").await;
    let (status, said) = eventually("it says why", Deadline::default(), ready, |(_, said)| said.contains("CRD")).await;
    assert_eq!((status, said.contains("is not installed")), (503, true), "{said}");
    assert_eq!(crate::program::get(&operator, "/livez").await.0, 200);
    install_crd(&plane);
    world.apply("early", json!({"sdkType": "BACKEND"})).await;
    world.until_reason("early", "InSync").await;
    assert_eq!(crate::program::get(&operator, "/readyz").await.0, 200);
}

/// The operator tries again every two seconds at the latest, so nobody waits for it when the API server is back; meanwhile
/// the log says once what is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn edit_after_outage_is_served_within_seconds() {
    let plane = tokio::task::spawn_blocking(ControlPlane::start).await.unwrap().unwrap();
    install_crd(&plane);
    let world = World::on(&plane, Config::default()).await;
    world.seed("outage");
    let program = world.program().arg("--token-file").arg(world.file("token"));
    let operator = program.env("LOG_LEVEL", "info").start().unwrap();
    world.apply("outage", json!({})).await;
    world.until_reason("outage", "InSync").await;
    plane.stop_api_server().unwrap();
    let failures = async || {
        let metrics = crate::program::get(&operator, "/metrics").await.1;
        let name = r#"confidence_operator_kubernetes_errors_total{operation="watch_resources"} "#;
        let count = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        count.parse::<u32>().unwrap()
    };
    // With the pauses between them, so many take eight seconds and more.
    eventually("it tries again and again", Deadline::default(), failures, |count| *count >= 10).await;
    let troubles = operator.lines().into_iter().filter(|line| line.contains("\"ERROR\"") || line.contains("\"WARN\""));
    assert!(troubles.clone().count() <= 4, "{:?}", troubles.collect::<Vec<_>>());
    plane.start_api_server().unwrap();
    let since = Instant::now();
    world.apply("outage", json!({"sdkType": "BACKEND"})).await;
    let look = async || world.credential("outage").sdk_type;
    eventually("the edit is served", Deadline(Duration::from_secs(5)), look, |it| it == "BACKEND").await;
    eprintln!("served after {:?}", since.elapsed());
}

/// An older or looser CRD let something through that cannot be decoded: those resources are told of, and all others served.
#[tokio::test(flavor = "multi_thread")]
async fn undecodable_resource_is_told_and_others_served() {
    let plane = tokio::task::spawn_blocking(ControlPlane::start).await.unwrap().unwrap();
    install_crd(&plane);
    let version = "/spec/versions/0";
    let spec = format!("{version}/schema/openAPIV3Schema/properties/spec");
    let patch = json!([
        {"op": "remove", "path": format!("{version}/selectableFields")},
        {"op": "replace", "path": spec, "value": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
    ]);
    let crd = "crd/confidenceclientcredentials.iam.confidence.dev";
    run(&plane, &["patch", crd, "--type=json", "--patch", &patch.to_string()]);
    let world = World::on(&plane, Config::default()).await;
    for id in ["good", "typed", "nameless"] {
        world.seed(id);
    }
    let create = async |id: &str, mut spec: serde_json::Value| {
        spec["name"] = json!(format!("clients/{CLIENT}/credentials/{id}"));
        let object = json!({
            "apiVersion": "iam.confidence.dev/v1alpha1", "kind": "ConfidenceClientCredential",
            "metadata": {"name": id, "namespace": world.namespace}, "spec": spec,
        });
        std::fs::write(world.file("object.json"), object.to_string()).unwrap();
        run(
            &plane,
            &["apply", "--server-side", "--force-conflicts", "-f", world.file("object.json").to_str().unwrap()],
        );
    };
    create("typed", json!({"displayName": "Checkout", "environments": "production"})).await;
    create("nameless", json!({})).await;
    create("good", json!({"displayName": "Checkout"})).await;
    let operator = world.operator(&[]);
    let look = async || crate::program::get(&operator, "/metrics").await.1;
    let is_served = |metrics: &String| metrics.contains(r#"confidence_operator_resources{reason="InSync"} 1"#);
    eventually("the good one is served", Deadline::default(), look, is_served).await;
    assert_eq!(crate::program::get(&operator, "/readyz").await.0, 200);
    for id in ["typed", "nameless"] {
        world.until_events(id, &["Undecodable"]).await;
    }
    let note = world.events("typed").await.remove(0).note.unwrap();
    assert!(note.contains("spec.environments: expected a sequence"), "{note}");
    let undecodable = r#"confidence_operator_kubernetes_errors_total{operation="decode_resource"} 2"#;
    assert!(look().await.contains(undecodable));
    create("typed", json!({"displayName": "Checkout", "environments": []})).await;
    world.until_reason("typed", "InSync").await;
}

#[tokio::test]
async fn a_watch_that_died_silently_is_noticed_in_time() {
    let world = World::new(Config::default()).await;
    world.seed("unwatched");
    world.apply("unwatched", json!({})).await;
    let proxy = ApiProxy::start(world.client.clone(), &world.file("kubeconfig")).await;
    // The lists come through, and then the watches stay silent, as when a firewall forgets a connection.
    proxy.hold(Hold::Answer, Method::GET, "watch=");
    let program = world.program().arg("--token-file").arg(world.file("token"));
    let _operator = program.env("KUBECONFIG", world.file("kubeconfig")).start().unwrap();
    world.until_reason("unwatched", "InSync").await;
    proxy.until_held().await;
    proxy.hold_nothing();
    let since = Instant::now();
    world.apply("unwatched", json!({"sdkType": "BACKEND"})).await;
    let look = async || world.credential("unwatched").sdk_type;
    eventually("the edit is seen", Deadline(DEAD_WATCH), look, |it| it == "BACKEND").await;
    eprintln!("noticed after {:?}", since.elapsed());
}

#[tokio::test]
async fn a_secret_that_the_api_server_does_not_give_for_once_is_no_news() {
    let world = World::new(Config::default()).await;
    world.seed("once");
    world.put_secret("once", "secret", "hunter2").await;
    let proxy = ApiProxy::start(world.client.clone(), &world.file("kubeconfig")).await;
    proxy.hold(Hold::Refused, Method::GET, "/secrets/once");
    let program = world.program().arg("--token-file").arg(world.file("token"));
    let operator = program.env("KUBECONFIG", world.file("kubeconfig")).start().unwrap();
    world.apply("once", json!({"clientSecret": {"secretKeyRef": {"name": "once", "key": "secret"}}})).await;
    world.until_reason("once", "InSync").await;
    proxy.until_held().await;
    crate::program::until_status_writes(&operator, 1).await;
}

/// A call to Confidence takes long enough for something to happen at the API server meanwhile.
async fn in_the_middle_of(id: &str, kind: CallKind) -> (World, Process) {
    let world = World::new(Config::default()).await;
    world.seed(id);
    world.simulator.fault(Fault::once(FaultKind::Slow { milliseconds: 2000 }).on(kind));
    let operator = world.operator(&[]);
    world.apply(id, json!({"sdkType": "BACKEND"})).await;
    world.until_calls(|calls| calls.iter().any(|call| call.kind == kind)).await;
    (world, operator)
}

/// Whatever happened, the operator serves others, and nothing went wrong.
async fn goes_on(world: &World, operator: &Process) {
    assert_eq!(crate::program::get(operator, "/livez").await.0, 200);
    let troubles = operator.lines().into_iter().filter(|line| line.contains("\"ERROR\"") || line.contains("panicked"));
    assert_eq!(troubles.count(), 0, "{}", operator.lines().join("\n"));
    assert_eq!(world.updates().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_is_deleted_in_the_middle_of_a_pass_is_no_error() {
    let (world, operator) = in_the_middle_of("deleted", CallKind::Update).await;
    world.delete("deleted").await;
    world.seed("other");
    world.apply("other", json!({})).await;
    world.until_calls(|calls| calls.iter().any(|call| call.kind == CallKind::Update && call.settled)).await;
    world.until_reason("other", "InSync").await;
    world.look_at("other", "after").await;
    goes_on(&world, &operator).await;
    let warnings = operator.lines().into_iter().filter(|line| line.contains("\"WARN\"")).count();
    assert_eq!(warnings, 0, "{}", operator.lines().join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_goes_away_in_the_middle_of_a_pass_is_no_error() {
    let (world, operator) = in_the_middle_of("leaving", CallKind::Update).await;
    // No events can be created in it any more; what is in it goes later.
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    namespaces.delete(&world.namespace, &DeleteParams::default()).await.unwrap();
    world.until_reason("leaving", "InSync").await;
    world.look_at("leaving", "after").await;
    goes_on(&world, &operator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_meets_a_newer_version_is_made_anew_and_nothing_seen_is_lost() {
    let (world, operator) = in_the_middle_of("contended", CallKind::Update).await;
    world.annotate("contended", "example.com/somebody", "was-here").await;
    let object = world.until_reason("contended", "InSync").await;
    assert_eq!(status(&object).last_update.map(|it| it.update_mask), Some("sdk_type".to_owned()));
    world.look_at("contended", "after").await;
    goes_on(&world, &operator).await;
}
