//! Fields of the spec that have one of a few values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::confidence::wire;

/// The type of SDK that the credential is for: BACKEND, FRONTEND or SDK_TYPE_UNSPECIFIED. Absent: not managed.
/// A local resolver needs BACKEND.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// What to do about drift, a managed field that differs at Confidence. Correct writes the spec to Confidence.
/// Report observes, reports in the status and never writes: a safe way to begin, which shows with client what would be
/// created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DriftPolicy {
    /// Write the spec to Confidence.
    #[default]
    Correct,
    /// Observe and report, never write.
    Report,
    /// A value that a newer CRD allows and this program does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// What happens to the credential when this resource is deleted. Delete, which only a resource with client may have, deletes
/// the credential at Confidence and the published Secret. Orphan leaves both. Absent: Delete with client, Orphan with name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Delete the credential and the published Secret.
    Delete,
    /// Leave both alone.
    Orphan,
    /// A value that a newer CRD allows and this program does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// The kind of the account: ConfidenceAccount in the same namespace, or ClusterConfidenceAccount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum AccountKind {
    /// In the namespace of the resource.
    #[default]
    ConfidenceAccount,
    /// Of the whole cluster; its grants say who may use it.
    ClusterConfidenceAccount,
    /// A value that a newer CRD allows and this program does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
