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

use crate::world::{PATIENCE, World};

/// A collector that keeps what it gets.
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
async fn a_pass_and_its_requests_are_one_trace_without_a_secret() {
    let collector = Collector::start().await;
    let world = World::new(Config::default()).await;
    world.seed("traced");
    world.put_secret("traced", "secret", "hunter2-traced").await;
    let mut operator = operator(&world, &collector.url);
    let reference = json!({"secretKeyRef": {"name": "traced", "key": "secret"}});
    world.apply("traced", json!({"sdkType": "BACKEND", "clientSecret": reference})).await;
    world.until_reason("traced", "InSync").await;
    let spans = async || collector.spans();
    let is_pass = |span: &Span| span.name == "pass" && said(&span.attributes, "outcome").as_deref() == Some("updated");
    let spans = eventually("spans", Deadline::default(), spans, |it| it.iter().any(is_pass)).await;

    let pass = spans.iter().find(|it| is_pass(it)).unwrap();
    assert_eq!(said(&pass.attributes, "resource").as_deref(), Some("traced"));
    assert_eq!(said(&pass.attributes, "namespace"), Some(world.namespace.clone()));
    let requests: Vec<_> = spans.iter().filter(|it| it.parent_span_id == pass.span_id).collect();
    assert!(requests.iter().all(|it| it.trace_id == pass.trace_id));
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
async fn the_last_spans_are_sent_at_the_end() {
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
    assert!(collector.spans().iter().any(|it| it.name == "pass"));
}

#[tokio::test]
async fn a_collector_that_is_not_there_is_in_nobodys_way() {
    let world = World::new(Config::default()).await;
    world.seed("alone");
    // The discard port: nobody listens there.
    let mut operator = operator(&world, "http://127.0.0.1:9");
    world.apply("alone", json!({"sdkType": "BACKEND"})).await;
    world.until_reason("alone", "InSync").await;
    assert!(operator.terminate(PATIENCE).unwrap().success());
}
