//! What to change, from what is asked for and what was seen. Pure: the same inputs give the same plan.
//!
//! Only managed fields that differ are in a plan, so a plan that is empty means that no call is made.

pub mod lifecycle;

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret, SecretString};

use crate::api::spec::DriftPolicy;
use crate::api::status::{Time, WrittenSecret};
use crate::confidence::wire::{ClientCredential, CredentialUpdate, Field, SdkType};

/// What a spec asks of a credential, with its references resolved. An option that is absent is not managed.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The human friendly name: always managed.
    pub display_name: String,
    /// The environments.
    pub environments: Option<BTreeSet<String>>,
    /// All the labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// The type of SDK.
    pub sdk_type: Option<SdkType>,
    /// The secret.
    pub client_secret: Option<DesiredSecret>,
}

/// A secret to be at Confidence, and which version of which Secret it is from.
#[derive(Clone, Debug)]
pub struct DesiredSecret {
    /// The secret itself.
    pub value: SecretString,
    /// The uid of the Secret.
    pub uid: String,
    /// The resourceVersion of the Secret.
    pub resource_version: String,
    /// The key within the Secret.
    pub key: String,
}

impl DesiredSecret {
    /// Whether this version is the one that was written.
    pub fn is_version(&self, written: &WrittenSecret) -> bool {
        (&self.uid, &self.resource_version, &self.key) == (&written.uid, &written.resource_version, &written.key)
    }

    /// The record of having written this version.
    pub fn written(&self, update_time: Option<Time>) -> WrittenSecret {
        WrittenSecret {
            uid: self.uid.clone(),
            resource_version: self.resource_version.clone(),
            key: self.key.clone(),
            update_time,
        }
    }
}

/// How the credential was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// By reading it.
    Read,
    /// By the answer to an update: its `updateTime` is our own doing and says nothing of others.
    Update,
}

/// What is known beyond the answer, which matters where the server withholds the secret.
#[derive(Clone, Copy, Debug)]
pub struct Knowledge<'a> {
    /// How the credential was looked at.
    pub look: Look,
    /// What to do about drift: under `Report`, a secret that was never compared is not called different.
    pub policy: DriftPolicy,
    /// The version of the Secret that was last written.
    pub written: Option<&'a WrittenSecret>,
    /// Whether the value is known to be the one last written, although the Secret's version moved.
    pub same_value: bool,
}

/// What differs, as the update that would mend it.
#[derive(Clone, Debug)]
pub struct Plan {
    update: CredentialUpdate,
}

impl Plan {
    /// The managed fields that differ.
    pub fn drift(&self) -> Vec<Field> {
        self.update.mask()
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.update.mask().is_empty()
    }

    /// The update that mends it; none where nothing differs.
    pub fn update(&self) -> Option<&CredentialUpdate> {
        (!self.is_empty()).then_some(&self.update)
    }
}

/// Compares what is asked for with what was seen.
pub fn plan(desired: &Desired, observed: &ClientCredential, knowledge: Knowledge<'_>) -> Plan {
    let secret = desired.client_secret.as_ref();
    let secret = secret.filter(|it| secret_differs(it, observed, knowledge));
    Plan {
        update: CredentialUpdate {
            display_name: desired.display_name.clone(),
            rename: desired.display_name != observed.display_name,
            environments: if_different(desired.environments.as_ref(), &observed.environments),
            labels: if_different(desired.labels.as_ref(), &observed.labels),
            sdk_type: if_different(desired.sdk_type.as_ref(), &observed.sdk_type),
            client_secret: secret.map(|it| it.value.clone()),
        },
    }
}

fn if_different<T: PartialEq + Clone>(desired: Option<&T>, observed: &T) -> Option<T> {
    desired.filter(|value| *value != observed).cloned()
}

/// A secret that the server tells is compared. One that it withholds differs when it was never written, when the
/// Secret changed since, or when somebody else wrote the credential since.
fn secret_differs(desired: &DesiredSecret, observed: &ClientCredential, knowledge: Knowledge<'_>) -> bool {
    if let Some(told) = &observed.client_secret {
        return told.expose_secret() != desired.value.expose_secret();
    }
    let may_write = knowledge.policy == DriftPolicy::Correct;
    let Some(written) = knowledge.written else { return may_write };
    if !desired.is_version(written) && !knowledge.same_value {
        return true;
    }
    may_write && knowledge.look == Look::Read && written_by_others(observed, written)
}

fn written_by_others(observed: &ClientCredential, written: &WrittenSecret) -> bool {
    match (observed.update_time, written.update_time) {
        (Some(now), Some(Time(then))) => now != then,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
