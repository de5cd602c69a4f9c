//! What the log leaves out, and traces: a span for each reconcile and one for each request to Confidence, sent as OTLP over
//! HTTP.
//!
//! Traces are off unless the environment names where they go. While they are off there is no thread, no span and no
//! request. The variables are OpenTelemetry's own (`OTEL_EXPORTER_OTLP_ENDPOINT` and its kin), with the meaning that
//! OpenTelemetry gives them.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::HttpError;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::filter::{FilterExt, ParseError, filter_fn};
use tracing_subscriber::layer::Filter;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

use crate::confidence::transport::HttpClient;

/// Where kube logs the body of a response that it cannot parse, at WARN. The body of a Secret is the secret.
const LOGS_BODIES: &str = "kube_client::client";

/// Where kube logs every request that fails, at ERROR: each of ours is told by whoever made it, and once.
const LOGS_FAILURES: &str = "kube_client::client::builder";

/// Either of them switches traces on.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

/// How long the end of the program waits for the last spans.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// The filter of the log: the directives that somebody gave, and nothing that holds bodies, whatever they say. The failures
/// that kube logs beside ours are shown where the directives ask for anything at debug.
///
/// # Errors
/// When the directives cannot be read.
pub fn log_filter<S>(directives: &str) -> Result<impl Filter<S> + Send + Sync + 'static, ParseError>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let given = EnvFilter::builder().parse(directives)?;
    let is_debugging = Filter::<S>::max_level_hint(&given).is_none_or(|most| most >= LevelFilter::DEBUG);
    Ok(given.and(filter_fn(move |it| match it.target() {
        LOGS_BODIES => false,
        LOGS_FAILURES => is_debugging,
        _ => true,
    })))
}

/// The traces that are being sent.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Sends traces from now on, if the environment asks for it. The runtime carries the requests, which go out as those to
    /// Confidence do: with the authorities of `--ca-file`, without redirects, without retries.
    ///
    /// # Errors
    /// A sentence for a person, when the environment asks for what cannot be done.
    pub fn start(runtime: &Handle, http: HttpClient) -> Result<Option<Self>, String> {
        let is_set = |name: &str| std::env::var(name).is_ok_and(|it| !it.is_empty());
        let disabled = std::env::var("OTEL_SDK_DISABLED").is_ok_and(|it| it.eq_ignore_ascii_case("true"));
        if disabled || !ENDPOINTS.into_iter().any(is_set) {
            return Ok(None);
        }
        let client = ExporterClient { http, runtime: runtime.clone() };
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
        let ended = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(SHUTDOWN_TIMEOUT));
        if let Ok(Err(error)) = ended.await {
            tracing::debug!(%error, "the last traces were not sent");
        }
    }
}

/// The HTTP client of the exporter, whose thread has no runtime of its own.
#[derive(Debug)]
struct ExporterClient {
    http: HttpClient,
    runtime: Handle,
}

#[async_trait]
impl opentelemetry_http::HttpClient for ExporterClient {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use k8s_openapi::api::core::v1::Secret;
    use kube::Api;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::engine::testing::{Answer, client};

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(directives: &str, work: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
        let layer = layer.with_filter(log_filter(directives).unwrap());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        let text = buffer.0.lock().unwrap().clone();
        String::from_utf8(text).unwrap()
    }

    /// Reads a Secret whose answer kube cannot parse, and so logs; then one that the API server fails to return.
    fn read_secrets() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _entered = runtime.enter();
        let (client, _) = client(|asked| {
            let broken = || Answer::text(r#"{"metadata": {}, "data": "s3cr3t"}"#.to_owned());
            Some(if asked.path.ends_with("/broken") { broken() } else { Answer::refusal(500, "failed") })
        });
        let secrets: Api<Secret> = Api::namespaced(client, "shop");
        for name in ["broken", "refused"] {
            assert!(runtime.block_on(secrets.get(name)).is_err());
        }
        tracing::error!("a line of our own");
    }

    #[test]
    fn no_log_level_shows_bodies() {
        for directives in ["trace", "kube_client::client=trace", "info,kube_client=trace"] {
            let text = logged(directives, read_secrets);
            assert!(!text.contains("s3cr3t"), "{directives}: {text}");
        }
        assert!(logged("trace", read_secrets).contains("a line of our own"));
    }

    /// An API server that is away would cost an ERROR every other second, beside the line that tells of it.
    #[test]
    fn failures_of_kube_are_shown_at_debug_alone() {
        let fail = || tracing::error!(target: "kube_client::client::builder", "failed with status 500");
        for (directives, is_shown) in
            [("info", false), ("warn", false), ("debug", true), ("info,kube_client=trace", true)]
        {
            assert_eq!(logged(directives, fail).contains("failed with status 500"), is_shown, "{directives}");
        }
    }
}
