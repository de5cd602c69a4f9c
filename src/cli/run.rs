//! Puts the parts together: checks the flags, finds the cluster, takes the port, runs until a signal.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Client, Config};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::account::{Account, Accounts, Budgets, Connector, DEFAULT_ACCOUNT};
use crate::cli::flags::{LogFormat, RunFlags};
use crate::confidence::Confidence;
use crate::confidence::metrics::Metrics;
use crate::confidence::settings::Settings as AccountSettings;
use crate::confidence::transport::{HttpTransport, REQUEST_TIMEOUT};
use crate::credential::Settings;
use crate::engine::events::EventRecorder;
use crate::engine::health::{Progress, Readiness};
use crate::engine::leader_election::{Candidate, LeaseGuard, LeaseSettings};
use crate::http_server::{self, Endpoints};
use crate::metrics::{ControllerMetrics, Operation, PREFIX};
use crate::replica::{RESOURCES, Replica};
use crate::telemetry::{self, Traces};

/// A little more than the API server keeps a watch open: together, the bound within which a dead connection is noticed.
const READ_TIMEOUT: Duration = Duration::from_secs(65);

/// Who reports events.
const REPORTER: &str = "iam.confidence.dev/confidence-operator";

/// Runs the operator. Returns whether it ended cleanly.
///
/// # Errors
/// One line for a person, when a flag, a file or the environment makes it impossible to start.
pub fn start(flags: RunFlags) -> Result<bool, String> {
    if flags.interval < flags.min_interval {
        return Err("--interval is shorter than --min-interval: make the one longer or the other shorter".to_owned());
    }
    let account = if flags.no_default_account { None } else { Some(flags.account.settings()?) };
    let http = flags.account.http_client()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let traces = Traces::start(runtime.handle(), http.clone())?;
    start_log(&flags, traces.as_ref())?;
    let result = runtime.block_on(async {
        let result = run(flags, account, HttpTransport::new(http)).await;
        if let Some(traces) = traces {
            traces.end().await;
        }
        result
    });
    // What is still in hand has had its time.
    runtime.shutdown_background();
    result
}

fn start_log(flags: &RunFlags, traces: Option<&Traces>) -> Result<(), String> {
    let filter = telemetry::log_filter(&flags.log_level).map_err(|error| format!("--log-level: {error}"))?;
    let text = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let log = match flags.log_format.unwrap_or(if text { LogFormat::Text } else { LogFormat::Json }) {
        LogFormat::Text => log.with_ansi(text).boxed(),
        LogFormat::Json => log.json().flatten_event(true).boxed(),
    };
    let traces = traces.map(Traces::layer);
    tracing_subscriber::registry().with(traces).with(log.with_filter(filter)).init();
    Ok(())
}

async fn run(flags: RunFlags, account: Option<AccountSettings>, transport: HttpTransport) -> Result<bool, String> {
    let mut registry = Registry::with_prefix(PREFIX);
    let metrics = ControllerMetrics::register(&mut registry);
    let guard = if flags.leader_elect { LeaseGuard::new(REQUEST_TIMEOUT) } else { LeaseGuard::always() };
    let account_metrics = Metrics::register(&mut registry);
    let connector = flags.watch_accounts.then(|| connector(&flags, transport.clone(), &guard, &account_metrics));
    let default = account.map(|settings| default_account(settings, transport, &guard, &account_metrics)).transpose()?;
    let accounts = Accounts::new(default.map(Arc::new), connector);
    let client = cluster().await?;
    let listener =
        http_server::bind(flags.listen).await.map_err(|error| format!("--listen {}: {error}", flags.listen))?;
    let (progress, readiness) = (Progress::default(), Readiness::default());
    readiness.require(RESOURCES.0, RESOURCES.1);
    let endpoints = Endpoints { scrape: scrape(registry), progress: progress.clone(), readiness: readiness.clone() };
    let serving = spawn_endpoints(listener, endpoints)?;
    let stop = until_signal()?;
    let events = EventRecorder::new(client.clone(), REPORTER, instance(), metrics.failures(Operation::WriteEvent));
    let replica = Replica {
        lease: flags.leader_elect.then(|| candidate(&flags, client.clone(), guard.clone(), events.clone(), &readiness)),
        settings: settings(&flags),
        events,
        operator: pod(),
        own_namespace: own_namespace(&client).into(),
        client,
        accounts,
        guard,
        metrics,
        progress,
        readiness,
    };
    let cleanly = replica.run(stop).await;
    serving.abort();
    tracing::info!(cleanly, "stopped");
    Ok(cleanly)
}

/// What makes the clients of the accounts that are resources.
fn connector(flags: &RunFlags, transport: HttpTransport, guard: &LeaseGuard, metrics: &Metrics) -> Connector {
    Connector {
        transport: Arc::new(transport),
        guard: Arc::new(guard.clone()),
        metrics: metrics.clone(),
        allow_insecure_url: flags.account.allow_insecure_url,
        requests_per_second: flags.account.requests_per_second.get(),
        labels: flags.account.labels_shape(),
        budgets: Budgets::default(),
    }
}

fn default_account(
    settings: AccountSettings,
    transport: HttpTransport,
    guard: &LeaseGuard,
    metrics: &Metrics,
) -> Result<Account, String> {
    let url = settings.url.as_str().to_owned();
    let metrics = metrics.account(DEFAULT_ACCOUNT);
    let confidence = Confidence::new(settings, Arc::new(transport), Arc::new(guard.clone()), metrics);
    Ok(Account::new(DEFAULT_ACCOUNT, &url, confidence.map_err(|error| error.to_string())?))
}

fn scrape(registry: Registry) -> http_server::Scrape {
    Arc::new(move || {
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    })
}

fn candidate(
    flags: &RunFlags,
    client: Client,
    guard: LeaseGuard,
    events: EventRecorder,
    readiness: &Readiness,
) -> Candidate {
    let namespace = own_namespace(&client);
    let settings = LeaseSettings {
        namespace,
        name: flags.lease_name.clone(),
        instance: instance(),
        duration: flags.lease_duration,
    };
    Candidate::new(client, settings, guard, events, readiness.require("the lease", "not asked for yet"))
}

/// The operator's namespace.
fn own_namespace(client: &Client) -> String {
    std::env::var("POD_NAMESPACE").unwrap_or_else(|_| client.default_namespace().to_owned())
}

async fn cluster() -> Result<Client, String> {
    let mut config = Config::infer().await.map_err(|error| {
        format!("no cluster: not in a pod, and no usable kubeconfig (set KUBECONFIG): {}", error.to_string().trim_end())
    })?;
    config.read_timeout = Some(READ_TIMEOUT);
    // Up to fifteen tries of its own, minutes long: watches, statuses and the Lease have a pace that is theirs.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| format!("the kubeconfig cannot be used: {error}"))
}

fn settings(flags: &RunFlags) -> Settings {
    Settings {
        interval: flags.interval,
        min_interval: flags.min_interval,
        instance_id: flags.instance_id.clone(),
        observe: flags.observe,
        last_seen_resolution: flags.last_seen_resolution,
        namespaces: flags.namespaces(),
        watch_secrets: flags.watch_secrets,
        seed: None,
    }
}

/// The operator's own pod, as its environment names it.
fn pod() -> Option<ObjectReference> {
    Some(ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        namespace: Some(std::env::var("POD_NAMESPACE").ok()?),
        name: Some(std::env::var("POD_NAME").ok()?),
        ..ObjectReference::default()
    })
}

/// Who this process is, in events and in the Lease.
fn instance() -> String {
    let name = std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME"));
    name.unwrap_or_else(|_| "confidence-operator".to_owned())
}

fn spawn_endpoints(listener: TcpListener, endpoints: Endpoints) -> Result<tokio::task::JoinHandle<()>, String> {
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "serving");
    Ok(tokio::spawn(async move {
        http_server::serve(listener, endpoints).await;
    }))
}

/// Turns true at SIGTERM or SIGINT.
fn until_signal() -> Result<watch::Receiver<bool>, String> {
    let listen = |kind| signal(kind).map_err(|error| format!("signals cannot be received: {error}"));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            biased;
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: no new work");
        stop.send_replace(true);
        // The receivers live as long as the program; keeping the sender keeps their value.
        std::future::pending::<()>().await;
    });
    Ok(stopped)
}
