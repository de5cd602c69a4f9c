//! What is measured while a scenario runs, and how it is waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use confidence_simulator::CallKind;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::api_server::{Requests, between, requests};
use super::operator::{Operator, cpu_of_children};
use super::stage::Stage;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// What a scenario took.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measured {
    pub(super) scenario: String,
    pub(super) size: usize,
    /// Seconds until the credentials were right at the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until_right: Option<f64>,
    /// Seconds until all statuses were written too, or of the whole scenario.
    pub(super) seconds: f64,
    /// CPU seconds of the operator.
    pub(super) cpu_seconds: f64,
    /// CPU seconds of etcd and the API server.
    pub(super) control_plane_cpu_seconds: f64,
    /// Resident memory at the end, in MiB.
    pub(super) memory: f64,
    /// The most resident memory of the run, in MiB.
    pub(super) memory_peak: f64,
    /// Calls to Confidence by kind.
    pub(super) calls: BTreeMap<String, u64>,
    /// Calls that were refused with 429.
    pub(super) refused: u64,
    /// Requests to the API server by verb and resource.
    pub(super) requests: Requests,
    /// Milliseconds, sorted, where single events were timed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) latencies: Vec<f64>,
}

impl Measured {
    /// Calls of a kind.
    pub(super) fn calls(&self, kind: &str) -> u64 {
        self.calls.get(kind).copied().unwrap_or_default()
    }

    /// All calls.
    pub(super) fn all_calls(&self) -> u64 {
        self.calls.values().sum()
    }

    /// Statuses written.
    pub(super) fn status_writes(&self) -> u64 {
        self.requests.get("PUT confidenceclientcredentials/status").copied().unwrap_or_default()
    }

    /// Everything written to the API server but events and the lease.
    pub(super) fn writes(&self) -> u64 {
        let is_write = |what: &str| {
            ["POST ", "PUT ", "PATCH ", "DELETE "].iter().any(|verb| what.starts_with(verb))
                && !what.ends_with(" events")
                && !what.ends_with(" leases")
        };
        self.requests.iter().filter(|(what, _)| is_write(what)).map(|(_, count)| count).sum()
    }
}

/// Watches one run of the operator from its beginning, or from a moment in it.
pub(super) struct Watch<'a> {
    stage: &'a Stage,
    pub(super) began: Instant,
    cpu: f64,
    control_plane_cpu: f64,
    pub(super) calls: BTreeMap<CallKind, u64>,
    refused: u64,
    pub(super) requests: Requests,
}

impl<'a> Watch<'a> {
    pub(super) async fn begin(stage: &'a Stage, operator: Option<&Operator>) -> Result<Self, String> {
        let requests = requests(&stage.client).await?;
        let stats = stage.simulator.stats();
        let cpu = operator.map_or(Ok(0.0), Operator::cpu)?;
        let refused = stats.statuses.get(&429).copied().unwrap_or_default();
        let control_plane_cpu = cpu_of_children(stage.plane.starter_id())?;
        Ok(Self { stage, began: Instant::now(), cpu, control_plane_cpu, calls: stats.calls, refused, requests })
    }

    pub(super) fn calls(&self, kind: CallKind) -> u64 {
        let before = self.calls.get(&kind).copied().unwrap_or_default();
        self.stage.simulator.stats().count(kind) - before
    }

    /// Waits until something is so; gives the seconds from the beginning.
    pub(super) async fn until(
        &self,
        what: &str,
        glance: Duration,
        is_so: impl AsyncFn() -> Result<bool, String>,
    ) -> Result<f64, String> {
        while !is_so().await? {
            if self.began.elapsed() > PATIENCE {
                return Err(format!("{what} was not so within {PATIENCE:?}"));
            }
            sleep(glance).await;
        }
        Ok(self.began.elapsed().as_secs_f64())
    }

    pub(super) async fn end(self, scenario: &str, operator: &Operator) -> Result<Measured, String> {
        let (memory, memory_peak) = operator.memory()?;
        let stats = self.stage.simulator.stats();
        let more = |(kind, count): (&CallKind, &u64)| {
            let more = count - self.calls.get(kind).copied().unwrap_or_default();
            (more > 0).then(|| (format!("{kind:?}").to_lowercase(), more))
        };
        Ok(Measured {
            scenario: scenario.to_owned(),
            size: self.stage.size,
            until_right: None,
            seconds: self.began.elapsed().as_secs_f64(),
            cpu_seconds: operator.cpu()? - self.cpu,
            control_plane_cpu_seconds: cpu_of_children(self.stage.plane.starter_id())? - self.control_plane_cpu,
            memory,
            memory_peak,
            calls: stats.calls.iter().filter_map(more).collect(),
            refused: stats.statuses.get(&429).copied().unwrap_or_default() - self.refused,
            requests: between(&self.requests, &requests(&self.stage.client).await?),
            latencies: Vec::new(),
        })
    }
}
