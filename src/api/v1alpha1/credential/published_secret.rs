//! Where the operator publishes the secret of a credential that it created.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::super::rules;

/// The key of the secret, unless the spec says otherwise.
const DEFAULT_CLIENT_SECRET_KEY: &str = "clientSecret";

/// A Secret that the operator writes. Nothing is copied to it from the metadata of this resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct PublishedSecret {
    /// The name of the Secret, in the namespace of this resource. The operator creates it; it never overwrites a Secret that
    /// belongs to somebody else. When the name changes, the operator writes the new Secret first and then removes the old one.
    /// Example: checkout-confidence
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::secret_name())]
    pub name: String,

    /// Which keys the operator writes. Absent: clientSecret alone. Other keys of the Secret may be yours; the operator leaves
    /// them alone.
    #[serde(default, skip_serializing_if = "PublishedKeys::is_default")]
    pub keys: PublishedKeys,

    /// The labels that the operator puts on the Secret. Absent or empty: none. Labels of others on the Secret stay.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    #[x_kube(validation = rules::metadata_keys(), validation = rules::not_of_the_operator(), validation = rules::label_values())]
    pub labels: BTreeMap<String, String>,

    /// The annotations that the operator puts on the Secret, beside its own. Absent or empty: none of yours.
    /// Example, to restart pods with Reloader when the secret changes: {reloader.stakater.com/match: "true"}
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 4096}))]
    #[x_kube(validation = rules::metadata_keys(), validation = rules::not_of_the_operator())]
    pub annotations: BTreeMap<String, String>,
}

/// The keys of a published Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::distinct_keys(DEFAULT_CLIENT_SECRET_KEY))]
pub struct PublishedKeys {
    /// The key with the secret itself. Absent: clientSecret. Example, for envFrom: CONFIDENCE_CLIENT_SECRET
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::secret_key())]
    pub client_secret: Option<String>,
    /// The key with the name of the client, clients/{client}. Absent: not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::secret_key())]
    pub client: Option<String>,
    /// The key with the name of the credential, clients/{client}/credentials/{credential}, which changes with each rotation.
    /// Absent: not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::secret_key())]
    pub credential: Option<String>,
}

impl PublishedKeys {
    /// The key with the secret: the one that was asked for, else `clientSecret`.
    pub fn client_secret_key(&self) -> &str {
        self.client_secret.as_deref().unwrap_or(DEFAULT_CLIENT_SECRET_KEY)
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
