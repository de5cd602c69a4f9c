//! A proxy between an operator and the API server, in which a request or its answer can be held for ever, or be refused
//! once: to stop the operator at a point that no fault of the Confidence server reaches.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::world::PATIENCE;

/// What does not come through any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The request: the API server never sees it.
    Request,
    /// The answer: the API server has done what was asked.
    Answer,
    /// The request, and 503 is answered in its place; the next one comes through.
    Refused,
}

/// The requests that are held.
struct Rule {
    method: Method,
    part: String,
    hold: Hold,
}

struct Shared {
    client: Client,
    rule: Mutex<Option<Rule>>,
    held: watch::Sender<usize>,
}

/// A running proxy. Speaks plain HTTP, and asks as the administrator. Ends when it is dropped.
pub struct ApiProxy {
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl ApiProxy {
    /// Starts one, and writes the kubeconfig that leads to it.
    pub async fn start(client: Client, kubeconfig: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let text = format!(
            "{{apiVersion: v1, kind: Config, current-context: x, contexts: [{{name: x, context: {{cluster: x, user: x}}}}], \
             users: [{{name: x, user: {{}}}}], clusters: [{{name: x, cluster: {{server: 'http://{}'}}}}]}}",
            listener.local_addr().unwrap()
        );
        std::fs::write(kubeconfig, text).unwrap();
        let shared = Arc::new(Shared { client, rule: Mutex::default(), held: watch::channel(0).0 });
        let router = Router::new().fallback(forward).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { shared, serving }
    }

    /// From now on holds requests of a method whose path or query has this part, or their answers.
    pub fn hold(&self, hold: Hold, method: Method, part: &str) {
        *self.shared.rule.lock().unwrap() = Some(Rule { method, part: part.to_owned(), hold });
    }

    /// Holds nothing more; what is held stays so.
    pub fn hold_nothing(&self) {
        *self.shared.rule.lock().unwrap() = None;
    }

    /// Waits until something is held.
    pub async fn until_held(&self) {
        let mut held = self.shared.held.subscribe();
        let held = tokio::time::timeout(PATIENCE, held.wait_for(|count| *count > 0)).await;
        held.expect("no request came that was to be held").unwrap();
    }
}

impl Drop for ApiProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    fn rule_for(&self, request: &Request) -> Option<Hold> {
        let rule = self.rule.lock().unwrap();
        let fits = |rule: &&Rule| rule.method == *request.method() && request.uri().to_string().contains(&rule.part);
        rule.as_ref().filter(fits).map(|rule| rule.hold)
    }

    async fn for_ever(&self) -> ! {
        self.held.send_modify(|count| *count += 1);
        std::future::pending().await
    }
}

async fn forward(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let hold = shared.rule_for(&request);
    match hold {
        Some(Hold::Request) => shared.for_ever().await,
        Some(Hold::Refused) => {
            *shared.rule.lock().unwrap() = None;
            shared.held.send_modify(|count| *count += 1);
            return (StatusCode::SERVICE_UNAVAILABLE, "for once").into_response();
        }
        Some(Hold::Answer) | None => {}
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 4 << 20).await.unwrap();
    let answer = shared.client.send(Request::from_parts(parts, body.into())).await;
    if hold == Some(Hold::Answer) {
        shared.for_ever().await;
    }
    match answer {
        Ok(answer) => answer.map(Body::new),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}
