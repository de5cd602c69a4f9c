//! Statuses of a small kind of resource.
#![allow(clippy::unwrap_used)]

mod pending;
mod writer;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;

#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[kube(group = "example.com", version = "v1", kind = "Widget", namespaced, status = "WidgetStatus")]
struct WidgetSpec {}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WidgetStatus {
    phase: String,
    observed_generation: Option<i64>,
}

impl Status for WidgetStatus {
    fn observed_generation(&self) -> Option<i64> {
        self.observed_generation
    }
}

fn says(phase: &str) -> WidgetStatus {
    WidgetStatus { phase: phase.to_owned(), observed_generation: Some(1) }
}

/// A widget of this name, in the version that the watch shows.
fn named(name: &str, version: &str, status: Option<&str>) -> Arc<Widget> {
    let mut widget = Widget::new(name, WidgetSpec::default());
    widget.metadata.namespace = Some("ns".to_owned());
    widget.metadata.uid = Some(format!("uid of {name}"));
    widget.metadata.resource_version = Some(version.to_owned());
    widget.metadata.generation = Some(1);
    widget.status = status.map(says);
    Arc::new(widget)
}

fn widget(version: &str, status: Option<&str>) -> Arc<Widget> {
    named("a", version, status)
}

/// Another widget with the name of the first one, which is gone.
fn recreated() -> Arc<Widget> {
    let mut widget = Widget::clone(&widget("9", None));
    widget.metadata.uid = Some("another uid".to_owned());
    Arc::new(widget)
}

fn event(note: &str) -> EventDraft {
    EventDraft { warning: false, reason: "Updated".to_owned(), action: "Update", note: note.to_owned() }
}

fn pending(phase: &str, events: Vec<EventDraft>) -> PendingStatus<WidgetStatus> {
    PendingStatus { status: says(phase), events, attempt: AttemptId(1) }
}
