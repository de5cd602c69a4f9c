//! Events: what changed, told once.
//!
//! An event tells a transition, not a state: the same status twice tells nothing. Where many resources change at once, a
//! few are told one by one and the rest summed up.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client, Resource};
use tokio::time::Instant;

use super::lock;
use super::outcome::{Applied, Help, Outcome};
use super::publish::FIELD_MANAGER;
use crate::api::conditions::{Type, find};
use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus as Status};
use crate::confidence::BlockCause;
use crate::metrics::{ControllerMetrics, Operation};

/// So many events at once; then one more each [`REFILL`].
const BURST: u32 = 25;

/// How long it takes until one more event may be told on its own.
const REFILL: Duration = Duration::from_secs(6);

/// How long writing one may take: no pass waits longer for what is not the truth, but its announcement.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// The API server allows notes of 1 KiB.
const MAX_NOTE_BYTES: usize = 1000;

/// Something worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) warning: bool,
    pub(super) reason: String,
    pub(super) action: &'static str,
    pub(super) note: String,
}

/// What a pass is worth telling, given the status before and after it.
pub(super) fn drafts(before: &Status, after: &Status, outcome: &Outcome) -> Vec<Draft> {
    match outcome {
        Outcome::Suspended => Vec::new(),
        Outcome::Applied(applied) => {
            let mut drafts = Vec::new();
            let foreign = before.observed_generation == after.observed_generation && before.update_time.is_some();
            let newly = before.drift != after.drift || applied.written.is_some();
            if !applied.drifted.is_empty() && newly && (applied.report_only || foreign) {
                drafts.push(drift_detected(applied, after));
            }
            drafts.extend(updated(applied));
            if !applied.differs.is_empty() && !applied.report_only {
                drafts.extend(warning(before, after));
            }
            drafts
        }
        Outcome::Failed(problem) => {
            let written = problem.before.as_deref().and_then(updated);
            // The account's trouble is told once for the account, not once for each resource.
            let trouble = if problem.help == Help::Account { None } else { warning(before, after) };
            written.into_iter().chain(trouble).collect()
        }
    }
}

fn updated(applied: &Applied) -> Option<Draft> {
    let mask = applied.written.as_ref()?.update_mask.replace(',', ", ");
    let note = format!("Updated {mask} at Confidence");
    Some(Draft { warning: false, reason: "Updated".to_owned(), action: "Update", note })
}

fn drift_detected(applied: &Applied, after: &Status) -> Draft {
    let fields: Vec<_> = applied.drifted.iter().map(|field| field.json_name()).collect();
    let by = after.updater.as_deref().filter(|_| applied.written.is_none());
    let by = by.map_or_else(String::new, |updater| format!("; last written by {updater}"));
    let note = format!("{} differed from the spec at Confidence{by}", fields.join(", "));
    Draft { warning: true, reason: "DriftDetected".to_owned(), action: "Compare", note }
}

/// A warning where the reason changed, or where a person gets another message.
fn warning(before: &Status, after: &Status) -> Option<Draft> {
    let ready = find(&after.conditions, Type::Ready)?;
    let old = find(&before.conditions, Type::Ready);
    let told = |it: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| (it.reason.clone(), it.message.clone());
    (old.map(told) != Some(told(ready))).then(|| Draft {
        warning: true,
        reason: ready.reason.clone(),
        action: "Reconcile",
        note: ready.message.clone(),
    })
}

/// Writes events, within a budget.
pub(super) struct Events {
    client: Client,
    instance: String,
    metrics: ControllerMetrics,
    budget: Mutex<Budget>,
}

#[derive(Debug)]
struct Budget {
    left: u32,
    refilled: Instant,
    /// What was not told on its own, by reason, with the last resource that it concerned.
    held: BTreeMap<(bool, String), (u32, &'static str, ObjectReference)>,
}

impl Events {
    /// Events that carry the identity of this process.
    pub(super) fn new(client: Client, instance: String, metrics: ControllerMetrics) -> Self {
        let budget = Budget { left: BURST, refilled: Instant::now(), held: BTreeMap::new() };
        Self { client, instance, metrics, budget: Mutex::new(budget) }
    }

    /// Tells what happened to a resource. An event that cannot be written is logged and let go: the status has the truth.
    pub(super) async fn tell(&self, object: &ConfidenceClientCredential, drafts: Vec<Draft>) {
        let regarding = object.object_ref(&());
        for draft in drafts {
            let affordable = lock(&self.budget).take(&draft, &regarding);
            if affordable {
                self.write(draft, &regarding).await;
            }
        }
    }

    /// Tells that the account is held back, or no longer is: about the operator's pod, for it concerns no one resource.
    pub(super) async fn tell_account(&self, namespace: &str, pod: &str, held: Option<BlockCause>) {
        let (warning, reason, note) = match held {
            None => (false, "AccountOpen", "requests to Confidence go through again"),
            Some(BlockCause::RateLimited) => {
                (true, "RateLimited", "the account is over its rate limit: requests wait as long as Confidence asks")
            }
            Some(BlockCause::ServiceUnavailable) => (
                true,
                "ServiceUnavailable",
                "Confidence fails for the whole account: one request in a while finds out when it is back",
            ),
            Some(BlockCause::Unauthenticated) => (
                true,
                "Unauthenticated",
                "Confidence refuses the operator's credentials: renew the token or the client secret that it was given",
            ),
        };
        let regarding = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(pod.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectReference::default()
        };
        self.write(Draft { warning, reason: reason.to_owned(), action: "Request", note: note.to_owned() }, &regarding)
            .await;
    }

    /// Tells what was held back, as sums.
    pub(super) async fn tell_sums(&self) {
        let sums = lock(&self.budget).sums();
        for (draft, regarding) in sums {
            self.write(draft, &regarding).await;
        }
    }

    async fn write(&self, draft: Draft, regarding: &ObjectReference) {
        let namespace = regarding.namespace.clone().unwrap_or_default();
        let event = event(draft, regarding, &self.instance, Timestamp::now());
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        let why = match tokio::time::timeout(WRITE_TIMEOUT, api.create(&PostParams::default(), &event)).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the API server did not answer in time".to_owned(),
        };
        self.metrics.kubernetes_error(Operation::WriteEvent);
        tracing::debug!(error = why, %namespace, "an event could not be written");
    }
}

impl Budget {
    fn take(&mut self, draft: &Draft, regarding: &ObjectReference) -> bool {
        let refills = u32::try_from(self.refilled.elapsed().as_secs() / REFILL.as_secs()).unwrap_or(BURST);
        if refills > 0 {
            self.left = self.left.saturating_add(refills).min(BURST);
            self.refilled = Instant::now();
        }
        if self.left > 0 {
            self.left -= 1;
            return true;
        }
        let held =
            self.held.entry((draft.warning, draft.reason.clone())).or_insert((0, draft.action, regarding.clone()));
        held.0 += 1;
        held.2 = regarding.clone();
        false
    }

    fn sums(&mut self) -> Vec<(Draft, ObjectReference)> {
        let held = std::mem::take(&mut self.held).into_iter();
        held.map(|((warning, reason), (count, action, regarding))| {
            let note = format!(
                "the same happened to {count} resources that got no event of their own; this is the last of them"
            );
            (Draft { warning, reason, action, note }, regarding)
        })
        .collect()
    }
}

fn event(draft: Draft, regarding: &ObjectReference, instance: &str, now: Timestamp) -> Event {
    let name = regarding.name.as_deref().unwrap_or_default();
    Event {
        metadata: ObjectMeta {
            // As client-go names them: unique by the time, and sorted by it.
            name: Some(format!("{name}.{:x}", now.as_nanosecond())),
            namespace: regarding.namespace.clone(),
            ..ObjectMeta::default()
        },
        action: Some(draft.action.to_owned()),
        event_time: Some(MicroTime(now)),
        note: Some(shortened(draft.note)),
        reason: Some(draft.reason),
        regarding: Some(regarding.clone()),
        reporting_controller: Some(format!("{}/{FIELD_MANAGER}", crate::api::GROUP)),
        reporting_instance: Some(instance.to_owned()),
        type_: Some(if draft.warning { "Warning" } else { "Normal" }.to_owned()),
        ..Event::default()
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn draft(reason: &str) -> Draft {
        Draft { warning: false, reason: reason.to_owned(), action: "Update", note: "n".to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_told_in_part_and_summed_up_once() {
        let mut budget = Budget { left: BURST, refilled: Instant::now(), held: BTreeMap::new() };
        let regarding = ObjectReference::default();
        let told = (0..1000).filter(|_| budget.take(&draft("Updated"), &regarding)).count();
        assert_eq!(told, 25);
        let sums = budget.sums();
        assert_eq!(sums.len(), 1);
        assert!(sums[0].0.note.contains("975"), "{}", sums[0].0.note);
        assert!(budget.sums().is_empty());
        tokio::time::advance(REFILL).await;
        assert!(budget.take(&draft("Updated"), &regarding));
        assert!(!budget.take(&draft("Updated"), &regarding));
    }

    #[test]
    fn a_long_note_fits_the_api_server() {
        let event = event(
            Draft { note: "ü".repeat(2000), ..draft("x") },
            &ObjectReference::default(),
            "i",
            Timestamp::UNIX_EPOCH,
        );
        assert!(event.note.unwrap().len() <= 1024);
    }
}
