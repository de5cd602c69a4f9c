//! What the operator would do about one resource. Pure.

use kube::ResourceExt;
use serde::Serialize;

use super::next::{NextStep, next_steps};
use crate::api::ConfidenceClientCredential;
use crate::cli::plugin::error::confidence_sentence;
use crate::confidence::name::CredentialName;
use crate::confidence::wire::ClientCredential;
use crate::confidence::{Cause, Error};
use crate::credential::Outlook;
use crate::plan::{Desired, DesiredSecret, FieldChange, Observation, Plan, SecretKnowledge, plan};

/// What a plan is made from, beside the resource.
pub(super) struct Inputs {
    /// What reading the credential came to; none where there is none to read.
    pub(super) observed: Option<Result<ClientCredential, Error>>,
    /// What reading the Secret of `spec.clientSecret` came to; none where the spec names none.
    pub(super) client_secret: Option<Result<DesiredSecret, String>>,
    /// What comes next in the life of a created credential, none for another; or why that cannot be told.
    pub(super) next: Result<Option<Outlook>, String>,
}

/// What the operator would do about a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourcePlan {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) credential: Option<String>,
    /// The update mask of the PATCH; empty for none.
    pub(super) update_mask: String,
    /// The fields that differ.
    pub(super) changes: Vec<Change>,
    /// What else is to come, in words.
    pub(super) next: Vec<NextStep>,
    /// Why it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    pub(super) field: &'static str,
    pub(super) from: String,
    pub(super) to: String,
    /// Whether the field was seen to differ. A withheld secret is only suspected to.
    pub(super) certain: bool,
}

impl From<&FieldChange> for Change {
    fn from(change: &FieldChange) -> Self {
        Self {
            field: change.field.json_name(),
            from: change.from.clone(),
            to: change.to.clone(),
            certain: change.is_certain,
        }
    }
}

/// The credential that a resource manages now: the one that its spec names, or the one that was created for it.
pub(super) fn planned_name(resource: &ConfidenceClientCredential) -> Option<CredentialName> {
    let created = || resource.status.as_ref()?.name.as_deref();
    let name = if resource.spec.client.is_some() { created() } else { resource.spec.name.as_deref() };
    name?.parse().ok()
}

impl ResourcePlan {
    /// What the operator would do about a resource.
    pub(super) fn new(resource: &ConfidenceClientCredential, inputs: Inputs) -> Self {
        let mut this = Self {
            namespace: resource.namespace(),
            name: resource.name_any(),
            credential: planned_name(resource).map(|name| name.to_string()),
            ..Self::default()
        };
        let Inputs { observed, client_secret, next } = inputs;
        let next = match next {
            Ok(next) => next,
            Err(problem) => return Self { problem: Some(problem), ..this },
        };
        match fields(resource, observed, client_secret) {
            Ok(Some(Plan::Update(update))) if next.as_ref().is_none_or(|it| it.corrects) => {
                this.update_mask = update.request().update_mask();
                this.changes = Plan::Update(update).changes().iter().map(Change::from).collect();
            }
            Ok(_) => {}
            Err(problem) => this.problem = Some(problem),
        }
        if this.problem.is_none() {
            this.next = next_steps(resource, !this.changes.is_empty(), next.map(|it| it.upcoming).as_ref());
        }
        this
    }

    /// Whether anything would change, if nothing forbade it.
    pub(super) fn has_differences(&self) -> bool {
        !self.changes.is_empty() || self.next.iter().any(|step| step.is_change)
    }
}

/// The fields that differ; none where there is no credential to compare with, which is not a problem in create mode.
fn fields(
    resource: &ConfidenceClientCredential,
    observed: Option<Result<ClientCredential, Error>>,
    client_secret: Option<Result<DesiredSecret, String>>,
) -> Result<Option<Plan>, String> {
    let spec = &resource.spec;
    let mut desired = Desired::from_spec(spec).map_err(|error| error.to_string())?;
    desired.client_secret = client_secret.transpose()?;
    let credential = match observed {
        Some(Ok(credential)) => credential,
        None if spec.client.is_some() => return Ok(None),
        Some(Err(error)) if spec.client.is_some() && error.cause() == Cause::NotFound => return Ok(None),
        Some(Err(error)) => return Err(confidence_sentence(&error)),
        None => return Err("spec.name is not the name of a credential".to_owned()),
    };
    let status = resource.status.clone().unwrap_or_default();
    let known =
        SecretKnowledge { record: status.observed_secret, updater: status.updater, ..SecretKnowledge::default() };
    Ok(Some(plan(&desired, &Observation::read(credential), &known, spec.drift_policy)))
}
