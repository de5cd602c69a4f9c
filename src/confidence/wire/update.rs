//! Writing updates.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::labels::Labels;
use super::{Field, LabelsShape, SdkType};

/// One update of a credential: the fields to change and their new values.
///
/// The mask is derived from what is there, so a body with a field that the mask does not name cannot be built. The one
/// exception is the API's own: `displayName` is required in every body (OpenAPI, `required`), named or not.
#[derive(Clone, Debug)]
pub struct CredentialUpdate {
    /// In every body.
    pub display_name: String,
    /// Whether the mask names `display_name`.
    pub rename: bool,
    /// The environments, if they change; an empty set clears them.
    pub environments: Option<BTreeSet<String>>,
    /// All the labels, if they change; an empty map clears them.
    pub labels: Option<BTreeMap<String, String>>,
    /// The type of SDK, if it changes.
    pub sdk_type: Option<SdkType>,
    /// The secret, if it changes.
    pub client_secret: Option<SecretString>,
}

impl CredentialUpdate {
    /// An update that names nothing yet.
    pub fn nothing(display_name: String) -> Self {
        Self { display_name, rename: false, environments: None, labels: None, sdk_type: None, client_secret: None }
    }

    /// An update of `display_name` alone. Its answer is the whole credential, so it observes where reading is not offered.
    pub fn rename(display_name: String) -> Self {
        Self { rename: true, ..Self::nothing(display_name) }
    }

    /// The fields that the update names, in the order of [`Field::ALL`].
    pub fn mask(&self) -> Vec<Field> {
        Field::ALL.into_iter().filter(|field| self.names(*field)).collect()
    }

    /// Whether the update names a field.
    pub fn names(&self, field: Field) -> bool {
        match field {
            Field::DisplayName => self.rename,
            Field::Environments => self.environments.is_some(),
            Field::Labels => self.labels.is_some(),
            Field::SdkType => self.sdk_type.is_some(),
            Field::ClientSecret => self.client_secret.is_some(),
        }
    }

    /// Whether the update names `labels`, whose spelling depends on the server.
    pub fn names_labels(&self) -> bool {
        self.names(Field::Labels)
    }

    /// The value of the `updateMask` query parameter: comma-separated paths.
    pub fn update_mask(&self) -> String {
        self.mask().into_iter().map(Field::mask_path).collect::<Vec<_>>().join(",")
    }

    /// The JSON body.
    ///
    /// # Errors
    /// Never for a value of this type; the signature is `serde_json`'s.
    pub fn body(&self, labels: LabelsShape) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Body {
            display_name: &self.display_name,
            client_secret: self.client_secret.as_ref().map(|secret| Secret { secret: secret.expose_secret() }),
            environments: self.environments.as_ref(),
            labels: self.labels.as_ref().map(|map| Labels { map, shape: labels }),
            sdk_type: self.sdk_type.as_ref().map(SdkType::as_str),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    display_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<Secret<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environments: Option<&'a BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Labels<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdk_type: Option<&'a str>,
}

#[derive(Serialize)]
struct Secret<'a> {
    secret: &'a str,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn body(update: &CredentialUpdate, shape: LabelsShape) -> Value {
        serde_json::from_slice(&update.body(shape).unwrap()).unwrap()
    }

    fn full() -> CredentialUpdate {
        CredentialUpdate {
            display_name: "Web".to_owned(),
            rename: true,
            environments: Some(["b", "a"].map(String::from).into()),
            labels: Some([("team".to_owned(), "x".to_owned()), ("tier".to_owned(), "1".to_owned())].into()),
            sdk_type: Some(SdkType::Frontend),
            client_secret: Some("s3cr3t".into()),
        }
    }

    #[test]
    fn mask_is_snake_case_and_comma_separated() {
        assert_eq!(full().update_mask(), "display_name,environments,labels,sdk_type,client_secret");
        assert_eq!(CredentialUpdate::rename("x".to_owned()).update_mask(), "display_name");
        assert_eq!(CredentialUpdate::nothing("x".to_owned()).update_mask(), "");
    }

    #[test]
    fn body_spells_labels_as_the_server_does() {
        let object = body(&full(), LabelsShape::Object);
        assert_eq!(
            object,
            json!({"displayName": "Web", "environments": ["a", "b"], "labels": {"team": "x", "tier": "1"},
                   "sdkType": "FRONTEND", "clientSecret": {"secret": "s3cr3t"}})
        );
        assert_eq!(body(&full(), LabelsShape::Array)["labels"], json!([{"team": "x", "tier": "1"}]));
    }

    #[test]
    fn clearing_sends_the_empty_value() {
        let update = CredentialUpdate {
            environments: Some(BTreeSet::new()),
            labels: Some(BTreeMap::new()),
            ..CredentialUpdate::nothing("x".to_owned())
        };
        assert_eq!(update.update_mask(), "environments,labels");
        assert_eq!(body(&update, LabelsShape::Object), json!({"displayName": "x", "environments": [], "labels": {}}));
        assert_eq!(body(&update, LabelsShape::Array), json!({"displayName": "x", "environments": [], "labels": []}));
    }

    #[test]
    fn body_holds_only_display_name_and_masked_fields() {
        let update =
            CredentialUpdate { sdk_type: Some(SdkType::Unspecified), ..CredentialUpdate::nothing("x".to_owned()) };
        assert_eq!(body(&update, LabelsShape::Object), json!({"displayName": "x", "sdkType": "SDK_TYPE_UNSPECIFIED"}));
    }

    #[test]
    fn debug_shows_no_secret() {
        assert!(!format!("{:?}", full()).contains("s3cr3t"));
    }
}
