//! Events: what changed, told once, within a budget for each namespace.
//!
//! Whoever notices a change makes an [`EventDraft`]; the recorder writes it, about any object. Where many objects of a
//! namespace change at once, a few are told one by one and the rest is summed up.

mod budget;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use prometheus_client::metrics::counter::Counter;

use self::budget::Budgets;
use super::leader_election::LeaseGuard;

/// How long writing an event may take: nothing waits longer for what is not the truth, but its announcement.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often what the budgets held back is summed up.
const SUMMARY_INTERVAL: Duration = Duration::from_mins(1);

/// The API server allows notes of 1 KiB.
const MAX_NOTE_BYTES: usize = 1000;

/// Where events about cluster-scoped objects live, as client-go has it.
const CLUSTER_SCOPED_NAMESPACE: &str = "default";

/// Something worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDraft {
    /// Whether a person should look at it.
    pub warning: bool,
    /// Why, in one word of CamelCase.
    pub reason: String,
    /// What was done, in one word.
    pub action: &'static str,
    /// What happened, for a person. It is cut at 1000 bytes.
    pub note: String,
}

/// Writes events. Clones share the budgets.
#[derive(Clone)]
pub struct EventRecorder {
    client: Client,
    /// The controller that reports.
    controller: String,
    /// The process that reports: the name of the pod or the host.
    instance: String,
    failures: Counter,
    budgets: Arc<Mutex<Budgets>>,
}

impl EventRecorder {
    /// A recorder for a controller (`example.com/operator`) and this process of it. Events that could not be written are
    /// counted.
    pub fn new(client: Client, controller: impl Into<String>, instance: impl Into<String>, failures: Counter) -> Self {
        Self { client, controller: controller.into(), instance: instance.into(), failures, budgets: Arc::default() }
    }

    /// Writes what happened to an object, as far as the budget of its namespace allows. An event that cannot be written
    /// is logged and let go: the status has the truth.
    pub async fn record(&self, regarding: &ObjectReference, drafts: Vec<EventDraft>) {
        for draft in drafts {
            if self.budgets().take(&draft, regarding) {
                self.write(draft, regarding).await;
            }
        }
    }

    /// Sums up from time to time what the budgets held back, for as long as it is polled.
    pub async fn run(&self, guard: &LeaseGuard) {
        loop {
            tokio::time::sleep(SUMMARY_INTERVAL).await;
            if guard.may_write_for(WRITE_TIMEOUT) {
                self.flush().await;
            }
        }
    }

    /// Sums up what the budgets held back, at once. For the end of the program too.
    pub async fn flush(&self) {
        let summaries = self.budgets().summaries();
        for (draft, regarding) in summaries {
            self.write(draft, &regarding).await;
        }
    }

    fn budgets(&self) -> std::sync::MutexGuard<'_, Budgets> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, draft: EventDraft, regarding: &ObjectReference) {
        let event = self.event(draft, regarding, Timestamp::now());
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        let why = match tokio::time::timeout(WRITE_TIMEOUT, api.create(&PostParams::default(), &event)).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the API server did not answer in time".to_owned(),
        };
        self.failures.inc();
        tracing::debug!(error = why, %namespace, "an event could not be written");
    }

    fn event(&self, draft: EventDraft, regarding: &ObjectReference, now: Timestamp) -> Event {
        let name = regarding.name.as_deref().unwrap_or_default();
        let namespace = regarding.namespace.as_deref().unwrap_or(CLUSTER_SCOPED_NAMESPACE);
        Event {
            metadata: ObjectMeta {
                // As client-go names them: unique by the time, and sorted by it.
                name: Some(format!("{name}.{:x}", now.as_nanosecond())),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            action: Some(draft.action.to_owned()),
            event_time: Some(MicroTime(now)),
            note: Some(shortened(draft.note)),
            reason: Some(draft.reason),
            regarding: Some(regarding.clone()),
            reporting_controller: Some(self.controller.clone()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(if draft.warning { "Warning" } else { "Normal" }.to_owned()),
            ..Event::default()
        }
    }
}

fn shortened(mut note: String) -> String {
    if note.len() > MAX_NOTE_BYTES {
        note.truncate(note.floor_char_boundary(MAX_NOTE_BYTES));
        note.push('…');
    }
    note
}

#[cfg(test)]
mod tests;
