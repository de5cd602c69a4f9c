//! Watches: a line for each change, until the time is over or the connection breaks.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::stream;
use http::Response;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::answer::{failure, seen};
use super::{ApiServer, Asked, Lost, Trouble};

/// After so long without a byte the operator's connection to a real server breaks.
pub const READ_TIMEOUT: Duration = Duration::from_secs(65);

/// A watch in hand.
struct Watch {
    api: ApiServer,
    trouble: Trouble,
    asked: Asked,
    from: u64,
    end: Instant,
}

pub fn answer(api: &ApiServer, asked: &Asked, trouble: &Trouble) -> Response<Body> {
    let asked = Asked { method: asked.method.clone(), name: None, manager: None, body: Value::Null, ..*asked };
    let from = asked.version.unwrap_or(0);
    let end = Instant::now() + Duration::from_secs(asked.timeout.unwrap_or(60));
    let watch = Watch { api: api.clone(), trouble: trouble.clone(), asked, from, end };
    let lines = stream::unfold(Some(watch), |watch| async move { watch?.next().await });
    Response::new(Body::from_stream(lines))
}

impl Watch {
    async fn next(mut self) -> Option<(Result<Bytes, Lost>, Option<Self>)> {
        let mut stirred = self.api.changed.subscribe();
        let mut cut = self.trouble.cuts();
        let mut dead = self.trouble.deaths();
        loop {
            stirred.borrow_and_update();
            let changes = self.api.with(|store| store.since(self.from, self.asked.kind));
            let Some(changes) = changes else {
                let gone = json!({"type": "ERROR", "object": failure(410, "Expired")});
                return Some((Ok(format!("{gone}\n").into()), None));
            };
            if let Some(last) = changes.last() {
                self.from = last.version;
                let line = |change: &super::store::Change| {
                    format!(
                        "{}\n",
                        json!({"type": change.what, "object": seen(&change.object, self.asked.metadata_only)})
                    )
                };
                let lines: String = changes.iter().map(line).collect();
                tokio::time::sleep(self.trouble.latency()).await;
                return Some((Ok(lines.into()), Some(self)));
            }
            tokio::select! {
                biased;
                _ = cut.changed() => return Some((Err("the connection was cut".into()), None)),
                _ = dead.changed() => {
                    tokio::time::sleep(READ_TIMEOUT).await;
                    return Some((Err("nothing came for too long".into()), None));
                }
                () = tokio::time::sleep_until(self.end) => return None,
                _ = stirred.changed() => {}
            }
        }
    }
}
