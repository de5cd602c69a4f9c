//! One object of a list or a watch, decoded by itself: what is wrong with it spoils nothing else.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::engine::key::Key;

/// An object of a list or a watch.
#[derive(Debug)]
pub(super) struct Item<T> {
    pub(super) key: Key,
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
    resource_version: String,
}

impl<T: DeserializeOwned> Item<T> {
    /// Decodes an object. Its name and version are read apart from the rest, so that they are known of any object.
    pub(super) fn decode(raw: &RawValue) -> Self {
        // Without metadata it is no object; it is reported under an empty name.
        let Identity { metadata } = serde_json::from_str(raw.get()).unwrap_or_default();
        Self {
            key: Key::new(&metadata.namespace, &metadata.name),
            version: metadata.resource_version,
            object: serde_json::from_str(raw.get()).map_err(|error| error.to_string()),
        }
    }
}
