//! A credential in little room: what is kept of each, for as long as its resource exists.
//!
//! A node of a `BTreeMap` has room for eleven entries whatever it holds, and most credentials have one or two labels: for
//! ten thousand of them that is 8 MiB of nothing. So maps and sets are kept as sorted slices, and read back by a pass.

use jiff::Timestamp;

use crate::confidence::name::CredentialName;
use crate::confidence::wire::{ClientCredential, SdkType};

/// A credential without its secret, which is not kept.
#[derive(Clone, Debug)]
pub(in crate::credential) struct CompactCredential {
    name: Option<CredentialName>,
    display_name: Box<str>,
    environments: Box<[Box<str>]>,
    labels: Box<[(Box<str>, Box<str>)]>,
    sdk_type: SdkType,
    create_time: Option<Timestamp>,
    pub(in crate::credential::observations) update_time: Option<Timestamp>,
    last_seen_time: Option<Timestamp>,
    creator: Option<Box<str>>,
    updater: Option<Box<str>>,
}

impl CompactCredential {
    /// Whether this is what is kept of a credential.
    pub(in crate::credential) fn is_as(&self, credential: &ClientCredential) -> bool {
        // In full, so that a new field cannot be forgotten here.
        let Self {
            name,
            display_name,
            environments,
            labels,
            sdk_type,
            create_time,
            update_time,
            last_seen_time,
            creator,
            updater,
        } = self;
        *name == credential.name
            && **display_name == *credential.display_name
            && *update_time == credential.update_time
            && *last_seen_time == credential.last_seen_time
            && environments.iter().map(|it| &**it).eq(credential.environments.iter().map(String::as_str))
            && labels.iter().map(|(k, v)| (&**k, &**v)).eq(credential.labels.iter().map(|(k, v)| (&**k, &**v)))
            && *sdk_type == credential.sdk_type
            && *create_time == credential.create_time
            && creator.as_deref() == credential.creator.as_deref()
            && updater.as_deref() == credential.updater.as_deref()
    }

    /// The credential.
    pub(in crate::credential) fn credential(&self) -> ClientCredential {
        ClientCredential {
            name: self.name.clone(),
            display_name: self.display_name.to_string(),
            client_secret: None,
            environments: self.environments.iter().map(ToString::to_string).collect(),
            labels: self.labels.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            labels_shape: None,
            sdk_type: self.sdk_type.clone(),
            create_time: self.create_time,
            update_time: self.update_time,
            last_seen_time: self.last_seen_time,
            creator: self.creator.as_ref().map(ToString::to_string),
            updater: self.updater.as_ref().map(ToString::to_string),
        }
    }
}

impl From<ClientCredential> for CompactCredential {
    fn from(credential: ClientCredential) -> Self {
        Self {
            name: credential.name,
            display_name: credential.display_name.into(),
            environments: credential.environments.into_iter().map(Into::into).collect(),
            labels: credential.labels.into_iter().map(|(k, v)| (k.into(), v.into())).collect(),
            sdk_type: credential.sdk_type,
            create_time: credential.create_time,
            update_time: credential.update_time,
            last_seen_time: credential.last_seen_time,
            creator: credential.creator.map(Into::into),
            updater: credential.updater.map(Into::into),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn credential(field: &str, value: Value) -> ClientCredential {
        let mut json = json!({
            "name": "clients/c/credentials/k", "displayName": "Web", "environments": ["b", "a"], "labels": {"team": "x", "tier": "1"}, "sdkType": "BACKEND",
            "createTime": "2023-08-29T09:36:57Z", "updateTime": "2023-08-30T09:36:57.5Z",
            "lastSeenTime": "2023-09-01T00:00:00Z", "creator": "identities/1", "updater": "identities/2",
        });
        json[field] = value;
        ClientCredential::from_json(json.to_string().as_bytes()).unwrap()
    }

    fn whole() -> ClientCredential {
        credential("displayName", json!("Web"))
    }

    #[test]
    fn what_is_kept_is_the_whole_credential_but_its_secret() {
        let kept = CompactCredential::from(credential("clientSecret", json!({"secret": "s"})));
        // How a server spells labels is no part of a credential.
        let expected = ClientCredential { labels_shape: None, ..whole() };
        assert_eq!(format!("{:?}", kept.credential()), format!("{expected:?}"));
        assert!(kept.is_as(&whole()));
        assert!(kept.is_as(&credential("clientSecret", json!({"secret": "s"}))));
    }

    #[test]
    fn every_field_that_moves_is_noticed() {
        let kept = CompactCredential::from(whole());
        for (field, value) in [
            ("name", json!("clients/c/credentials/l")),
            ("displayName", json!("web")),
            ("environments", json!(["a"])),
            ("environments", json!(["a", "b", "c"])),
            ("labels", json!({"team": "x"})),
            ("labels", json!({"team": "x", "tier": "2"})),
            ("labels", json!({"team": "x", "teir": "1"})),
            ("sdkType", json!("FRONTEND")),
            ("createTime", json!(null)),
            ("updateTime", json!("2023-08-30T09:36:57.6Z")),
            ("lastSeenTime", json!(null)),
            ("creator", json!("identities/3")),
            ("updater", json!(null)),
        ] {
            assert!(!kept.is_as(&credential(field, value.clone())), "{field}: {value}");
        }
    }
}
