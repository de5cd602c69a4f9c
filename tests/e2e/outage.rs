//! The account as one patient: an outage concerns all resources, and costs each of them little.

use std::time::Duration;

use confidence_simulator::{Call, CallKind, Config, Fault, FaultKind};
use serde_json::json;
use testbed::{Deadline, eventually};

use crate::crowd::{Crowd, Stalls, busiest_second, gaps, pages};
use crate::program::{get, metric, until_status_writes};
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
    until_status_writes(&operator, RESOURCES).await;
    world.simulator.fault(Fault::always(FaultKind::status(500)));
    let down = r#"confidence_operator_account_blocked{account="default",cause="service_unavailable"} 1"#;
    let metrics = async || get(&operator, "/metrics").await.1;
    eventually("the outage is seen", Deadline::default(), metrics, |it| it.contains(down)).await;
    let began = world.simulator.call_count();
    // Everybody has been turned away at least once.
    for id in &ids {
        world.until(id, |it| condition(it, "Ready").is_some_and(|(truth, _)| truth == "Unknown")).await;
    }
    let during = world.simulator.call_count() - began;
    // A restart would mend nothing of it.
    for endpoint in ["/livez", "/readyz"] {
        assert_eq!(get(&operator, endpoint).await.0, 200, "{endpoint}");
    }
    world.simulator.clear_faults();
    for id in &ids {
        world.until_reason(id, "InSync").await;
    }
    let writes = metric(&operator, "confidence_operator_status_writes_total").await;
    let most = f64::from(u32::try_from(3 * RESOURCES).unwrap());
    let about_the_account = async || world.event_reasons("operator-0").await;
    let told = eventually("events", Deadline::default(), about_the_account, |it| it.len() >= 2).await;
    assert_eq!(
        told,
        ["ServiceUnavailable", "AccountAvailable"],
        "one event out and one back, for all resources together"
    );
    assert!(writes <= most, "{writes} status writes for {RESOURCES} resources");
    assert!(during <= 20, "{during} calls while the account was held back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_gone_is_found_again_and_everybody_brought_in_line() {
    let mut world = World::new(Config::default()).await;
    for id in ["gone-1", "gone-2"] {
        world.seed(id);
    }
    world.server.pause().await;
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

/// How long the server fails. The windows between probes double, so that a longer outage adds ever fewer calls, but a test
/// would wait ever longer for the last one to end: what a minute and an hour cost is held by
/// `confidence::gate::tests::an_outage_of_a_minute_costs_few_calls_and_one_of_an_hour_hardly_more`.
const OUTAGE: Duration = Duration::from_secs(10);

/// The windows are drawn from up to 1, 2, 4, 8 and 16 s, and none is shorter than a second: five of them in twenty seconds
/// on average, and more than ten less than once in a million times.
const PROBES: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_fails_for_a_while_is_asked_as_seldom_as_the_backoff_says_and_all_converge_after() {
    const RATE: usize = 40;
    let world = World::new(Config::default()).await;
    let stalls = Stalls::measure();
    let crowd = Crowd::new(&world, RESOURCES, json!({})).await;
    let _operator = world.operator(&["--requests-per-second", &RATE.to_string()]);
    crowd.until_reason(&world, "InSync").await;
    assert_eq!(world.simulator.call_count(), pages(RESOURCES));
    world.simulator.fault(Fault::always(FaultKind::status(500)));
    crowd.apply(&world, json!({"sdkType": "BACKEND"})).await;
    tokio::time::sleep(OUTAGE).await;
    world.simulator.clear_faults();
    crowd.until_reason(&world, "InSync").await;

    let calls = world.simulator.calls_since(pages(RESOURCES));
    let failed = calls.iter().take_while(|call| call.status == Some(500)).count();
    let gaps = gaps(&calls[..=failed]);
    // Five failures are an outage; what may be sent at once, a quarter of the budget, may be on its way by then.
    let first_window = gaps.iter().position(|gap| *gap >= 1000).unwrap();
    assert!(first_window < 5 + RATE / 4, "{gaps:?}");
    let windows = &gaps[first_window..];
    assert!(windows.len() <= PROBES && windows.iter().all(|gap| *gap >= 1000), "{windows:?}");
    assert!(calls[failed..].iter().all(|call| call.status == Some(200)));
    // A write that failed may have been carried out, so that what was seen before is worth nothing.
    let (writes, looks) = calls[failed..].iter().partition::<Vec<&Call>, _>(|call| call.kind == CallKind::Update);
    assert_eq!(writes.len(), RESOURCES, "each is written once");
    assert!(looks.len() <= failed + pages(RESOURCES), "{} looks after {failed} failures", looks.len());
    assert!(world.simulator.all().values().all(|it| it.sdk_type == "BACKEND"));
    let busiest = busiest_second(&calls);
    let most = stalls.most_in_a_second(RATE);
    eprintln!("{failed} calls failed in {OUTAGE:?}; then at most {busiest} of {most} in a second");
    assert!(busiest <= most, "{busiest} calls in a second, and not {most}");
}
