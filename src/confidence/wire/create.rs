//! Writing creates.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::labels::Labels;
use super::{LabelsShape, SdkType};

/// A credential to be created. The server chooses its name and its secret, so it never holds one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCredential {
    /// The human friendly name.
    pub display_name: String,
    /// The environments; absent leaves them to the server.
    pub environments: Option<BTreeSet<String>>,
    /// All the labels.
    pub labels: BTreeMap<String, String>,
    /// The type of SDK; absent leaves it to the server.
    pub sdk_type: Option<SdkType>,
}

impl NewCredential {
    /// The JSON body.
    ///
    /// # Errors
    /// Never for a value of this type; the signature is `serde_json`'s.
    pub fn body(&self, shape: LabelsShape) -> Result<Vec<u8>, serde_json::Error> {
        let Self { display_name, environments, labels, sdk_type } = self;
        serde_json::to_vec(&Body {
            display_name,
            environments: environments.as_ref(),
            labels: (!labels.is_empty()).then_some(Labels { map: labels, shape }),
            sdk_type: sdk_type.as_ref().map(SdkType::as_str),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    display_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    environments: Option<&'a BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Labels<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdk_type: Option<&'a str>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn body_holds_what_is_given() {
        let body = |new: &NewCredential, shape| -> Value { serde_json::from_slice(&new.body(shape).unwrap()).unwrap() };
        let least = NewCredential {
            display_name: "Shop".to_owned(),
            environments: None,
            labels: BTreeMap::new(),
            sdk_type: None,
        };
        assert_eq!(body(&least, LabelsShape::Object), json!({"displayName": "Shop"}));
        let full = NewCredential {
            environments: Some(["environments/b", "environments/a"].map(String::from).into()),
            labels: [("team".to_owned(), "x".to_owned())].into(),
            sdk_type: Some(SdkType::Backend),
            ..least
        };
        let expected = json!({"displayName": "Shop", "environments": ["environments/a", "environments/b"],
                              "labels": {"team": "x"}, "sdkType": "BACKEND"});
        assert_eq!(body(&full, LabelsShape::Object), expected);
        assert_eq!(body(&full, LabelsShape::Array)["labels"], json!([{"team": "x"}]));
    }
}
