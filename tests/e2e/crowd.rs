//! Many resources at once.

use std::time::Duration;

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
