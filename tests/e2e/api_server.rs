//! The API server away and back, and without the CRD.

use std::time::{Duration, Instant};

use confidence_simulator::{CallKind, Config, Fault, FaultKind};
use http::Method;
use serde_json::json;
use testbed::{ControlPlane, Deadline, eventually};

use crate::api_proxy::{ApiProxy, Hold};
use crate::world::{CLIENT, World, install_crd, status};

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
