//! One scope: listed once, then watched for ever. What goes wrong is told and tried again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::{self, Sender};
use futures::{FutureExt, SinkExt, Stream, StreamExt, future, pin_mut, stream};
use kube::Client;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::error::WatchError;
use super::item::Item;
use super::reader::{Line, Reader};
use crate::engine::key::Key;

/// The wait after the first failure; it doubles up to [`MAX_PAUSE`], so that a scope works again within seconds after the
/// API server does.
const MIN_PAUSE: Duration = Duration::from_millis(200);

const MAX_PAUSE: Duration = Duration::from_secs(2);

/// The longest wait where a right is missing, which takes a person to mend. It is reached in steps: an API server that has
/// just begun refuses everybody until it knows the rights.
const MAX_REFUSED_PAUSE: Duration = Duration::from_secs(10);

/// The longest wait that the API server may ask for.
const MAX_THROTTLE: Duration = Duration::from_mins(1);

/// After a watch that ended sooner than this, there is a pause before the next.
const SHORTEST_WATCH: Duration = Duration::from_secs(1);

/// A part of the cluster that one list covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// All namespaces.
    Cluster,
    /// One namespace.
    Namespace(Arc<str>),
}

impl Scope {
    /// The scopes to watch: the cluster, or each of the namespaces once.
    pub(super) fn all(namespaces: &[String]) -> Vec<Self> {
        let mut scopes: Vec<_> = namespaces.iter().map(|name| Self::Namespace(name.as_str().into())).collect();
        scopes.sort();
        scopes.dedup();
        if scopes.is_empty() { vec![Self::Cluster] } else { scopes }
    }

    /// The namespace, where it is one.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::Cluster => None,
            Self::Namespace(name) => Some(name),
        }
    }

    /// Whether an object is in it.
    pub fn contains(&self, key: &Key) -> bool {
        self.namespace().is_none_or(|namespace| namespace == &*key.namespace)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("all namespaces"),
            Self::Namespace(name) => write!(f, "namespace {name}"),
        }
    }
}

/// What happens in a scope.
#[derive(Debug)]
pub(super) enum ScopeEvent<T> {
    /// A list begins, or begins again because it broke off.
    ListBegan,
    Listed(Item<T>),
    ListEnded,
    Applied(Item<T>),
    Deleted(Item<T>),
    Failed(WatchError),
    /// It works again.
    Recovered,
}

/// Lists and watches a scope for as long as the stream is polled.
pub(super) fn scope_events<T>(
    client: Client,
    url: String,
    metadata_only: bool,
) -> impl Stream<Item = ScopeEvent<T>> + Send
where
    T: DeserializeOwned + Send + 'static,
{
    let (events, received) = mpsc::channel(0);
    let watch = ScopeWatch {
        reader: Reader::new(client, url, metadata_only),
        events,
        failures: 0,
        refusals: 0,
        is_failing: false,
    };
    stream::select(received, watch.run().into_stream().filter_map(|()| future::ready(None)))
}

struct ScopeWatch<T> {
    reader: Reader<T>,
    events: Sender<ScopeEvent<T>>,
    /// Failures in a row.
    failures: u32,
    /// Refusals in a row.
    refusals: u32,
    /// Whether a failure was told, and no recovery since.
    is_failing: bool,
}

impl<T: DeserializeOwned + Send + 'static> ScopeWatch<T> {
    async fn run(mut self) {
        loop {
            match self.list().await {
                Ok(version) => self.follow(version).await,
                Err(error) => self.fail(error).await,
            }
        }
    }

    /// Reads the list, page by page. Returns the version to watch from.
    async fn list(&mut self) -> Result<String, WatchError> {
        self.tell(ScopeEvent::ListBegan).await;
        let mut token = None;
        loop {
            let page = self.reader.page(token.as_deref()).await?;
            for item in page.items {
                self.tell(ScopeEvent::Listed(item)).await;
            }
            token = page.next;
            if token.is_none() {
                self.failures = 0;
                self.recover().await;
                self.tell(ScopeEvent::ListEnded).await;
                return Ok(page.version);
            }
        }
    }

    /// Watches from a version on, until it takes another list to go on.
    async fn follow(&mut self, mut version: String) {
        loop {
            let began = Instant::now();
            match self.watch(&mut version).await {
                Ok(()) if began.elapsed() >= SHORTEST_WATCH => self.failures = 0,
                Ok(()) => tokio::time::sleep(self.pause()).await,
                Err(WatchError::Expired) => return tokio::time::sleep(MIN_PAUSE).await,
                Err(error) => self.fail(error).await,
            }
        }
    }

    /// One watch, to its end. Moves the version on.
    async fn watch(&mut self, version: &mut String) -> Result<(), WatchError> {
        let lines = self.reader.watch(version).await?;
        pin_mut!(lines);
        self.recover().await;
        // Until a line comes: the pauses grow where each watch ends at once.
        self.failures = self.failures.saturating_add(1);
        while let Some(line) = lines.next().await {
            let event = match line {
                Line::Applied(item) => ScopeEvent::Applied(item),
                Line::Deleted(item) => ScopeEvent::Deleted(item),
                Line::Bookmark(reached) => {
                    self.failures = 0;
                    *version = reached;
                    continue;
                }
                Line::Failed(error) => return Err(error),
            };
            self.failures = 0;
            if let ScopeEvent::Applied(item) | ScopeEvent::Deleted(item) = &event
                && !item.version.is_empty()
            {
                version.clone_from(&item.version);
            }
            self.tell(event).await;
        }
        Ok(())
    }

    /// Tells a failure, and waits before another try.
    async fn fail(&mut self, error: WatchError) {
        if matches!(error, WatchError::Expired) {
            return tokio::time::sleep(MIN_PAUSE).await;
        }
        self.failures = self.failures.saturating_add(1);
        self.refusals = if error.is_refusal() { self.refusals.saturating_add(1) } else { 0 };
        let pause = match &error {
            WatchError::Refused(_) => doubled(self.refusals, MAX_REFUSED_PAUSE),
            WatchError::Throttled(wait) => (*wait).min(MAX_THROTTLE),
            _ => self.pause(),
        };
        self.is_failing = true;
        self.tell(ScopeEvent::Failed(error)).await;
        tokio::time::sleep(pause).await;
    }

    async fn recover(&mut self) {
        self.refusals = 0;
        if std::mem::take(&mut self.is_failing) {
            self.tell(ScopeEvent::Recovered).await;
        }
    }

    fn pause(&self) -> Duration {
        doubled(self.failures, MAX_PAUSE)
    }

    async fn tell(&mut self, event: ScopeEvent<T>) {
        // The receiver lives as long as this is polled.
        let _ = self.events.send(event).await;
    }
}

/// Exponential, with jitter, so that many watches do not come back at once.
fn doubled(failures: u32, most: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(8);
    (MIN_PAUSE * (1 << doublings)).min(most).mul_f64(0.5 + 0.5 * fastrand::f64())
}
