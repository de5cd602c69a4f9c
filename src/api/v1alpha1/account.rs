//! The kinds `ConfidenceAccount` and `ClusterConfidenceAccount`: how to reach a Confidence account, and who may use it.
#![allow(
    clippy::doc_markdown,
    rustdoc::bare_urls,
    reason = "kubectl explain shows the comments of fields as they stand"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{CustomResource, KubeSchema};
use schemars::{Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::{conditions, rules};

/// How to reach the account.
#[allow(clippy::duplicated_attributes)]
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "iam.confidence.dev",
    version = "v1alpha1",
    kind = "ConfidenceAccount",
    plural = "confidenceaccounts",
    category = "confidence",
    namespaced,
    status = "ConfidenceAccountStatus",
    doc = "A Confidence account for the resources of one namespace, which name it in spec.accountRef.",
    derive = "PartialEq",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.url"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ConfidenceAccountSpec {
    /// Where the account's IAM API is; https, or http to this machine alone (localhost, 127.0.0.1, ::1). Cannot be changed
    /// later. Absent: https://iam.confidence.dev. Example: https://iam.eu.confidence.dev
    #[serde(default = "default_url")]
    #[schemars(length(max = 512))]
    #[x_kube(
        validation = rules::account_url(),
        validation = rules::forbidden("self == oldSelf", "is immutable: another URL is another account; create another object")
    )]
    pub url: String,

    /// The account's credentials: exactly one of clientSecretRef and tokenSecretRef. The operator notices when they change.
    pub credentials: AccountCredentials,

    /// How many requests a second the account may cost, token requests included. Absent: the operator's
    /// --requests-per-second. Objects with the same API client and URL share one budget, the lowest of theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 1, max = 1000))]
    pub requests_per_second: Option<u32>,
}

/// How to reach the account, and who may use it.
#[allow(clippy::duplicated_attributes)]
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "iam.confidence.dev",
    version = "v1alpha1",
    kind = "ClusterConfidenceAccount",
    plural = "clusterconfidenceaccounts",
    category = "confidence",
    status = "ConfidenceAccountStatus",
    doc = "A Confidence account for the namespaces that its grants name. Its Secret is in the operator's namespace.",
    derive = "PartialEq",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.url"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterConfidenceAccountSpec {
    /// How to reach the account, as for the namespaced kind.
    #[serde(flatten)]
    pub account: ConfidenceAccountSpec,

    /// Who may use the account for what. Required; nothing is granted by default, and an empty list grants nothing. A
    /// resource is covered when one grant covers both its namespace and its client.
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub grants: Vec<Grant>,
}

/// The account's credentials: exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.clientSecretRef) != has(self.tokenSecretRef)")
    .message("must have exactly one of clientSecretRef (an API client's id and secret) and tokenSecretRef (a token)"))]
pub struct AccountCredentials {
    /// A Secret with the id and the secret of an API client, in the namespace of the account; for a ClusterConfidenceAccount
    /// in the operator's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_ref: Option<ClientSecretRef>,
    /// A Secret with a token, in the namespace of the account; for a ClusterConfidenceAccount in the operator's namespace.
    /// Somebody else has to renew the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<TokenSecretRef>,
}

/// A Secret with the id and the secret of an API client.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientSecretRef {
    /// The name of the Secret. Example: confidence-shop
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::secret_name())]
    pub name: String,
    /// The key with the id of the API client.
    #[serde(default = "default_client_id_key")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::secret_key())]
    pub client_id_key: String,
    /// The key with the secret of the API client.
    #[serde(default = "default_client_secret_key")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::secret_key())]
    pub client_secret_key: String,
}

/// A Secret with a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
pub struct TokenSecretRef {
    /// The name of the Secret. Example: confidence-shop
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::secret_name())]
    pub name: String,
    /// The key with the token.
    #[serde(default = "default_token_key")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::secret_key())]
    pub key: String,
}

/// Leave for some namespaces to use the account, for some clients.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The namespaces, by their labels. Empty ({}): every namespace. Example: {matchLabels: {team: checkout}}
    #[schemars(schema_with = "label_selector")]
    pub namespace_selector: LabelSelector,
    /// The Confidence clients whose credentials these namespaces may manage. Absent: every client of the account.
    /// Example: [clients/1bhq4c2zqigdzqg6ufni]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(max = 150)))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = Rule::new("self.size() > 0").message("must name a client; to grant every client, leave clients out"),
        validation = rules::client_names()
    )]
    pub clients: Option<Vec<String>>,
}

/// The state of an account, as far as it was really observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = serde_json::json!({"observedGeneration": -1})))]
pub struct ConfidenceAccountStatus {
    /// The generation of the spec that this status is about; -1 before the account was first looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready: True with the reason Authenticated; else Unauthenticated, SecretNotFound, RateLimited or ServiceUnavailable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::schema")]
    pub conditions: Vec<Condition>,
}

fn default_url() -> String {
    "https://iam.confidence.dev".to_owned()
}

fn default_client_id_key() -> String {
    "clientId".to_owned()
}

fn default_client_secret_key() -> String {
    "clientSecret".to_owned()
}

fn default_token_key() -> String {
    "token".to_owned()
}

/// A label selector as the API server takes it, so that a selector that cannot select is refused and not ignored.
fn label_selector(_: &mut SchemaGenerator) -> Schema {
    let value = serde_json::json!({"type": "string", "maxLength": 63});
    schemars::json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "description": "Labels that the namespace has to have, with these values.",
                "type": "object", "maxProperties": 32, "additionalProperties": value,
            },
            "matchExpressions": {
                "description": "Requirements that the labels of the namespace have to meet, all of them.",
                "type": "array", "maxItems": 32, "x-kubernetes-list-type": "atomic",
                "items": {
                    "description": "A requirement.",
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {"description": "The label.", "type": "string", "minLength": 1, "maxLength": 317},
                        "operator": {
                            "description": "How the label relates to the values.",
                            "type": "string", "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "description": "The values for In and NotIn; absent for Exists and DoesNotExist.",
                            "type": "array", "maxItems": 64, "x-kubernetes-list-type": "atomic", "items": value,
                        },
                    },
                    "x-kubernetes-validations": [{
                        "rule": "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
                        "message": "values are required with In and NotIn, and forbidden with Exists and DoesNotExist",
                    }],
                },
            },
        },
    })
}
