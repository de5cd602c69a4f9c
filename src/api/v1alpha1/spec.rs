//! What a person asks for.
//!
//! Validation lives in this schema, so that a bad manifest fails at `kubectl apply` with a message for a person. Rules of
//! CEL rather than patterns, because a pattern's message is the pattern.

use std::collections::{BTreeMap, BTreeSet};

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::durations;
use crate::confidence::wire;

/// A client credential of the Confidence feature-flag service, kept as the manifest says.
///
/// A field that is absent from the spec is not managed: the operator leaves it alone at Confidence. A field that is
/// present and empty is cleared there.
// Clippy takes the derive's own attributes for the compiler's.
#[allow(clippy::duplicated_attributes)]
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "iam.confidence.dev",
    version = "v1alpha1",
    kind = "ConfidenceClientCredential",
    plural = "confidenceclientcredentials",
    shortname = "ccc",
    category = "confidence",
    namespaced,
    status = "super::ConfidenceClientCredentialStatus",
    doc = "A client credential of the Confidence feature-flag service, kept at Confidence as the spec says.",
    derive = "PartialEq",
    selectable = ".spec.name",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(
        name = "Credential",
        type_ = "string",
        json_path = ".spec.name",
        description = "The ids of client and credential"
    ),
    printcolumn(
        name = "Last seen",
        type_ = "date",
        json_path = ".status.lastSeenTime",
        description = "When the credential last resolved a flag"
    ),
    printcolumn(
        name = "Updated",
        type_ = "date",
        json_path = ".status.updateTime",
        description = "When anybody last wrote the credential at Confidence"
    ),
    printcolumn(name = "Client", type_ = "string", json_path = ".status.client", priority = "1"),
    printcolumn(
        name = "Drift",
        type_ = "string",
        json_path = ".status.drift.fields",
        description = "The managed fields that differ at Confidence",
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ConfidenceClientCredentialSpec {
    /// Which credential this resource manages: clients/{client}/credentials/{credential}, as Confidence shows it.
    /// The two ids cannot be changed later.
    #[schemars(length(max = 300))]
    #[x_kube(
        validation = Rule::new(r"self.matches('^clients/[A-Za-z0-9._~-]{1,128}/(credentials|clientCredentials)/[A-Za-z0-9._~-]{1,128}$') && !self.matches('/[.]{1,2}(/|$)')")
            .message("must be the name of a credential as Confidence shows it: clients/{client}/credentials/{credential}, with ids of up to 128 letters, digits or . _ ~ -"),
        validation = Rule::new("self.replace('/clientCredentials/', '/credentials/') == oldSelf.replace('/clientCredentials/', '/credentials/')")
            .message("is immutable: it names another credential than before; to manage that one, create another resource (deleting this one leaves its credential at Confidence alone)")
            .reason(Reason::FieldValueForbidden),
    )]
    pub name: String,

    /// The human friendly name of the credential. Always managed.
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new("self.trim() != ''").message("must not be blank: Confidence requires a display name"))]
    pub display_name: String,

    /// The environments that the credential is enabled for, as a set. Absent: not managed. Empty: cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub environments: Option<Vec<String>>,

    /// The labels of the credential, all of them. Absent: not managed. Empty: cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = {"type": "string", "maxLength": 1024}))]
    #[x_kube(validation = Rule::new("self.all(key, key != '' && key.size() <= 256)").message("keys must have 1 to 256 characters"))]
    pub labels: Option<BTreeMap<String, String>>,

    /// The type of SDK that the credential is for. Absent: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk_type: Option<SdkType>,

    /// Where the secret of the credential comes from. Absent: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<ClientSecret>,

    /// How often to look whether the credential differs from the spec, such as 90s, 10m or 1h30m; 1s or more.
    /// Absent: the operator's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(r"self.matches('^([0-9]{1,12}([.][0-9]{1,9})?(ns|us|µs|ms|s|m|h))+$') && duration(self) >= duration('1s')")
        .message("must be a duration of 1s or more, such as 90s, 10m or 1h30m"))]
    pub interval: Option<String>,

    /// While true, the operator makes no call for this resource.
    #[serde(default)]
    pub suspend: bool,

    /// What to do about a difference: Correct writes the spec to Confidence, Report only tells of it and never writes.
    #[serde(default)]
    pub drift_policy: DriftPolicy,
}

/// The type of SDK that a credential is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum SdkType {
    /// `SDK_TYPE_UNSPECIFIED`
    #[serde(rename = "SDK_TYPE_UNSPECIFIED")]
    Unspecified,
    /// `BACKEND`
    #[serde(rename = "BACKEND")]
    Backend,
    /// `FRONTEND`
    #[serde(rename = "FRONTEND")]
    Frontend,
    /// A value that a newer CRD allows and this program does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// What to do about drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum DriftPolicy {
    /// Write the spec to Confidence.
    #[default]
    Correct,
    /// Look and tell, never write.
    Report,
    /// A value that a newer CRD allows and this program does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// Where a client secret comes from: never from the resource itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientSecret {
    /// A key of a Secret in the same namespace.
    pub secret_key_ref: SecretKeyRef,
}

/// A key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
pub struct SecretKeyRef {
    /// The name of the Secret, in the resource's own namespace.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new(r"self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')")
        .message("must be the name of a Secret: lower case letters, digits, - and ."))]
    pub name: String,
    /// The key within the Secret's data.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new(r"self.matches('^[-._a-zA-Z0-9]+$')").message("must be a key of a Secret: letters, digits, - _ and ."))]
    pub key: String,
}

impl SdkType {
    /// The same type on the wire; none for one that this program does not know.
    pub fn to_wire(self) -> Option<wire::SdkType> {
        match self {
            Self::Unspecified => Some(wire::SdkType::Unspecified),
            Self::Backend => Some(wire::SdkType::Backend),
            Self::Frontend => Some(wire::SdkType::Frontend),
            Self::Unknown => None,
        }
    }
}

impl ConfidenceClientCredentialSpec {
    /// The managed environments, as the set that they are.
    pub fn environment_set(&self) -> Option<BTreeSet<String>> {
        self.environments.as_ref().map(|list| list.iter().cloned().collect())
    }

    /// The resource's own interval, if it has a usable one.
    pub fn own_interval(&self) -> Option<Result<std::time::Duration, String>> {
        self.interval.as_deref().map(durations::parse)
    }
}
