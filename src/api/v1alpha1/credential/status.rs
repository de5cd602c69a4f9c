//! What the operator observed and did.
//!
//! Holds nothing that moves by itself (a request id, a retry count, the time of the last observation): an unchanged
//! credential costs no status write.

use std::borrow::Cow;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::super::conditions;

/// The most characters of a text that Confidence chooses, such as an identity. The API server refuses a longer one.
pub const MAX_TEXT_LENGTH: usize = 1024;

/// The state of the credential, as far as it was really observed.
// A resource that was never observed reads -1 there: kstatus would take one without a status as done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = serde_json::json!({"observedGeneration": -1})))]
pub struct ConfidenceClientCredentialStatus {
    /// The generation of the spec that this status is about; -1 before the first reconcile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready always; Published with spec.client; Reconciling, Stalled, Drifted and Rotating only while they are True.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::schema")]
    pub conditions: Vec<Condition>,
    /// The name of the current credential: clients/{client}/credentials/{credential}.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub name: Option<String>,
    /// The client that the credential belongs to: clients/{client}.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 150))]
    pub client: Option<String>,
    /// Created: the operator created the credential. Adopted: it existed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// When the credential was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_time: Option<Time>,
    /// When anybody last wrote the credential at Confidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_time: Option<Time>,
    /// When the credential last resolved a flag, as finely as the operator's --last-seen-resolution says. Absent: never seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_time: Option<Time>,
    /// The identity that created the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub creator: Option<String>,
    /// The identity that last wrote the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub updater: Option<String>,
    /// Which managed fields differ at Confidence. Absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// The operator's last update of the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_update: Option<LastUpdate>,
    /// Which version of the Secret in spec.clientSecret is at Confidence. Never the secret, nor a digest of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_secret: Option<ObservedSecret>,
    /// The Secret that holds the secret of the created credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_secret: Option<PublishedSecret>,
    /// How the rotation of the created credential stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// The value of the annotation iam.confidence.dev/reconcile-requested-at that was last acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub last_handled_reconcile_at: Option<String>,
}

/// Where the credential comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Origin {
    /// The operator created it.
    Created,
    /// It existed before.
    Adopted,
    /// A value of another version of this program.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// Managed fields that differ at Confidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct Drift {
    /// The fields, spelled as in the spec. Example: [displayName, labels]
    #[schemars(length(max = 16), inner(length(max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub fields: Vec<String>,
}

/// An update by the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastUpdate {
    /// The update mask of the PATCH, as it was sent.
    #[schemars(length(max = 256))]
    pub update_mask: String,
    /// When, as the server's answer says; the operator's own clock where the answer does not say.
    pub time: Time,
}

/// The version of a Secret that was written to Confidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObservedSecret {
    /// The uid of the Secret.
    #[schemars(length(max = 128))]
    pub uid: String,
    /// The resourceVersion of the Secret.
    #[schemars(length(max = 128))]
    pub resource_version: String,
    /// The key in the Secret.
    #[schemars(length(max = 253))]
    pub key: String,
    /// The credential's updateTime after the operator's last write: a later one means that somebody else wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_time: Option<Time>,
}

/// The Secret that the operator published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublishedSecret {
    /// The name of the Secret.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The uid of the Secret.
    #[schemars(length(max = 128))]
    pub uid: String,
    /// The name of the credential whose secret it holds.
    #[schemars(length(max = 300))]
    pub credential: String,
    /// When this credential was published first, by the server's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_time: Option<Time>,
}

/// How the rotation stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// When the next rotation begins. Absent: only on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_rotation_time: Option<Time>,
    /// The value of the annotation iam.confidence.dev/rotate-requested-at that was last acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub last_handled_rotate_at: Option<String>,
    /// Credentials of this resource that were replaced and still exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub superseded: Vec<Superseded>,
    /// Attempts to create a credential whose outcome was never learned: {number}-{nonce}. A credential of such an attempt that
    /// turns up later is superseded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub unresolved_attempts: Vec<String>,
}

/// A credential that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Superseded {
    /// The name of the credential: what the annotation iam.confidence.dev/retire has to say to let it be deleted in use.
    #[schemars(length(max = 300))]
    pub name: String,
    /// When another credential took its place, by the server's clock.
    pub since: Time,
    /// When it last resolved a flag. Absent: never seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_time: Option<Time>,
    /// Why it was replaced, such as Rotated or SecretLost.
    #[schemars(length(max = 64))]
    pub why: String,
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
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({"type": "string", "format": "date-time", "maxLength": 40})
    }
}
