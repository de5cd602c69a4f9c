//! What a person asks for.
//!
//! Validation lives in this schema, so that a bad manifest fails at `kubectl apply` with a message for a person. The
//! comments of the fields are what `kubectl explain` shows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::super::{durations, rules};

pub use super::published_secret::{PublishedKeys, PublishedSecret};
pub use super::references::{AccountRef, ClientSecret, SecretKeyRef};
pub use super::rotation::{Overlap, Rotation};
pub use super::values::{AccountKind, DeletionPolicy, DriftPolicy, SdkType};

/// The most labels of a resource with a client, which leave room for the operator's own; 64 with a name.
const MAX_LABELS_CREATED: usize = 60;

/// Which credential, and how it should be. With name the operator keeps an existing credential in line; with client it
/// creates one, publishes its secret, rotates and deletes it. Exactly one of the two is there, and it never changes.
///
/// A managed field that is absent is not managed: the operator leaves it alone at Confidence. One that is present and empty
/// is cleared there.
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
    doc = "A client credential of the Confidence feature-flag service: an existing one that is kept as the spec says (with spec.name), or one that the operator creates, publishes, rotates and deletes (with spec.client).",
    derive = "PartialEq",
    selectable = ".spec.name",
    selectable = ".spec.client",
    selectable = ".spec.publishedSecret.name",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(
        name = "Last seen",
        type_ = "date",
        json_path = ".status.lastSeenTime",
        description = "When the credential last resolved a flag"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Credential",
        type_ = "string",
        json_path = ".status.name",
        description = "The current credential",
        priority = "1"
    ),
    printcolumn(
        name = "Secret",
        type_ = "string",
        json_path = ".status.publishedSecret.name",
        description = "The Secret that holds the secret of the created credential",
        priority = "1"
    ),
    printcolumn(
        name = "Drift",
        type_ = "string",
        json_path = ".status.drift.fields",
        description = "The managed fields that differ at Confidence",
        priority = "1"
    ),
    printcolumn(
        name = "Rotating",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Rotating")].status"#,
        description = "True while an old credential exists beside the new one",
        priority = "1"
    ),
    printcolumn(
        name = "Updated",
        type_ = "date",
        json_path = ".status.updateTime",
        description = "When anybody last wrote the credential at Confidence",
        priority = "1"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.name) != has(self.client)")
        .message("must have exactly one of name (keep an existing credential in line) and client (create one there)"),
    validation = rules::forbidden("has(self.name) == has(oldSelf.name) && has(self.client) == has(oldSelf.client)",
        "name and client are immutable: a resource cannot change from one to the other; create another resource"),
    validation = Rule::new("!has(self.client) || has(self.publishedSecret)")
        .message("publishedSecret is required with client: it says which Secret gets the secret of the created credential"),
    validation = Rule::new("!has(self.publishedSecret) || has(self.client)")
        .message("publishedSecret belongs to client: the secret of an existing credential (name) is not known to the operator"),
    validation = Rule::new("!has(self.clientSecret) || has(self.name)")
        .message("clientSecret belongs to name: Confidence chooses the secret of a credential that is created (client)"),
    validation = Rule::new("!has(self.rotation) || has(self.client)")
        .message("rotation belongs to client: the operator replaces only credentials that it created"),
    validation = Rule::new("!has(self.deletionPolicy) || self.deletionPolicy != 'Delete' || has(self.client)")
        .message("deletionPolicy Delete belongs to client: the operator deletes only credentials that it created"),
    validation = Rule::new(format!("!has(self.client) || !has(self.labels) || self.labels.size() <= {MAX_LABELS_CREATED}"))
        .message(format!("labels must have at most {MAX_LABELS_CREATED} entries with client: the operator adds its own").as_str()),
    validation = rules::forbidden("has(self.accountRef) == has(oldSelf.accountRef)",
        "accountRef is immutable: it cannot be added or removed, because the credential stays in its account; create another resource"),
)]
pub struct ConfidenceClientCredentialSpec {
    /// Which existing credential this resource keeps in line, as Confidence shows it. The two ids cannot be changed later.
    /// Absent: client is there, and the operator creates a credential.
    /// Example: clients/1bhq4c2zqigdzqg6ufni/credentials/3pxcfkkmi5sppg0lfa8d
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    #[x_kube(validation = rules::credential_name(), validation = rules::same_credential())]
    pub name: Option<String>,

    /// Under which client the operator creates the credential, as Confidence shows it; cannot be changed later. Absent: name
    /// is there, and the operator creates nothing.
    /// Example: clients/1bhq4c2zqigdzqg6ufni
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 150))]
    #[x_kube(
        validation = rules::client_name(),
        validation = rules::forbidden("self == oldSelf",
            "is immutable: a credential cannot move to another client; create another resource")
    )]
    pub client: Option<String>,

    /// The human friendly name of the credential. Required, not blank, always managed. Example: Checkout backend
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new("self.trim() != ''").message("must not be blank: Confidence requires a display name"))]
    pub display_name: String,

    /// The environments of the credential, as a set of their resource names. Example: [environments/production]
    ///
    /// Absent: not managed. Empty: cleared. There are two readings of an empty set. The vendor's OpenAPI says that it enables
    /// the credential for all environments. The vendor's resolver code lets a credential without environments match no rule
    /// that names one, so emptying the set takes environment-bound rules away. Try it before you rely on either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub environments: Option<Vec<String>>,

    /// The labels of the credential at Confidence, all of them: a label that is not named here is removed. Absent: not
    /// managed. Empty: cleared. At most 64 labels, with client 60. Keys that begin with confidence-operator- are the
    /// operator's own and are never removed. Example: {team: checkout}
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = {"type": "string", "maxLength": 1024}))]
    #[x_kube(
        validation = Rule::new("self.all(key, key != '' && key.size() <= 256)").message("keys must have 1 to 256 characters"),
        validation = rules::no_own_labels()
    )]
    pub labels: Option<BTreeMap<String, String>>,

    /// The type of SDK that the credential is for. Absent: not managed. A local resolver needs BACKEND.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk_type: Option<SdkType>,

    /// Where the secret of an existing credential comes from; only with name. Absent: not managed. Never plaintext
    /// in this resource. Example: {secretKeyRef: {name: checkout-confidence, key: clientSecret}}
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<ClientSecret>,

    /// Which Secret gets the secret of the created credential; required with client, forbidden with name.
    /// Example: {name: checkout-confidence}
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_secret: Option<PublishedSecret>,

    /// When the created credential is replaced by a new one; only with client. Absent: only on request, by the annotation
    /// iam.confidence.dev/rotate-requested-at. SDKs that resolve locally also need the credential's encryption key, which no
    /// public API tells and which changes with each rotation: do not rotate their credentials on a schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,

    /// How often the operator checks for drift, between 1s and 8760h. Absent: the operator's --interval. One that is shorter
    /// than the operator's --min-interval counts as that. Example: 10m
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::duration("1s"))]
    pub interval: Option<String>,

    /// While true, the operator makes no call and writes no Secret for this resource. Absent: false.
    #[serde(default)]
    pub suspend: bool,

    /// What to do about drift: Correct writes the spec to Confidence; Report only reports it, never writes and creates
    /// nothing. Absent: Correct.
    #[serde(default)]
    pub drift_policy: DriftPolicy,

    /// What happens to the credential when this resource is deleted. Delete, only with client, deletes the credential at
    /// Confidence and the published Secret; Orphan leaves both. Absent: Delete with client, Orphan with name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// Which Confidence account the credential belongs to; cannot be added, changed or removed later. Absent: the operator's
    /// own account. Example: {kind: ClusterConfidenceAccount, name: shop}
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::forbidden("self == oldSelf",
        "is immutable: a credential cannot move to another account; create another resource"))]
    pub account_ref: Option<AccountRef>,
}

impl ConfidenceClientCredentialSpec {
    /// The managed environments, as the set that they are.
    pub fn environment_set(&self) -> Option<BTreeSet<String>> {
        self.environments.as_ref().map(|list| list.iter().cloned().collect())
    }

    /// The resource's own interval; none where the operator's holds.
    pub fn own_interval(&self) -> Option<Result<Duration, String>> {
        self.interval.as_deref().map(durations::parse)
    }

    /// What happens to the credential with the resource, where the spec does not say so too: `Delete` in create mode,
    /// `Orphan` in adopt mode.
    pub fn effective_deletion_policy(&self) -> DeletionPolicy {
        let by_mode = if self.client.is_some() { DeletionPolicy::Delete } else { DeletionPolicy::Orphan };
        self.deletion_policy.unwrap_or(by_mode)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
