//! The account over its rate limit: 429 with `Retry-After`.

use confidence_simulator::{Call, CallKind, Config, Fault, FaultKind};
use jiff::fmt::rfc2822::{self, DateTimePrinter};
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use testbed::{Deadline, eventually};

use crate::crowd::{Crowd, Stalls, busiest_second, gaps, pages};
use crate::program::{get, metric, until_status_writes};
use crate::world::World;

const RESOURCES: usize = 500;
const PAGES: usize = pages(RESOURCES);
const RATE: usize = 100;
/// In seconds.
const RETRY_AFTER: u64 = 3;

/// Five hundred resources meet a 429: one probe a window, and then they converge at the account's rate.
#[tokio::test(flavor = "multi_thread")]
async fn throttled_crowd_probes_once_a_window() {
    let world = World::new(Config::default()).await;
    let stalls = Stalls::measure();
    let crowd = Crowd::new(&world, RESOURCES, json!({})).await;
    let operator = world.operator(&["--requests-per-second", &RATE.to_string()]);
    crowd.until_reason(&world, "InSync").await;
    assert_eq!(world.simulator.call_count(), PAGES);
    until_status_writes(&operator, RESOURCES).await;

    // One edit meets the refusal. Then the account is blocked, and everything else is edited.
    let refusal = FaultKind::Status { code: 429, retry_after: Some(RETRY_AFTER.to_string()) };
    world.simulator.fault(Fault::always(refusal));
    world.apply(&crowd.ids[0], json!({"sdkType": "BACKEND"})).await;
    let held = async || get(&operator, "/metrics").await.1;
    let throttled = r#"confidence_operator_account_blocked{account="default",cause="rate_limited"} 1"#;
    eventually("throttled", Deadline::default(), held, |it| it.contains(throttled)).await;
    crowd.apply(&world, json!({"sdkType": "BACKEND"})).await;
    crowd.until_reason(&world, "RateLimited").await;
    let refused = |calls: &[Call]| calls.iter().filter(|call| call.status == Some(429)).count();
    world.until_calls(|calls| refused(calls) >= 3).await;
    world.simulator.clear_faults();
    crowd.until_reason(&world, "InSync").await;

    let calls = world.simulator.calls_since(PAGES);
    let refused = calls.iter().take_while(|call| call.status == Some(429)).count();
    let windows = gaps(&calls[..=refused]);
    assert!(refused >= 3 && windows.iter().all(|gap| *gap >= RETRY_AFTER * 1000), "{windows:?}");
    assert!(calls[refused..].iter().all(|call| call.status == Some(200)));
    // Each resource is written once, planned from the listing before, and there is nothing else but the refusals.
    assert!(calls.iter().all(|call| call.kind == CallKind::Update));
    assert_eq!(calls.len(), refused + RESOURCES);
    assert!(world.simulator.all().values().all(|it| it.sdk_type == "BACKEND"));
    let busiest = busiest_second(&calls);
    let most = stalls.most_in_a_second(RATE);
    eprintln!("{refused} refusals, then {} calls, at most {busiest} of {most} in a second", calls.len() - refused);
    assert!(busiest <= most, "{busiest} calls in a second, and not {most}");
    let status_writes = metric(&operator, "confidence_operator_status_writes_total").await;
    let most = f64::from(u32::try_from(3 * RESOURCES).unwrap());
    assert!(status_writes <= most, "{status_writes} status writes: more than the first, one out and one back");
}

/// With a 429 and with a 503.
#[tokio::test]
async fn retry_after_date_is_waited_for() {
    futures::future::join_all([429, 503].map(|code| async move {
        let id = format!("dated-{code}");
        let world = World::new(Config::default()).await;
        world.seed(&id);
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&(Timestamp::now() + 6.seconds())).unwrap();
        world.simulator.fault(Fault::once(FaultKind::Status { code, retry_after: Some(date.clone()) }));
        let _operator = world.operator(&[]);
        world.apply(&id, json!({"sdkType": "BACKEND"})).await;
        world.until_reason(&id, "InSync").await;
        let calls = world.simulator.calls();
        let kinds: Vec<_> = calls.iter().map(|call| call.kind).collect();
        assert_eq!(kinds, [CallKind::Get, CallKind::Get, CallKind::Update], "{id}");
        let date = rfc2822::parse(&date).unwrap().timestamp();
        assert!(calls[1].time >= date, "asked at {} to wait until {date}, back at {}", calls[0].time, calls[1].time);
    }))
    .await;
}
