//! Traces, for whoever asks for them: a span for each pass and one for each request to Confidence, sent as OTLP over HTTP.
//!
//! Off unless the environment names where they go, and then no thread, no span and no request. The variables are
//! OpenTelemetry's own (`OTEL_EXPORTER_OTLP_ENDPOINT` and its kin); what they mean is that project's to say.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// Either of them switches traces on.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

/// How long the end of the program waits for the last spans.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The traces that are being sent.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Sends traces from now on, if the environment asks for it. The runtime carries the requests.
    ///
    /// # Errors
    /// A sentence for a person, when the environment asks for what cannot be done.
    pub fn start(runtime: &Handle) -> Result<Option<Self>, String> {
        let is_set = |name: &str| std::env::var(name).is_ok_and(|it| !it.is_empty());
        let disabled = std::env::var("OTEL_SDK_DISABLED").is_ok_and(|it| it.eq_ignore_ascii_case("true"));
        if disabled || !ENDPOINTS.into_iter().any(is_set) {
            return Ok(None);
        }
        let client = Client { http: reqwest::Client::new(), runtime: runtime.clone() };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(client)
            .build()
            .map_err(|error| format!("{}: {error}", ENDPOINTS[0]))?;
        // `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` are read by the builder, and go first.
        let mut resource = Resource::builder();
        if !is_set("OTEL_SERVICE_NAME") {
            resource = resource.with_service_name(env!("CARGO_PKG_NAME"));
        }
        let provider =
            SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter).build();
        Ok(Some(Self { provider }))
    }

    /// What makes spans into traces: this program's own, whatever the log's level is.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let layer: OpenTelemetryLayer<S, SdkTracer> =
            tracing_opentelemetry::layer().with_tracer(self.provider.tracer(env!("CARGO_PKG_NAME")));
        let ours = filter_fn(|it| it.is_span() && it.target().starts_with(env!("CARGO_CRATE_NAME")));
        let ours = ours.with_max_level_hint(LevelFilter::DEBUG);
        layer.with_location(false).with_threads(false).with_tracked_inactivity(false).with_filter(ours)
    }

    /// Sends what is still to be sent, for a short while.
    pub async fn end(self) {
        // It blocks, and waits for a request that this runtime carries.
        let ended = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(LAST_WORDS));
        if let Ok(Err(error)) = ended.await {
            tracing::debug!(%error, "the last traces were not sent");
        }
    }
}

/// The HTTP client of the exporter, whose thread has no runtime of its own.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let http = self.http.clone();
        let answer = self.runtime.spawn(async move {
            let answer = http.execute(request).await?;
            let mut whole = Response::builder().status(answer.status());
            if let Some(headers) = whole.headers_mut() {
                headers.clone_from(answer.headers());
            }
            Ok::<_, HttpError>(whole.body(answer.bytes().await?)?)
        });
        answer.await?
    }
}
