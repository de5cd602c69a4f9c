//! Reading credentials.
//!
//! Only what a reconcile needs is required. A field that cannot be read and is not needed counts as absent.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::time::RawTime;
use super::{LabelsShape, SdkType, WireError};
use crate::confidence::name::CredentialName;

/// A client credential as Confidence answers it (OpenAPI, `confidence.iam.v1.ClientCredential`).
#[derive(Clone, Debug)]
pub struct ClientCredential {
    /// The name in the answer, if it is one: a mock answers `string`, and then the name that was asked for stands.
    pub name: Option<CredentialName>,
    /// The human friendly name. Protobuf's JSON leaves an empty one out.
    pub display_name: String,
    /// The secret. Documented to come back from create alone, seen on reads too; absent means withheld, never empty.
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
    /// Reads the answer to a GET, a PATCH or a POST.
    ///
    /// # Errors
    /// When the text is no JSON, or no credential.
    pub fn from_json(text: &[u8]) -> Result<Self, WireError> {
        serde_json::from_slice::<RawCredential>(text)?.read()
    }
}

/// A credential on the wire. `Option` throughout: `null` is what some proxies make of an absent value.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawCredential {
    name: Option<Lenient<String>>,
    display_name: Option<String>,
    client_secret: Option<RawSecret>,
    /// One page of the documentation shows the secret of a create here.
    secret: Option<Lenient<SecretString>>,
    environments: Option<Vec<Lenient<String>>>,
    labels: Option<RawLabels>,
    sdk_type: Option<RawSdkType>,
    create_time: Option<RawTime>,
    update_time: Option<RawTime>,
    last_seen_time: Option<RawTime>,
    creator: Option<Lenient<String>>,
    updater: Option<Lenient<String>>,
}

/// A value of one type; any other counts as absent.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Lenient<T> {
    Value(T),
    Other(IgnoredAny),
}

impl<T> Lenient<T> {
    pub(super) fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Other(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct RawSecret {
    secret: Option<SecretString>,
}

type RawLabelMap = BTreeMap<String, Lenient<String>>;

#[derive(Deserialize)]
#[serde(untagged)]
enum RawLabels {
    Object(RawLabelMap),
    Array(Vec<RawLabelMap>),
}

impl RawLabels {
    fn read(self) -> (BTreeMap<String, String>, LabelsShape) {
        let (maps, shape) = match self {
            Self::Object(map) => (vec![map], LabelsShape::Object),
            Self::Array(maps) => (maps, LabelsShape::Array),
        };
        let labels = maps.into_iter().flatten().filter_map(|(key, value)| Some((key, value.value()?)));
        (labels.collect(), shape)
    }
}

/// Protobuf's JSON writes the number of a value that it has no name for.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawSdkType {
    Name(String),
    Number(i64),
    Other(IgnoredAny),
}

impl From<RawSdkType> for SdkType {
    fn from(raw: RawSdkType) -> Self {
        match raw {
            RawSdkType::Name(name) => Self::from(name),
            RawSdkType::Number(0) | RawSdkType::Other(_) => Self::Unspecified,
            RawSdkType::Number(number) => Self::Unknown(number.to_string()),
        }
    }
}

impl RawCredential {
    /// An answer is a credential if it has a display name or the name of a credential.
    pub(super) fn read(self) -> Result<ClientCredential, WireError> {
        let name = self.name.and_then(Lenient::value).and_then(|name| name.parse::<CredentialName>().ok());
        if name.is_none() && self.display_name.is_none() {
            return Err(WireError::Missing("name and displayName"));
        }
        let (labels, labels_shape) = self.labels.map(RawLabels::read).unzip();
        let secret = self.client_secret.and_then(|it| it.secret).filter(is_returned);
        Ok(ClientCredential {
            name,
            display_name: self.display_name.unwrap_or_default(),
            client_secret: secret.or_else(|| self.secret.and_then(Lenient::value).filter(is_returned)),
            environments: self.environments.into_iter().flatten().filter_map(Lenient::value).collect(),
            labels: labels.unwrap_or_default(),
            labels_shape,
            sdk_type: self.sdk_type.map(SdkType::from).unwrap_or_default(),
            create_time: self.create_time.and_then(RawTime::timestamp),
            update_time: self.update_time.and_then(RawTime::timestamp),
            last_seen_time: self.last_seen_time.and_then(RawTime::timestamp),
            creator: self.creator.and_then(Lenient::value),
            updater: self.updater.and_then(Lenient::value),
        })
    }
}

/// Protobuf's JSON leaves empty strings out, and a server that withholds a secret may as well send an empty one.
fn is_returned(secret: &SecretString) -> bool {
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
    fn recorded_payload_is_read_whole() {
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
    fn array_of_labels_is_the_union_of_maps() {
        let credential = read(r#"{"displayName":"x","labels":[{"a":"1"},{"b":"2"}]}"#);
        assert_eq!(credential.labels, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())].into());
        assert_eq!(credential.labels_shape, Some(LabelsShape::Array));
        assert_eq!(read(r#"{"displayName":"x","labels":[]}"#).labels_shape, Some(LabelsShape::Array));
    }

    #[test]
    fn timestamps_as_objects_are_read() {
        let credential = read(
            r#"{"displayName":"x","createTime":{},"updateTime":{"seconds":"1693301817","nanos":5},
                "lastSeenTime":{"seconds":1693301817}}"#,
        );
        assert_eq!(credential.create_time, None);
        assert_eq!(credential.update_time.unwrap(), Timestamp::new(1_693_301_817, 5).unwrap());
        assert_eq!(credential.last_seen_time.unwrap(), Timestamp::new(1_693_301_817, 0).unwrap());
    }

    #[test]
    fn unknown_fields_and_values_break_nothing() {
        let credential = read(
            r#"{"displayName":"x","sdkType":"EDGE","newField":{"a":[1]},"name":"string","clientSecret":{"later":1},"labels":null}"#,
        );
        assert_eq!(credential.sdk_type, SdkType::Unknown("EDGE".to_owned()));
        assert_eq!(credential.name, None);
        assert!(credential.client_secret.is_none());
        assert_eq!(credential.labels_shape, None);
    }

    #[test]
    fn other_answers_are_errors_and_no_empty_credential() {
        for text in
            ["{}", "[]", "null", "\"x\"", "<html>", "{\"displayName\":", r#"{"displayName":"x","environments":"all"}"#]
        {
            assert!(ClientCredential::from_json(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn error_repeats_nothing_of_the_answer() {
        let error = ClientCredential::from_json(br#"{"displayName":"x","clientSecret":"hunter2"}"#).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    /// None of these is needed, so none of them costs the reconcile.
    #[test]
    fn odd_values_of_other_fields_are_absent() {
        let credential = read(
            r#"{"displayName":"x","labels":{"a":"1","b":null,"c":7},"environments":["e",null,{}],"sdkType":7,"name":3,
                "createTime":"2026-01-01T00:00:00+99:99","updateTime":"2026-01-01T00:00:00.1234567890Z",
                "lastSeenTime":"","creator":{},"updater":[1]}"#,
        );
        assert_eq!(credential.labels, [("a".to_owned(), "1".to_owned())].into());
        assert_eq!(credential.environments, ["e".to_owned()].into());
        assert_eq!(credential.sdk_type, SdkType::Unknown("7".to_owned()));
        assert_eq!((credential.create_time, credential.update_time, credential.last_seen_time), (None, None, None));
        assert_eq!((credential.creator, credential.updater), (None, None));
    }

    /// Protobuf's JSON leaves an empty display name out.
    #[test]
    fn named_answer_without_display_name_is_a_credential() {
        for text in
            [r#"{"name":"clients/c/credentials/k"}"#, r#"{"name":"clients/c/credentials/k","displayName":null}"#]
        {
            assert_eq!(read(text).display_name, "");
        }
    }

    #[test]
    fn secret_of_a_create_is_read_from_either_place() {
        for text in [
            r#"{"displayName":"x","clientSecret":{"secret":"s3cr3t"},"secret":"other"}"#,
            r#"{"displayName":"x","clientSecret":{},"secret":"s3cr3t"}"#,
            r#"{"displayName":"x","secret":"s3cr3t"}"#,
        ] {
            assert_eq!(read(text).client_secret.unwrap().expose_secret(), "s3cr3t", "{text}");
        }
        assert!(read(r#"{"displayName":"x","secret":{"secret":""}}"#).client_secret.is_none());
    }
}
