//! The operator is killed (SIGKILL) at each point of a pass, and started again.
//!
//! What happens in a pass: the Secret is read, the credential is looked at, updated, the status is written, the event is
//! told. A point is reached when the Confidence server or the API server has the request, and has or has not acted on it,
//! so what the operator knew when it died is certain.

use confidence_simulator::CallKind::{Get, Update};
use confidence_simulator::{CallKind, Config, Fault, FaultKind, Secrets};
use http::Method;
use serde_json::json;
use testbed::Process;

use crate::api_proxy::{ApiProxy, Hold};
use crate::world::{PATIENCE, World, condition, is_current, status};

/// Where the operator is killed.
enum Point {
    /// While a call to Confidence hangs.
    Confidence(CallKind, FaultKind),
    /// After it was told what is at Confidence, and before it sends the update.
    Seen,
    /// While a request to the API server, or its answer, is held.
    ApiServer(Hold, Method, &'static str),
}

/// What is there in the end, when another operator has done all that it wanted to do.
struct End {
    /// All calls to Confidence. The last one is a look of the test's own making.
    kinds: Vec<CallKind>,
    /// The update masks.
    masks: Vec<String>,
    /// The reasons of the events about the resource.
    events: Vec<String>,
    /// The mask of the last update, as the status has it.
    reported: Option<String>,
}

/// Kills the operator at a point of its first pass over a resource and starts another. Confidence withholds the secret, as
/// documented, or returns it.
async fn killed_at(id: &str, secrets: Secrets, point: Point) -> End {
    let world = World::new(Config { secrets, ..Config::default() }).await;
    let value = format!("hunter2-{id}");
    world.seed(id);
    world.put_secret(id, "secret", &value).await;
    run_until(&world, id, point).await.kill().unwrap();

    let looks = world.calls(Get).len();
    let _operator = world.operator(&[]);
    world.until_calls(|calls| calls.iter().filter(|call| call.kind == Get).count() > looks).await;
    world.until_reason(id, "InSync").await;
    let object = world.look_at(id, "after").await;
    assert_eq!(condition(&object, "Ready").unwrap(), ("True".into(), "InSync".into()));
    assert!(is_current(&object));
    assert_eq!((world.credential(id).sdk_type, world.credential(id).secret), ("BACKEND".into(), value));
    End {
        kinds: world.simulator.calls().into_iter().map(|call| call.kind).collect(),
        masks: world.updates().into_iter().map(|call| call.mask.join(",")).collect(),
        events: world.event_reasons(id).await,
        reported: status(&object).last_update.map(|it| it.update_mask),
    }
}

/// Starts an operator and a resource; answers the operator when it is at the point.
async fn run_until(world: &World, id: &str, point: Point) -> Process {
    let proxy = ApiProxy::start(world.client.clone(), &world.file("kubeconfig")).await;
    // One request a second leaves time between the look and the update.
    let rate = if matches!(point, Point::Seen) { "1" } else { "1000" };
    let program = world.program().arg("--token-file").arg(world.file("token"));
    let program = program.args(["--requests-per-second", rate]).env("KUBECONFIG", world.file("kubeconfig"));
    match &point {
        Point::Confidence(kind, fault) => drop(world.simulator.fault(Fault::once(fault.clone()).on(*kind))),
        Point::Seen => {}
        Point::ApiServer(hold, method, path) => proxy.hold(*hold, method.clone(), path),
    }
    let operator = program.start().unwrap();
    let reference = json!({"secretKeyRef": {"name": id, "key": "secret"}});
    world.apply(id, json!({"sdkType": "BACKEND", "clientSecret": reference})).await;
    match point {
        Point::Confidence(kind, _) => {
            world.until_calls(|calls| calls.iter().any(|call| call.kind == kind && call.settled)).await;
        }
        Point::Seen => {
            let seen = |line: &str| line.contains("\"read\"") && line.contains("\"ok\"");
            operator.wait_for_line(PATIENCE, seen).unwrap();
        }
        Point::ApiServer(..) => proxy.until_held().await,
    }
    operator
}

const BOTH: &str = "sdk_type,client_secret";

#[tokio::test]
async fn killed_before_it_looks_it_has_done_nothing() {
    let point = Point::ApiServer(Hold::Answer, Method::GET, "/secrets/");
    let end = killed_at("before-look", Secrets::Withheld, point).await;
    assert_eq!(end.kinds, [Get, Update, Get]);
    assert_eq!((end.masks, end.events), (vec![BOTH.into()], vec!["Updated".into()]));
    assert_eq!(end.reported.unwrap(), BOTH);
}

#[tokio::test]
async fn killed_while_it_looks_it_looks_again_and_updates_once() {
    for (id, fault) in [("look", FaultKind::Hang), ("look-answered", FaultKind::HangAfter)] {
        let end = killed_at(id, Secrets::Withheld, Point::Confidence(Get, fault)).await;
        assert_eq!(end.kinds, [Get, Get, Update, Get]);
        assert_eq!((end.masks, end.events), (vec![BOTH.into()], vec!["Updated".into()]));
        assert_eq!(end.reported.unwrap(), BOTH);
    }
}

#[tokio::test(flavor = "multi_thread")] // the servers must go on while the test waits for the line
async fn killed_between_look_and_update_it_looks_again_and_updates_once() {
    let end = killed_at("seen", Secrets::Withheld, Point::Seen).await;
    assert_eq!(end.kinds, [Get, Get, Update, Get]);
    assert_eq!((end.masks, end.events), (vec![BOTH.into()], vec!["Updated".into()]));
    assert_eq!(end.reported.unwrap(), BOTH);
}

#[tokio::test]
async fn killed_before_its_update_is_carried_out_it_updates_after_a_look() {
    let end = killed_at("before-update", Secrets::Withheld, Point::Confidence(Update, FaultKind::Hang)).await;
    assert_eq!(end.kinds, [Get, Update, Get, Update, Get]);
    assert_eq!((end.masks, end.events), (vec![BOTH.into(), BOTH.into()], vec!["Updated".into()]));
    assert_eq!(end.reported.unwrap(), BOTH);
}

/// Nobody can tell whether a secret that the server withholds was taken: it is written once more, and only it.
#[tokio::test]
async fn killed_after_its_update_was_carried_out_it_writes_nothing_again_but_the_withheld_secret() {
    for (id, point) in [
        ("update-done", Point::Confidence(Update, FaultKind::HangAfter)),
        ("update-answered", Point::ApiServer(Hold::Request, Method::PUT, "/status")),
    ] {
        let end = killed_at(id, Secrets::Withheld, point).await;
        assert_eq!(end.kinds, [Get, Update, Get, Update, Get], "{id}");
        assert_eq!(end.masks, [BOTH, "client_secret"], "{id}");
        assert_eq!(end.events, ["Updated"], "{id}");
        assert_eq!(end.reported.unwrap(), "client_secret", "{id}");
    }
}

/// What the dead operator knew of its update is lost with it: the next one sees that all is well, and says that.
#[tokio::test]
async fn killed_after_its_update_was_carried_out_it_writes_nothing_again_where_the_secret_is_returned() {
    for (id, point) in [
        ("returned-done", Point::Confidence(Update, FaultKind::HangAfter)),
        ("returned-answered", Point::ApiServer(Hold::Request, Method::PUT, "/status")),
    ] {
        let end = killed_at(id, Secrets::Returned, point).await;
        assert_eq!(end.kinds, [Get, Update, Get, Get], "{id}");
        assert_eq!((end.masks, end.events), (vec![BOTH.into()], vec![]), "{id}");
        assert_eq!(end.reported, None, "{id}");
    }
}

/// An event is told once at the most; the status has what it says.
#[tokio::test]
async fn killed_after_its_status_was_written_it_does_nothing_again() {
    for (id, point, events) in [
        ("status-done", Point::ApiServer(Hold::Answer, Method::PUT, "/status"), &[][..]),
        ("before-event", Point::ApiServer(Hold::Request, Method::POST, "/events"), &[]),
        ("event-done", Point::ApiServer(Hold::Answer, Method::POST, "/events"), &["Updated"]),
    ] {
        let end = killed_at(id, Secrets::Withheld, point).await;
        assert_eq!(end.kinds, [Get, Update, Get, Get], "{id}");
        assert_eq!(end.masks, [BOTH], "{id}");
        assert_eq!(end.events, events, "{id}");
        assert_eq!(end.reported.unwrap(), BOTH, "{id}");
    }
}
