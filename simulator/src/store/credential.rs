//! One credential, and what an update does to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Field;

/// A credential as it is kept. Its serde form is that of state files and of the admin API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Credential {
    /// The human friendly name.
    pub display_name: String,
    /// The environments, in the order in which they were written.
    pub environments: Vec<String>,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The type of SDK: empty for unspecified; any text, so that one of the future can be put in.
    pub sdk_type: String,
    /// The secret; empty for none.
    pub secret: String,
    /// When it was created; nothing until it is put in.
    pub create_time: Option<Timestamp>,
    /// When it was last written; nothing until it is put in.
    pub update_time: Option<Timestamp>,
    /// When it last resolved a flag.
    pub last_seen_time: Option<Timestamp>,
    /// Who created it.
    pub creator: String,
    /// Who last wrote it.
    pub updater: String,
}

/// What a body says about a credential. `None`: it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestedFields {
    /// `displayName`, which every body has.
    pub display_name: String,
    /// `environments`.
    pub environments: Option<Vec<String>>,
    /// `labels`.
    pub labels: Option<BTreeMap<String, String>>,
    /// `sdkType`.
    pub sdk_type: Option<String>,
    /// `clientSecret.secret`.
    pub secret: Option<String>,
}

impl RequestedFields {
    /// The fields that the body says something about.
    pub fn fields(&self) -> Vec<Field> {
        Field::ALL.into_iter().filter(|field| self.says(*field)).collect()
    }

    fn says(&self, field: Field) -> bool {
        match field {
            Field::DisplayName => true,
            Field::Environments => self.environments.is_some(),
            Field::Labels => self.labels.is_some(),
            Field::SdkType => self.sdk_type.is_some(),
            Field::ClientSecret => self.secret.is_some(),
        }
    }
}

impl Credential {
    /// A credential with nothing but a display name.
    pub fn named(display_name: impl Into<String>) -> Self {
        Self { display_name: display_name.into(), ..Self::default() }
    }

    /// Writes fields. One that the requested says nothing about is cleared, as protobuf's field masks have it (AIP-134).
    /// Tells whether any value changed.
    pub fn update(&mut self, fields: &[Field], requested: &RequestedFields) -> bool {
        let before = self.clone();
        for field in fields {
            match field {
                Field::DisplayName => self.display_name.clone_from(&requested.display_name),
                Field::Environments => self.environments = requested.environments.clone().unwrap_or_default(),
                Field::Labels => self.labels = requested.labels.clone().unwrap_or_default(),
                Field::SdkType => self.sdk_type = requested.sdk_type.clone().unwrap_or_default(),
                Field::ClientSecret => self.secret = requested.secret.clone().unwrap_or_default(),
            }
        }
        *self != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Credential {
        Credential {
            environments: vec!["production".into()],
            labels: BTreeMap::from([("team".into(), "checkout".into())]),
            secret: "s3".into(),
            sdk_type: "BACKEND".into(),
            ..Credential::named("Old")
        }
    }

    /// The mask names one field; the body has others.
    #[test]
    fn only_named_fields_change() {
        let mut credential = full();
        let requested =
            RequestedFields { display_name: "New".into(), environments: Some(vec![]), ..RequestedFields::default() };
        assert!(credential.update(&[Field::Environments], &requested));
        assert_eq!(credential, Credential { environments: vec![], ..full() });
    }

    /// The mask names all; the body has the display name alone.
    #[test]
    fn named_field_without_value_is_cleared() {
        let mut credential = full();
        let requested = RequestedFields { display_name: "New".into(), ..RequestedFields::default() };
        assert!(credential.update(&Field::ALL, &requested));
        assert_eq!(credential, Credential::named("New"));
    }

    /// The values are those that are there.
    #[test]
    fn writing_the_same_changes_nothing() {
        let mut credential = full();
        let requested = RequestedFields {
            display_name: "Old".into(),
            sdk_type: Some("BACKEND".into()),
            ..RequestedFields::default()
        };
        assert!(!credential.update(&[Field::DisplayName, Field::SdkType], &requested));
    }
}
