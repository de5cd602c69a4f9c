//! References from the spec to other objects.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::rules;
use super::values::AccountKind;

/// Where a client secret comes from: never from the resource itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientSecret {
    /// A key of a Secret in the namespace of this resource. The operator notices when its value changes.
    pub secret_key_ref: SecretKeyRef,
}

/// A key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
pub struct SecretKeyRef {
    /// The name of the Secret, in the namespace of this resource. Example: checkout-confidence
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::secret_name())]
    pub name: String,
    /// The key in the data of the Secret. Trailing newlines of its value are cut. Example: clientSecret
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::secret_key())]
    pub key: String,
}

/// Which account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
pub struct AccountRef {
    /// The kind of the account: ConfidenceAccount in the namespace of this resource, or ClusterConfidenceAccount.
    #[serde(default)]
    pub kind: AccountKind,
    /// The name of the account. Example: shop
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::object_name())]
    pub name: String,
}
