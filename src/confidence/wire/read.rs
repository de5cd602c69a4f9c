//! Reading answers.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;

use super::{LabelsShape, SdkType};
use crate::confidence::name::CredentialName;

/// A client credential as Confidence answers it (OpenAPI, `confidence.iam.v1.ClientCredential`).
#[derive(Clone, Debug)]
pub struct ClientCredential {
    /// The name in the answer, if it is one: a mock answers `string`, and then the name that was asked for stands.
    pub name: Option<CredentialName>,
    /// The human friendly name. The only field without which an answer is no credential.
    pub display_name: String,
    /// The secret. Documented to come back from create alone, seen on reads too; absent means not told, never empty.
    pub client_secret: Option<SecretString>,
    /// The environments, as the set that they are.
    pub environments: BTreeSet<String>,
    /// The labels, from whichever shape the answer had.
    pub labels: BTreeMap<String, String>,
    /// The shape that the labels had; none where the answer left them out.
    pub labels_shape: Option<LabelsShape>,
    /// The type of SDK.
    pub sdk_type: SdkType,
    /// When the credential was created.
    pub create_time: Option<Timestamp>,
    /// When anybody last wrote it.
    pub update_time: Option<Timestamp>,
    /// When it last resolved a flag; absent until it first does. An observation, never drift.
    pub last_seen_time: Option<Timestamp>,
    /// The identity that created it.
    pub creator: Option<String>,
    /// The identity that last wrote it.
    pub updater: Option<String>,
}

impl ClientCredential {
    /// Reads the answer to a GET or a PATCH.
    ///
    /// # Errors
    /// When the text is no JSON, or no credential.
    pub fn from_json(text: &[u8]) -> Result<Self, WireError> {
        Ok(serde_json::from_slice::<Raw>(text)?.into())
    }
}

/// One page of a LIST.
#[derive(Clone, Debug)]
pub struct ListPage {
    /// The credentials on the page, in no promised order.
    pub credentials: Vec<ClientCredential>,
    /// The token of the next page; none on the last.
    pub next_page_token: Option<String>,
}

impl ListPage {
    /// Reads the answer to a LIST.
    ///
    /// # Errors
    /// When the text is no JSON, or no page of credentials.
    pub fn from_json(text: &[u8]) -> Result<Self, WireError> {
        let raw: RawPage = serde_json::from_slice(text)?;
        Ok(Self {
            credentials: raw.client_credentials.unwrap_or_default().into_iter().map(Into::into).collect(),
            next_page_token: raw.next_page_token.filter(|token| !token.is_empty()),
        })
    }
}

/// An answer that is not what the API promises.
///
/// Says where it broke, never what stood there: the text may hold a secret.
#[derive(Debug, thiserror::Error)]
#[error("{what} at line {line}, column {column}")]
pub struct WireError {
    what: &'static str,
    line: usize,
    column: usize,
}

impl From<serde_json::Error> for WireError {
    fn from(error: serde_json::Error) -> Self {
        use serde_json::error::Category;
        let what = match error.classify() {
            Category::Data => "JSON, but not the shape of a credential,",
            Category::Eof => "JSON that ends too early",
            Category::Syntax | Category::Io => "not JSON",
        };
        Self { what, line: error.line(), column: error.column() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPage {
    client_credentials: Option<Vec<Raw>>,
    next_page_token: Option<String>,
}

/// `Option` throughout: `null` is what some proxies make of an absent value.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    name: Option<String>,
    display_name: String,
    client_secret: Option<RawSecret>,
    environments: Option<BTreeSet<String>>,
    labels: Option<RawLabels>,
    sdk_type: Option<String>,
    create_time: Option<RawTime>,
    update_time: Option<RawTime>,
    last_seen_time: Option<RawTime>,
    creator: Option<String>,
    updater: Option<String>,
}

#[derive(Deserialize)]
struct RawSecret {
    secret: Option<SecretString>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawLabels {
    Object(BTreeMap<String, String>),
    Array(Vec<BTreeMap<String, String>>),
}

/// A timestamp is an RFC 3339 string; a server generated from the OpenAPI, where it is rendered as an object, answers `{}`
/// or the fields of the protobuf, whose 64-bit seconds may come as a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawTime {
    Text(Timestamp),
    Fields { seconds: Option<RawSeconds>, nanos: Option<i32> },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawSeconds {
    Number(i64),
    Text(String),
}

impl RawTime {
    /// A time outside the calendar is no time, as `{}` is none: an observation is not worth failing a reconcile for.
    fn instant(self) -> Option<Timestamp> {
        match self {
            Self::Text(time) => Some(time),
            Self::Fields { seconds, nanos } => {
                let seconds = match seconds? {
                    RawSeconds::Number(number) => number,
                    RawSeconds::Text(text) => text.parse().ok()?,
                };
                Timestamp::new(seconds, nanos.unwrap_or(0)).ok()
            }
        }
    }
}

impl From<Raw> for ClientCredential {
    fn from(raw: Raw) -> Self {
        let (labels, labels_shape) = match raw.labels {
            None => (BTreeMap::new(), None),
            Some(RawLabels::Object(map)) => (map, Some(LabelsShape::Object)),
            Some(RawLabels::Array(maps)) => (maps.into_iter().flatten().collect(), Some(LabelsShape::Array)),
        };
        Self {
            name: raw.name.and_then(|name| name.parse().ok()),
            display_name: raw.display_name,
            client_secret: raw.client_secret.and_then(|it| it.secret).filter(is_told),
            environments: raw.environments.unwrap_or_default(),
            labels,
            labels_shape,
            sdk_type: raw.sdk_type.map(SdkType::from).unwrap_or_default(),
            create_time: raw.create_time.and_then(RawTime::instant),
            update_time: raw.update_time.and_then(RawTime::instant),
            last_seen_time: raw.last_seen_time.and_then(RawTime::instant),
            creator: raw.creator,
            updater: raw.updater,
        }
    }
}

/// Protobuf's JSON leaves empty strings out, and a server that withholds a secret may as well send it empty.
fn is_told(secret: &SecretString) -> bool {
    use secrecy::ExposeSecret;
    !secret.expose_secret().is_empty()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn read(text: &str) -> ClientCredential {
        ClientCredential::from_json(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_recorded_payload_is_read_whole() {
        let credential = read(
            r#"{"name":"clients/c/clientCredentials/k","displayName":"Web","clientSecret":{"secret":"s3cr3t"},
                "lastSeenTime":"2023-09-01T00:00:00.5Z","environments":["b","a","b"],"labels":{"team":"x"},
                "createTime":"2023-08-29T09:36:57.163017Z","updateTime":"2023-08-29T09:36:57.163017123Z",
                "creator":"identities/1","updater":"identities/2","sdkType":"BACKEND"}"#,
        );
        assert_eq!(credential.name.unwrap().to_string(), "clients/c/credentials/k");
        assert_eq!(credential.display_name, "Web");
        assert_eq!(credential.client_secret.unwrap().expose_secret(), "s3cr3t");
        assert_eq!(credential.environments, ["a", "b"].map(String::from).into());
        assert_eq!(credential.labels, [("team".to_owned(), "x".to_owned())].into());
        assert_eq!(credential.labels_shape, Some(LabelsShape::Object));
        assert_eq!(credential.sdk_type, SdkType::Backend);
        assert_eq!(credential.update_time.unwrap().to_string(), "2023-08-29T09:36:57.163017123Z");
        assert_eq!(credential.last_seen_time.unwrap().to_string(), "2023-09-01T00:00:00.5Z");
        assert_eq!(
            (credential.creator.as_deref(), credential.updater.as_deref()),
            (Some("identities/1"), Some("identities/2"))
        );
    }

    #[test]
    fn labels_as_an_array_are_the_union_of_its_maps() {
        let credential = read(r#"{"displayName":"x","labels":[{"a":"1"},{"b":"2"}]}"#);
        assert_eq!(credential.labels, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())].into());
        assert_eq!(credential.labels_shape, Some(LabelsShape::Array));
        assert_eq!(read(r#"{"displayName":"x","labels":[]}"#).labels_shape, Some(LabelsShape::Array));
    }

    #[test]
    fn timestamps_as_objects_are_read_and_the_empty_object_is_absent() {
        let credential = read(
            r#"{"displayName":"x","createTime":{},"updateTime":{"seconds":"1693301817","nanos":5},
                "lastSeenTime":{"seconds":1693301817}}"#,
        );
        assert_eq!(credential.create_time, None);
        assert_eq!(credential.update_time.unwrap(), Timestamp::new(1_693_301_817, 5).unwrap());
        assert_eq!(credential.last_seen_time.unwrap(), Timestamp::new(1_693_301_817, 0).unwrap());
    }

    #[test]
    fn what_no_one_knows_yet_breaks_nothing() {
        let credential = read(
            r#"{"displayName":"x","sdkType":"EDGE","newField":{"a":[1]},"name":"string","clientSecret":{"later":1},"labels":null}"#,
        );
        assert_eq!(credential.sdk_type, SdkType::Unknown("EDGE".to_owned()));
        assert_eq!(credential.name, None);
        assert!(credential.client_secret.is_none());
        assert_eq!(credential.labels_shape, None);
    }

    #[test]
    fn an_answer_that_is_no_credential_is_an_error_and_never_an_empty_credential() {
        for text in
            ["{}", "[]", "null", "\"x\"", "<html>", "{\"displayName\":", r#"{"displayName":"x","environments":"all"}"#]
        {
            assert!(ClientCredential::from_json(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_error_about_an_answer_repeats_nothing_of_it() {
        let error = ClientCredential::from_json(br#"{"displayName":"x","clientSecret":"hunter2"}"#).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn the_last_page_has_no_token_absent_or_empty() {
        let page = ListPage::from_json(br#"{"clientCredentials":[{"displayName":"x"}],"nextPageToken":"t"}"#).unwrap();
        assert_eq!((page.credentials.len(), page.next_page_token.as_deref()), (1, Some("t")));
        assert_eq!(ListPage::from_json(br#"{"nextPageToken":""}"#).unwrap().next_page_token, None);
        assert!(ListPage::from_json(b"{}").unwrap().credentials.is_empty());
    }
}
