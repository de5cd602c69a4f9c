//! What a spec asks of a credential.

use std::collections::{BTreeMap, BTreeSet};

use super::DesiredSecret;
use crate::api::ConfidenceClientCredentialSpec;
use crate::api::spec::DriftPolicy;
use crate::confidence::wire::SdkType;

/// What a spec asks of a credential. An option that is absent is not managed.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The human friendly name: always managed.
    pub display_name: String,
    /// The environments.
    pub environments: Option<BTreeSet<String>>,
    /// All the labels, but for the operator's own.
    pub labels: Option<BTreeMap<String, String>>,
    /// The type of SDK.
    pub sdk_type: Option<SdkType>,
    /// The secret. A spec only refers to it: the caller reads the Secret and adds it.
    pub client_secret: Option<DesiredSecret>,
}

/// A spec with a value that this version of the operator cannot use. Displays as a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidSpec {
    field: &'static str,
    problem: String,
}

impl InvalidSpec {
    /// The field, as a path from the resource, and what is wrong with it.
    pub fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }
}

impl Desired {
    /// What the spec says by itself.
    ///
    /// # Errors
    /// When it has a value that the CRD allows and this version does not know.
    pub fn from_spec(spec: &ConfidenceClientCredentialSpec) -> Result<Self, InvalidSpec> {
        if let Some(Err(error)) = spec.own_interval() {
            return Err(InvalidSpec::new("spec.interval", error));
        }
        if spec.drift_policy == DriftPolicy::Unknown {
            return Err(unknown("spec.driftPolicy"));
        }
        let sdk_type = spec.sdk_type.map(|it| it.to_wire().ok_or_else(|| unknown("spec.sdkType"))).transpose()?;
        Ok(Self {
            display_name: spec.display_name.clone(),
            environments: spec.environment_set(),
            labels: spec.labels.clone(),
            sdk_type,
            client_secret: None,
        })
    }
}

fn unknown(field: &'static str) -> InvalidSpec {
    InvalidSpec::new(
        field,
        "this version of the operator does not know the value; upgrade the operator, or use another",
    )
}
