//! The plan for an existing credential: the smallest update that brings it in line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use super::{Desired, Method, Observation, SecretKnowledge, SecretState};
use crate::api::OWN_LABEL_PREFIX;
use crate::api::spec::DriftPolicy;
use crate::confidence::wire::{ClientCredential, CredentialUpdate, Field};

/// What an observation asks for.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Every managed field is as the spec says: no call.
    InSync,
    /// One update brings the credential in line.
    Update(PlannedUpdate),
    /// Something differs, but the observation is too old to write from: where the secret is withheld, `updateTime` alone tells
    /// that somebody else wrote it, and our own write would move that.
    NeedsFreshRead,
}

/// An update, with what it changes.
#[derive(Clone, Debug)]
pub struct PlannedUpdate {
    request: CredentialUpdate,
    changes: Vec<FieldChange>,
}

/// A field that differs, for a person: from what to what. The values of a secret are hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// The field.
    pub field: Field,
    /// What Confidence has.
    pub from: String,
    /// What the spec asks for.
    pub to: String,
    /// Whether the field was seen to differ. A withheld secret is only suspected to.
    pub is_certain: bool,
    /// Whether the user's own change of the Secret may explain it.
    pub is_own: bool,
}

/// What stands in place of a secret.
const HIDDEN: &str = "(hidden)";

/// What stands in place of an empty value.
const EMPTY: &str = "(empty)";

impl Plan {
    /// The managed fields that differ; none in sync.
    pub fn changes(&self) -> &[FieldChange] {
        match self {
            Self::Update(update) => &update.changes,
            Self::InSync | Self::NeedsFreshRead => &[],
        }
    }

    /// The fields that differ, in the order of the update mask.
    pub fn fields(&self) -> Vec<Field> {
        self.changes().iter().map(|change| change.field).collect()
    }
}

impl PlannedUpdate {
    /// The update to send.
    pub fn request(&self) -> &CredentialUpdate {
        &self.request
    }

    /// Whether it changes a field.
    pub fn names(&self, field: Field) -> bool {
        self.request.names(field)
    }
}

/// Compares what is asked for with what was observed.
pub fn plan(desired: &Desired, observed: &Observation, known: &SecretKnowledge, policy: DriftPolicy) -> Plan {
    let secret = desired.client_secret.as_ref();
    let state = secret.map_or(SecretState::InSync, |secret| secret.state(observed, known, policy));
    let request = request(desired, &observed.credential, state);
    if request.mask().is_empty() {
        return Plan::InSync;
    }
    let is_secret_kept =
        secret.is_some() && policy == DriftPolicy::Correct && observed.credential.client_secret.is_none();
    if is_secret_kept && observed.method == Method::Cached && !request.names(Field::ClientSecret) {
        return Plan::NeedsFreshRead;
    }
    let is_rotated = secret.is_some_and(|secret| secret.is_rotated(known));
    let changes = request.mask().into_iter().map(|field| FieldChange {
        is_certain: field != Field::ClientSecret || state == SecretState::Differs,
        is_own: field == Field::ClientSecret && is_rotated,
        ..change(field, &observed.credential, &request)
    });
    let changes = changes.collect();
    Plan::Update(PlannedUpdate { request, changes })
}

/// Only managed fields that differ are in the request.
fn request(desired: &Desired, observed: &ClientCredential, secret: SecretState) -> CredentialUpdate {
    let labels = desired.labels.as_ref().map(|labels| with_own_labels(labels, observed));
    CredentialUpdate {
        display_name: desired.display_name.clone(),
        rename: desired.display_name != observed.display_name,
        environments: if_different(desired.environments.as_ref(), &observed.environments),
        labels: if_different(labels.as_ref(), &observed.labels),
        sdk_type: if_different(desired.sdk_type.as_ref(), &observed.sdk_type),
        client_secret: desired.client_secret.as_ref().filter(|_| secret.needs_write()).map(|it| it.value.clone()),
    }
}

fn if_different<T: PartialEq + Clone>(desired: Option<&T>, observed: &T) -> Option<T> {
    desired.filter(|value| *value != observed).cloned()
}

/// The operator's own labels are never drift: an update carries them through.
fn with_own_labels(desired: &BTreeMap<String, String>, observed: &ClientCredential) -> BTreeMap<String, String> {
    let own = observed.labels.iter().filter(|(key, _)| key.starts_with(OWN_LABEL_PREFIX));
    let asked = desired.iter().filter(|(key, _)| !key.starts_with(OWN_LABEL_PREFIX));
    asked.chain(own).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn change(field: Field, observed: &ClientCredential, request: &CredentialUpdate) -> FieldChange {
    let (from, to) = match field {
        Field::DisplayName => (observed.display_name.clone(), request.display_name.clone()),
        Field::Environments => {
            (set(&observed.environments), request.environments.as_ref().map(set).unwrap_or_default())
        }
        Field::Labels => (map(&observed.labels), request.labels.as_ref().map(map).unwrap_or_default()),
        Field::SdkType => {
            let to = request.sdk_type.as_ref().map(|it| it.as_str().to_owned());
            (observed.sdk_type.as_str().to_owned(), to.unwrap_or_default())
        }
        Field::ClientSecret => (HIDDEN.to_owned(), HIDDEN.to_owned()),
    };
    FieldChange { field, from, to, is_certain: true, is_own: false }
}

fn set(values: &BTreeSet<String>) -> String {
    joined(values.iter())
}

fn map(values: &BTreeMap<String, String>) -> String {
    joined(values.iter().map(|(key, value)| format!("{key}={value}")))
}

fn joined(values: impl Iterator<Item = impl Display>) -> String {
    let text = values.map(|it| it.to_string()).collect::<Vec<_>>().join(", ");
    if text.is_empty() { EMPTY.to_owned() } else { text }
}

impl Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} → {}", self.field.json_name(), self.from, self.to)
    }
}
