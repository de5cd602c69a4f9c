//! What the operator saw and did.
//!
//! Holds nothing that moves by itself (a request id, a retry count, the time of the last look): an unchanged credential
//! costs no status write.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// The state of the credential, as far as it was really observed.
// A resource that nobody has looked at yet reads -1 there: kstatus would take one without a status as done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = serde_json::json!({"observedGeneration": -1})))]
pub struct ConfidenceClientCredentialStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling and Stalled as in kstatus, and Drifted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The name of the credential as the server last said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The client that the credential belongs to: clients/{client}.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// When the credential was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_time: Option<Time>,
    /// When anybody last wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_time: Option<Time>,
    /// When it last resolved a flag, kept up to date only as finely as the operator is told to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_time: Option<Time>,
    /// The identity that created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator: Option<String>,
    /// The identity that last wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updater: Option<String>,
    /// What differs now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// The last write of the operator to this credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_update: Option<LastUpdate>,
    /// Which version of the Secret is at Confidence. Never the secret, nor a digest of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_secret: Option<ObservedSecret>,
    /// The value of the annotation `iam.confidence.dev/reconcile-requested-at` that was last acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}

/// Managed fields that differ at Confidence and were not corrected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// The fields, spelled as in the spec.
    pub fields: Vec<String>,
}

/// A write of the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastUpdate {
    /// The update mask of the PATCH, as it was sent.
    pub update_mask: String,
    /// When, as the server's answer says; the operator's own clock where the answer does not say.
    pub time: Time,
}

/// The version of a Secret that was written to Confidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObservedSecret {
    /// The uid of the Secret.
    pub uid: String,
    /// The resourceVersion of the Secret.
    pub resource_version: String,
    /// The key within the Secret.
    pub key: String,
    /// The credential's updateTime after the operator's last write: another one later means that somebody else wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_time: Option<Time>,
}

/// A point in time with the precision of the server that told it.
///
/// Not `metav1.Time`, which cuts to seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub Timestamp);

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({"type": "string", "format": "date-time"})
    }
}
