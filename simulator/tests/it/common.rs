//! A client for the tests: the router called in memory, and what it answers.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use confidence_simulator::{Config, ConnectionReset, Credential, Simulator};
use serde_json::Value;
use tower::ServiceExt;

/// An answer, read whole.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub reset: bool,
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A server with one credential, `clients/c/credentials/k`.
pub fn simulator(config: Config) -> Simulator {
    let simulator = Simulator::starting_at(config, "2026-01-01T00:00:00Z".parse().unwrap());
    let credential = Credential {
        environments: vec!["production".into()],
        labels: [("team".to_owned(), "checkout".to_owned())].into(),
        sdk_type: "BACKEND".into(),
        secret: "s3cret".into(),
        ..Credential::named("Checkout")
    };
    simulator.put("c", "k", credential);
    simulator
}

pub const ITEM: &str = "/v1/clients/c/credentials/k";

/// A call with the token that is always valid.
pub async fn call(simulator: &Simulator, method: &str, uri: &str, body: Option<Value>) -> Answer {
    call_as(simulator, Some("test-token"), method, uri, body).await
}

/// A call with another token, or none.
pub async fn call_as(
    simulator: &Simulator,
    token: Option<&str>,
    method: &str,
    uri: &str,
    body: Option<Value>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(uri);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = match body {
        Some(json) => {
            request = request.header("content-type", "application/json");
            Body::from(json.to_string())
        }
        None => Body::empty(),
    };
    send(simulator, request.body(body).unwrap()).await
}

/// A request as it is.
pub async fn send(simulator: &Simulator, request: Request<Body>) -> Answer {
    let response = simulator.router().oneshot(request).await.unwrap();
    let reset = response.extensions().get::<ConnectionReset>().is_some();
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Answer { status: head.status.as_u16(), headers: head.headers, body, reset }
}

/// An update of the credential.
pub async fn patch(simulator: &Simulator, mask: &str, body: Value) -> Answer {
    call(simulator, "PATCH", &format!("{ITEM}?updateMask={mask}"), Some(body)).await
}
