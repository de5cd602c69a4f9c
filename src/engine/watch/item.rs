//! One object of a list or a watch, decoded by itself: what is wrong with it spoils nothing else.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::engine::key::Key;

/// An object of a list or a watch.
#[derive(Debug)]
pub(super) struct Item<T> {
    pub(super) key: Key,
    pub(super) uid: String,
    pub(super) version: String,
    /// The object, or why it cannot be decoded.
    pub(super) object: Result<T, String>,
}

#[derive(Default, Deserialize)]
struct Identity {
    metadata: IdentityMetadata,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct IdentityMetadata {
    name: String,
    namespace: String,
    uid: String,
    resource_version: String,
}

impl<T: DeserializeOwned> Item<T> {
    /// Decodes an object. Its name and version are read apart from the rest, so that they are known of any object.
    pub(super) fn decode(raw: &RawValue) -> Self {
        // Without metadata it is no object; it is reported under an empty name.
        let Identity { metadata } = serde_json::from_str(raw.get()).unwrap_or_default();
        Self {
            key: Key::new(&metadata.namespace, &metadata.name),
            uid: metadata.uid,
            version: metadata.resource_version,
            object: serde_json::from_str(raw.get()).map_err(|_| reason::<T>(raw)),
        }
    }
}

/// Where and why an object cannot be decoded. Its values are left out: somebody may have put a secret into a wrong place.
fn reason<T: DeserializeOwned>(raw: &RawValue) -> String {
    let decoder = &mut serde_json::Deserializer::from_str(raw.get());
    let Err(error) = serde_path_to_error::deserialize::<_, T>(decoder) else { return String::new() };
    let (path, words) = (error.path().to_string(), error.inner().to_string());
    let words = words.rsplit_once(" at line ").map_or(words.as_str(), |(words, _)| words);
    match words.rsplit_once(", expected ") {
        Some((_, expected)) => format!("{path}: expected {expected}"),
        None if words.starts_with("missing field ") => format!("{path}: {words}"),
        None => format!("{path}: not a value that is allowed there"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[allow(dead_code)] // decoded alone
    struct Widget {
        spec: Spec,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[allow(dead_code)] // decoded alone
    struct Spec {
        display_name: String,
        #[serde(default)]
        environments: Vec<String>,
        #[serde(default)]
        suspend: bool,
        secret_ref: Option<std::collections::BTreeMap<String, String>>,
        mode: Option<Mode>,
    }

    #[derive(Debug, Deserialize)]
    enum Mode {
        Report,
    }

    /// The words lead a person to the field, and repeat no value: not even that of a secret that stands in a wrong place.
    #[test]
    fn undecodable_object_is_explained_without_values() {
        let why = |spec: &str| {
            let text = format!(r#"{{"metadata": {{"name": "a"}}, "spec": {spec}}}"#);
            let raw: Box<RawValue> = serde_json::from_str(&text).unwrap();
            Item::<Widget>::decode(&raw).object.unwrap_err()
        };
        for (spec, expected) in [
            (r#"{"displayName": "x", "environments": "production"}"#, "spec.environments: expected a sequence"),
            (r#"{"name": "x"}"#, "spec: missing field `displayName`"),
            (r#"{"displayName": {"hunter2": 1}}"#, "spec.displayName: expected a string"),
            (r#"{"displayName": "x", "secretRef": "hunter2, expected"}"#, "spec.secretRef: expected a map"),
            (r#"{"displayName": "x", "mode": "hunter2"}"#, "spec.mode: expected `Report`"),
            (r#"{"displayName": "x", "suspend": "hunter2"}"#, "spec.suspend: expected a boolean"),
        ] {
            let why = why(spec);
            assert!(why.starts_with(expected) && !why.contains("hunter2"), "{why}");
        }
    }
}
