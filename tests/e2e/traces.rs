//! Traces: what a collector gets, and that none is needed.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use confidence_simulator::Config;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;
use testbed::{Deadline, Process, eventually};

use crate::network::Front;
use crate::world::{PATIENCE, World};

/// The name of the span of a reconcile.
const RECONCILE: &str = "reconcile";

/// A collector that keeps the requests that it receives.
struct Collector {
    url: String,
    got: Arc<Mutex<Vec<Bytes>>>,
}

impl Collector {
    async fn start() -> Self {
        let got: Arc<Mutex<Vec<Bytes>>> = Arc::default();
        let kept = Arc::clone(&got);
        let take = post(move |body: Bytes| async move { kept.lock().unwrap().push(body) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/v1/traces", take)).await });
        Self { url, got }
    }

    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        self.got.lock().unwrap().iter().map(|it| ExportTraceServiceRequest::decode(it.clone()).unwrap()).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let resources = self.requests().into_iter().flat_map(|it| it.resource_spans);
        resources.flat_map(|it| it.scope_spans).flat_map(|it| it.spans).collect()
    }
}

fn said(attributes: &[KeyValue], name: &str) -> Option<String> {
    let value = attributes.iter().find(|it| it.key == name)?.value.clone()?;
    match value {
        AnyValue { value: Some(Value::StringValue(text)) } => Some(text),
        AnyValue { value: Some(Value::IntValue(number)) } => Some(number.to_string()),
        other => panic!("{name}: {other:?}"),
    }
}

fn operator(world: &World, endpoint: &str) -> Process {
    let program = world.program().arg("--token-file").arg(world.file("token"));
    program.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env("OTEL_BSP_SCHEDULE_DELAY", "100").start().unwrap()
}

#[tokio::test]
async fn reconcile_and_its_requests_are_one_trace() {
    let collector = Collector::start().await;
    let world = World::new(Config::default()).await;
    world.seed("traced");
    world.put_secret("traced", "secret", "hunter2-traced").await;
    let mut operator = operator(&world, &collector.url);
    let reference = json!({"secretKeyRef": {"name": "traced", "key": "secret"}});
    world.apply("traced", json!({"sdkType": "BACKEND", "clientSecret": reference})).await;
    world.until_reason("traced", "InSync").await;
    let spans = async || collector.spans();
    let is_update =
        |span: &Span| span.name == RECONCILE && said(&span.attributes, "outcome").as_deref() == Some("updated");
    let spans = eventually("spans", Deadline::default(), spans, |it| it.iter().any(is_update)).await;

    let reconcile = spans.iter().find(|it| is_update(it)).unwrap();
    assert_eq!(said(&reconcile.attributes, "resource").as_deref(), Some("traced"));
    assert_eq!(said(&reconcile.attributes, "namespace"), Some(world.namespace.clone()));
    let requests: Vec<_> = spans.iter().filter(|it| it.parent_span_id == reconcile.span_id).collect();
    assert!(requests.iter().all(|it| it.trace_id == reconcile.trace_id));
    let told: Vec<_> = requests
        .iter()
        .map(|it| (it.name.as_str(), said(&it.attributes, "http.response.status_code").unwrap_or_default()))
        .collect();
    assert_eq!(told, [("GET get", "200".to_owned()), ("PATCH update", "200".to_owned())]);

    let resource = collector.requests()[0].resource_spans[0].resource.clone().unwrap();
    assert_eq!(said(&resource.attributes, "service.name").as_deref(), Some("confidence-operator"));
    operator.kill().unwrap();
    for body in collector.got.lock().unwrap().iter() {
        let text = String::from_utf8_lossy(body);
        assert!(!text.contains("hunter2") && !text.contains("test-token"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn last_spans_are_sent_at_the_end() {
    let collector = Collector::start().await;
    let world = World::new(Config::default()).await;
    world.seed("last");
    let program = world.program().arg("--token-file").arg(world.file("token"));
    let mut operator = program
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)
        .env("OTEL_BSP_SCHEDULE_DELAY", "3600000")
        .start()
        .unwrap();
    world.apply("last", json!({})).await;
    world.until_reason("last", "InSync").await;
    assert!(collector.spans().is_empty());
    operator.terminate(PATIENCE).unwrap();
    assert!(collector.spans().iter().any(|it| it.name == RECONCILE));
}

#[tokio::test]
async fn missing_collector_disturbs_nothing() {
    let world = World::new(Config::default()).await;
    world.seed("alone");
    // The discard port: nobody listens there.
    let mut operator = operator(&world, "http://127.0.0.1:9");
    world.apply("alone", json!({"sdkType": "BACKEND"})).await;
    world.until_reason("alone", "InSync").await;
    assert!(operator.terminate(PATIENCE).unwrap().success());
}

/// A redirect would carry the headers, which may hold a key, to wherever it leads.
#[tokio::test]
async fn traces_follow_no_redirect() {
    let elsewhere = Collector::start().await;
    let location = format!("{}/v1/traces", elsewhere.url);
    let asked = Arc::new(tokio::sync::Notify::new());
    let (record, to) = (Arc::clone(&asked), location.clone());
    let redirect = post(move || {
        record.notify_one();
        let to = axum::response::Redirect::temporary(&to);
        async move { to }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/v1/traces", redirect)).await });
    let world = World::new(Config::default()).await;
    world.seed("redirected");
    let mut operator = operator(&world, &url);
    world.apply("redirected", json!({})).await;
    world.until_reason("redirected", "InSync").await;
    asked.notified().await;
    operator.terminate(PATIENCE).unwrap();
    assert!(elsewhere.requests().is_empty());
}

/// `--ca-file` counts for the collector too.
#[tokio::test]
async fn collector_behind_a_private_authority_is_trusted() {
    let collector = Collector::start().await;
    let world = World::new(Config::default()).await;
    let front = Front::start(collector.url.trim_start_matches("http://").parse().unwrap()).await;
    std::fs::write(world.file("ca.pem"), &front.ca).unwrap();
    world.seed("authority");
    let program = world.program().arg("--token-file").arg(world.file("token"));
    let program = program.arg("--ca-file").arg(world.file("ca.pem")).env("OTEL_BSP_SCHEDULE_DELAY", "100");
    let endpoint = format!("https://{}", front.address);
    let _operator = program.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).start().unwrap();
    world.apply("authority", json!({})).await;
    let spans = async || collector.spans();
    eventually("spans", Deadline::default(), spans, |it| it.iter().any(|span| span.name == RECONCILE)).await;
}
