//! Many resources at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use confidence_operator::api::ConfidenceClientCredential;
use confidence_simulator::Call;
use futures::{StreamExt, stream};
use kube::api::ListParams;
use serde_json::Value;
use testbed::{Deadline, eventually};

use crate::world::{World, condition, is_current};

/// A crowd takes its time on a machine that is busy otherwise.
const PATIENCE: Deadline = Deadline(Duration::from_mins(2));

/// Requests to the API server at the same time.
const AT_ONCE: usize = 16;

/// Many resources of a world, each with a credential of its own that is as `seed` has it.
pub struct Crowd {
    pub ids: Vec<String>,
}

impl Crowd {
    /// Seeds the credentials and applies the resources.
    pub async fn new(world: &World, size: usize, spec: Value) -> Self {
        let ids: Vec<String> = (0..size).map(|number| format!("crowd-{number:03}")).collect();
        for id in &ids {
            world.seed(id);
        }
        let crowd = Self { ids };
        crowd.apply(world, spec).await;
        crowd
    }

    /// Applies a spec to all of them.
    pub async fn apply(&self, world: &World, spec: Value) {
        let each = stream::iter(&self.ids).map(|id| world.apply(id, spec.clone()));
        each.buffer_unordered(AT_ONCE).for_each(async |_| ()).await;
    }

    /// Waits until all are as wanted; says how many are.
    pub async fn until(&self, world: &World, what: &str, wanted: impl Fn(&ConfidenceClientCredential) -> bool) {
        let count = async || {
            let all = world.api().list(&ListParams::default()).await.unwrap().items;
            all.into_iter().filter(&wanted).count()
        };
        eventually(what, PATIENCE, count, |count| *count == self.ids.len()).await;
    }

    /// Waits until the newest spec of each has this reason.
    pub async fn until_reason(&self, world: &World, reason: &str) {
        let has = |it: &_| is_current(it) && condition(it, "Ready").is_some_and(|(_, it)| it == reason);
        self.until(world, reason, has).await;
    }
}

/// The most calls that came within any one second, by the server's clock.
pub fn busiest_second(calls: &[Call]) -> usize {
    let within = |first: usize| {
        let end = calls[first].milliseconds + 1000;
        calls[first..].iter().take_while(|call| call.milliseconds < end).count()
    };
    (0..calls.len()).map(within).max().unwrap_or(0)
}

/// The milliseconds between each call and the next.
pub fn gaps(calls: &[Call]) -> Vec<u64> {
    calls.windows(2).map(|pair| pair[1].milliseconds - pair[0].milliseconds).collect()
}

/// The calls that it takes to look at so many credentials of one client.
pub const fn pages(credentials: usize) -> usize {
    credentials.div_ceil(100)
}

/// How much a machine that is busy otherwise held this process up, at the worst: a server that was held up receives in one
/// second what was sent in a longer time.
pub struct Stalls {
    worst: Arc<AtomicU64>,
    measuring: tokio::task::JoinHandle<()>,
}

impl Stalls {
    /// Measures from now on.
    pub fn measure() -> Self {
        const TICK: Duration = Duration::from_millis(10);
        let worst = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&worst);
        let measuring = tokio::spawn(async move {
            loop {
                let before = Instant::now();
                tokio::time::sleep(TICK).await;
                let late = before.elapsed().saturating_sub(TICK).as_millis();
                seen.fetch_max(u64::try_from(late).unwrap(), Ordering::Relaxed);
            }
        });
        Self { worst, measuring }
    }

    /// The most calls that may seem to come within a second at this rate: 1.25 times as many, and those of the worst stall.
    pub fn most_in_a_second(&self, rate: usize) -> usize {
        let stall = usize::try_from(self.worst.load(Ordering::Relaxed)).unwrap();
        rate * 5 / 4 + (rate * stall).div_ceil(1000)
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.measuring.abort();
    }
}
