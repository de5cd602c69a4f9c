//! The two kinds of account as one: what the rest of this room needs of them.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::core::ObjectMeta;
use kube::core::object::HasStatus;
use serde::Deserialize;

use super::name_of_object;
use crate::api::account::Grant;
use crate::api::spec::AccountKind;
use crate::api::{ClusterConfidenceAccount, ConfidenceAccount, ConfidenceAccountSpec, ConfidenceAccountStatus};
use crate::engine::status_writer::{Status, WithStatus};
use crate::engine::{Key, Watched};

/// A kind of account.
pub(super) trait AccountObject: Watched + WithStatus + HasStatus<Status = ConfidenceAccountStatus> {
    /// Which kind it is.
    const KIND: AccountKind;

    /// How to reach the account.
    fn settings(&self) -> &ConfidenceAccountSpec;

    /// Who may use it; none for a kind that needs no grants.
    fn grants(&self) -> Option<&[Grant]>;

    /// Its name in metrics, logs and the work queue.
    fn account_name(&self) -> Arc<str> {
        let key = Key::of(self);
        name_of_object(Self::KIND, &key.namespace, &key.name)
    }
}

impl Watched for ConfidenceAccount {
    type Wire = Self;
}

impl Watched for ClusterConfidenceAccount {
    type Wire = Self;
}

impl Status for ConfidenceAccountStatus {
    fn observed_generation(&self) -> Option<i64> {
        self.observed_generation
    }
}

impl AccountObject for ConfidenceAccount {
    const KIND: AccountKind = AccountKind::ConfidenceAccount;

    fn settings(&self) -> &ConfidenceAccountSpec {
        &self.spec
    }

    fn grants(&self) -> Option<&[Grant]> {
        None
    }
}

impl AccountObject for ClusterConfidenceAccount {
    const KIND: AccountKind = AccountKind::ClusterConfidenceAccount;

    fn settings(&self) -> &ConfidenceAccountSpec {
        &self.spec.account
    }

    fn grants(&self) -> Option<&[Grant]> {
        Some(&self.spec.grants)
    }
}

/// A namespace as it is decoded: its name and its labels.
#[derive(Deserialize)]
pub struct NamespaceWire {
    metadata: ObjectMeta,
}

impl Watched for Namespace {
    type Wire = NamespaceWire;
}

impl From<NamespaceWire> for Namespace {
    fn from(NamespaceWire { metadata: read }: NamespaceWire) -> Self {
        let metadata = ObjectMeta {
            name: read.name,
            resource_version: read.resource_version,
            labels: read.labels,
            ..ObjectMeta::default()
        };
        Self { metadata, ..Self::default() }
    }
}
