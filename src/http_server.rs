//! `/livez`, `/readyz` and `/metrics`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use kube::runtime::reflector::Store;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::api::ConfidenceClientCredential;
use crate::engine::health::{Progress, Readiness};
use crate::metrics::ControllerMetrics;

/// What the endpoints tell of.
#[derive(Clone)]
pub struct Endpoints {
    /// For `/metrics`.
    pub registry: Arc<Registry>,
    /// For the counts of resources, made when they are asked for.
    pub metrics: ControllerMetrics,
    /// The resources.
    pub store: Store<ConfidenceClientCredential>,
    /// For `/livez`.
    pub progress: Progress,
    /// For `/readyz`.
    pub readiness: Readiness,
}

/// Takes the port, so that one that is taken is found out before anything starts.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until the program ends.
pub async fn serve(listener: TcpListener, endpoints: Endpoints) -> io::Result<()> {
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(endpoints);
    axum::serve(listener, router).await
}

async fn livez(State(endpoints): State<Endpoints>) -> impl IntoResponse {
    match endpoints.progress.wedged_for() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(time) => {
            let text = format!("wedged: passes are in hand, and none has finished for {} s\n", time.as_secs());
            (StatusCode::INTERNAL_SERVER_ERROR, text)
        }
    }
}

async fn readyz(State(endpoints): State<Endpoints>) -> impl IntoResponse {
    match endpoints.readiness.waiting_for() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(what) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {what}\n")),
    }
}

async fn metrics(State(endpoints): State<Endpoints>) -> impl IntoResponse {
    endpoints.metrics.count_resources(&endpoints.store);
    let mut text = String::new();
    match encode(&mut text, &endpoints.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            (StatusCode::OK, [(header::CONTENT_TYPE, kind)], text)
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], format!("{error}\n")),
    }
}
