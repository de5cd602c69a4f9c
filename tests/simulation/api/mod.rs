//! A Kubernetes API server in memory: as much of it as the operator uses, in tokio's time.
//!
//! It keeps objects with their versions and generations, tells watches what happened to them, refuses writes over another
//! version, and fails when it is told to. What a real one does beyond that, the end-to-end tests see.

mod answer;
mod apply;
mod store;
mod trouble;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::{Body, to_bytes};
use http::{Method, Request, Response};
use serde_json::Value;

pub use self::answer::failure;
pub use self::apply::owned_update;
pub use self::store::{Kind, Store, merge};
pub use self::trouble::{Fate, Trouble};
pub use self::watch::READ_TIMEOUT;

/// Why there is no answer.
pub type Lost = Box<dyn std::error::Error + Send + Sync>;

/// The server. Cheap to clone.
#[derive(Clone)]
pub struct ApiServer {
    store: Arc<Mutex<Store>>,
    changed: tokio::sync::watch::Sender<u64>,
}

/// A write that is about to be carried out: the kind, the name, and the object as it is and as it will be.
pub struct Write<'a> {
    pub kind: Kind,
    pub name: &'a str,
    /// Null: there is none.
    pub before: &'a Value,
    pub after: &'a Value,
    /// Who holds the lease at this moment.
    pub holder: Option<String>,
}

impl ApiServer {
    pub fn new() -> Self {
        Self { store: Arc::default(), changed: tokio::sync::watch::channel(0).0 }
    }

    /// What is kept, to look at it or to change it as a user would.
    pub fn with<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        let mut store = self.lock();
        let result = change(&mut store);
        let version = store.version();
        drop(store);
        self.changed.send_if_modified(|known| std::mem::replace(known, version) != version);
        result
    }

    /// Who holds the lease.
    pub fn holder(&self) -> Option<String> {
        self.with(|store| store.holder())
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }

    /// Answers a request of the operator's. `on_write` sees each write that is carried out.
    pub async fn answer(
        &self,
        request: Request<kube::client::Body>,
        trouble: &Trouble,
        on_write: impl Fn(Write<'_>),
    ) -> Result<Response<Body>, Lost> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await.unwrap();
        let asked = Asked::new(&parts, &body);
        if asked.watches {
            return Ok(watch::answer(self, &asked, trouble));
        }
        self.with(|store| answer::answer(store, &asked, on_write))
    }
}

/// A request, taken apart.
#[allow(clippy::struct_excessive_bools)] // each is a word of the URL
struct Asked {
    method: Method,
    kind: Kind,
    name: Option<String>,
    is_status: bool,
    is_dry_run: bool,
    /// Whether it is a server-side apply, by whom, and whether what others own is taken from them.
    is_apply: bool,
    is_forced: bool,
    manager: Option<String>,
    watches: bool,
    metadata_only: bool,
    version: Option<u64>,
    timeout: Option<u64>,
    body: Value,
}

impl Asked {
    fn new(parts: &http::request::Parts, body: &[u8]) -> Self {
        let http::request::Parts { method, uri, headers, .. } = parts;
        let header = |name: &str| headers.get(name).map_or("", |it| it.to_str().unwrap());
        let mut path: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
        // `api/v1/…` or `apis/<group>/<version>/…`, then `namespaces/<namespace>/…` or not: there is one namespace here.
        path.drain(..if path[0] == "api" { 2 } else { 3 });
        if path[0] == "namespaces" && path.len() > 2 {
            path.drain(..2);
        }
        let query = uri.query().unwrap_or_default();
        let parameter = |name: &str| {
            let of = |pair: &str| pair.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
            query.split('&').find_map(of)
        };
        Self {
            method: method.clone(),
            kind: Kind::of(path[0]),
            name: path.get(1).map(|it| (*it).to_owned()),
            is_status: path.get(2) == Some(&"status"),
            is_dry_run: parameter("dryRun").as_deref() == Some("All"),
            watches: parameter("watch").is_some_and(|it| it == "true" || it == "1"),
            is_apply: header("content-type").starts_with("application/apply-patch"),
            is_forced: parameter("force").as_deref() == Some("true"),
            manager: parameter("fieldManager"),
            metadata_only: header("accept").contains("as=PartialObjectMetadata"),
            version: parameter("resourceVersion").and_then(|it| it.parse().ok()),
            timeout: parameter("timeoutSeconds").and_then(|it| it.parse().ok()),
            body: if body.is_empty() { Value::Null } else { serde_json::from_slice(body).unwrap() },
        }
    }
}
