//! The account as one patient: an outage concerns all resources, and costs each of them little.

use confidence_simulator::{Config, Fault, FaultKind};
use serde_json::json;
use testbed::{Deadline, eventually};

use crate::program::{get, metric};
use crate::world::{World, condition};

const RESOURCES: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_costs_each_resource_at_most_one_status_write_out_and_one_back() {
    let world = World::new(Config::default()).await;
    let ids: Vec<String> = (0..RESOURCES).map(|number| format!("patient-{number:03}")).collect();
    for id in &ids {
        world.seed(id);
        world.apply(id, json!({})).await;
    }
    let program = world.program().arg("--token-file").arg(world.file("token")).args(["--interval", "2s"]);
    let operator = program.env("POD_NAMESPACE", &world.namespace).env("POD_NAME", "operator-0").start().unwrap();
    for id in &ids {
        world.until_reason(id, "InSync").await;
    }
    let before = metric(&operator, "confidence_operator_status_writes_total").await;
    world.simulator.fault(Fault::always(FaultKind::status(500)));
    let down = r#"confidence_operator_account_held{cause="down"} 1"#;
    let metrics = async || get(&operator, "/metrics").await.1;
    eventually("the outage is seen", Deadline::default(), metrics, |it| it.contains(down)).await;
    let began = world.simulator.call_count();
    // Everybody has been turned away at least once.
    for id in &ids {
        world.until(id, |it| condition(it, "Ready").is_some_and(|(truth, _)| truth == "Unknown")).await;
    }
    let during = world.simulator.call_count() - began;
    world.simulator.clear_faults();
    for id in &ids {
        world.until_reason(id, "InSync").await;
    }
    let writes = metric(&operator, "confidence_operator_status_writes_total").await - before;
    let most = f64::from(u32::try_from(2 * RESOURCES).unwrap());
    let about_the_account = async || world.event_reasons("operator-0").await;
    let told = eventually("events", Deadline::default(), about_the_account, |it| it.len() >= 2).await;
    assert_eq!(told, ["ServiceUnavailable", "AccountOpen"], "one event out and one back, for all resources together");
    assert!(writes <= most, "{writes} status writes for {RESOURCES} resources");
    assert!(during <= 20, "{during} calls while the account was held back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_gone_is_found_again_and_everybody_brought_in_line() {
    let mut world = World::new(Config::default()).await;
    for id in ["gone-1", "gone-2"] {
        world.seed(id);
    }
    world.server.pause().await.unwrap();
    let _operator = world.operator(&[]);
    for id in ["gone-1", "gone-2"] {
        world.apply(id, json!({"sdkType": "BACKEND"})).await;
        world.until(id, |it| condition(it, "Reconciling").is_some()).await;
    }
    world.server.resume().unwrap();
    for id in ["gone-1", "gone-2"] {
        world.until_reason(id, "InSync").await;
    }
    assert_eq!(world.updates().len(), 2);
}
