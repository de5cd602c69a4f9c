//! Reads pages of a list and lines of a watch.
//!
//! A page is read up to [`MAX_PAGE_BYTES`]; where the objects are so large that it would be more, it is asked for again
//! with fewer of them. kube's own reading holds a page twice, however large it is, and logs all of it when one object
//! cannot be decoded.

use std::marker::PhantomData;
use std::pin::pin;
use std::time::Duration;

use futures::io::{AsyncBufReadExt, AsyncReadExt};
use futures::{Stream, StreamExt, future, stream};
use kube::Client;
use kube::api::{ListParams, WatchParams};
use kube::core::{Request, Status};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::error::WatchError;
use super::item::Item;

/// How long a page, or the beginning of a watch, may take.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the API server keeps a watch open, in seconds: together with `IDLE_MARGIN`, the bound within which a watch
/// that died silently is noticed.
pub const WATCH_TIMEOUT_SECONDS: u32 = 60;

/// How much longer than the API server the reader waits for the next line.
const IDLE_MARGIN: Duration = Duration::from_secs(5);

/// The most objects of a page.
const MAX_PAGE_OBJECTS: u32 = 250;

/// The most bytes of a page that holds more than one object: a page is held whole while it is read.
const MAX_PAGE_BYTES: usize = 8 << 20;

/// A page that is too large is asked for again with this part of its objects; one that is small enough to grow by as
/// much grows.
const PAGE_STEP: u32 = 4;

/// Reads one kind in one scope.
pub(super) struct Reader<T> {
    client: Client,
    url: String,
    /// Asks for the metadata of the objects alone.
    metadata_only: bool,
    /// How many objects the next page may hold.
    limit: u32,
    decodes: PhantomData<fn() -> T>,
}

/// A part of a list.
pub(super) struct Page<T> {
    pub(super) items: Vec<Item<T>>,
    /// The version of the list, to watch from.
    pub(super) version: String,
    /// Names the next page, if there is one.
    pub(super) next: Option<String>,
}

/// A line of a watch.
pub(super) enum Line<T> {
    Applied(Item<T>),
    Deleted(Item<T>),
    /// Nothing changed up to this version.
    Bookmark(String),
    Failed(WatchError),
}

#[derive(Deserialize)]
struct RawPage<'a> {
    #[serde(default)]
    metadata: PageMetadata,
    /// Of an empty list, the API server writes null where it answers metadata alone.
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PageMetadata {
    resource_version: String,
    #[serde(rename = "continue")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct RawLine<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

impl<T: DeserializeOwned + Send + 'static> Reader<T> {
    /// Reads the objects below a URL.
    pub(super) fn new(client: Client, url: String, metadata_only: bool) -> Self {
        Self { client, url, metadata_only, limit: MAX_PAGE_OBJECTS, decodes: PhantomData }
    }

    /// Reads a page of the list: the first, or the one that the page before named.
    pub(super) async fn page(&mut self, token: Option<&str>) -> Result<Page<T>, WatchError> {
        loop {
            let body = tokio::time::timeout(ANSWER_TIMEOUT, self.page_text(token));
            if let Some(text) = body.await.map_err(|_| WatchError::TimedOut)?? {
                if text.len() < MAX_PAGE_BYTES / PAGE_STEP as usize {
                    self.limit = (self.limit * PAGE_STEP).min(MAX_PAGE_OBJECTS);
                }
                return decode_page(&text);
            }
            self.limit = (self.limit / PAGE_STEP).max(1);
        }
    }

    /// The text of a page; none where it would be too large.
    async fn page_text(&self, token: Option<&str>) -> Result<Option<Vec<u8>>, WatchError> {
        let parameters =
            ListParams { limit: Some(self.limit), continue_token: token.map(str::to_owned), ..ListParams::default() };
        let request = Request::new(&self.url);
        let request = if self.metadata_only { request.list_metadata(&parameters) } else { request.list(&parameters) };
        let body = pin!(self.client.request_stream(request.map_err(kube::Error::BuildRequest)?).await?);
        let most = if self.limit == 1 { usize::MAX - 1 } else { MAX_PAGE_BYTES };
        let mut text = Vec::new();
        let read = body.take(most as u64 + 1).read_to_end(&mut text).await.map_err(kube::Error::ReadEvents)?;
        Ok((read <= most).then_some(text))
    }

    /// Watches from a version on, until the connection ends.
    pub(super) async fn watch(&self, version: &str) -> Result<impl Stream<Item = Line<T>> + Send + use<T>, WatchError> {
        let parameters = WatchParams { timeout: Some(WATCH_TIMEOUT_SECONDS), ..WatchParams::default() };
        let request = Request::new(&self.url);
        let request = if self.metadata_only {
            request.watch_metadata(&parameters, version)
        } else {
            request.watch(&parameters, version)
        };
        let body = self.client.request_stream(request.map_err(kube::Error::BuildRequest)?);
        let body = tokio::time::timeout(ANSWER_TIMEOUT, body).await.map_err(|_| WatchError::TimedOut)??;
        let lines = stream::unfold(Box::pin(body.lines()), |mut lines| async {
            let idle = Duration::from_secs(WATCH_TIMEOUT_SECONDS.into()) + IDLE_MARGIN;
            // However a watch ends, another goes on from the last version.
            let line = tokio::time::timeout(idle, lines.next()).await.ok()??.ok()?;
            Some((line, lines))
        });
        Ok(lines
            .map(|line| decode_line(&line))
            .take_while(|line| future::ready(line.is_some()))
            .filter_map(future::ready))
    }
}

fn decode_page<T: DeserializeOwned>(text: &[u8]) -> Result<Page<T>, WatchError> {
    let RawPage { metadata, items } = serde_json::from_slice(text)?;
    Ok(Page {
        items: items.into_iter().flatten().map(Item::decode).collect(),
        version: metadata.resource_version,
        next: metadata.next.filter(|token| !token.is_empty()),
    })
}

/// A line; none where the connection broke in the middle of it.
fn decode_line<T: DeserializeOwned>(text: &str) -> Option<Line<T>> {
    let RawLine { kind, object } = serde_json::from_str(text).ok()?;
    Some(match kind {
        "ADDED" | "MODIFIED" => Line::Applied(Item::decode(object)),
        "DELETED" => Line::Deleted(Item::decode(object)),
        "BOOKMARK" => Line::Bookmark(Item::<serde::de::IgnoredAny>::decode(object).version),
        _ => Line::Failed(serde_json::from_str::<Status>(object.get()).unwrap_or_default().into()),
    })
}
