//! The credentials, and what a write does to them. Pure: time comes in as a value.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A credential as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Credential {
    /// The human friendly name.
    pub display_name: String,
    /// The environments, in the order in which they were written.
    pub environments: Vec<String>,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The type of SDK; empty for unspecified.
    pub sdk_type: String,
    /// The secret.
    pub secret: String,
    /// When it was created.
    pub create_time: Option<Timestamp>,
    /// When it was last written.
    pub update_time: Option<Timestamp>,
    /// When it last resolved a flag.
    pub last_seen_time: Option<Timestamp>,
    /// Who created it.
    pub creator: String,
    /// Who last wrote it.
    pub updater: String,
}

/// The two ids.
pub type Ids = (String, String);

/// The fields that an update can name: their paths in the mask, and their names in JSON.
pub const FIELDS: [(&str, &str); 5] = [
    ("display_name", "displayName"),
    ("environments", "environments"),
    ("labels", "labels"),
    ("sdk_type", "sdkType"),
    ("client_secret", "clientSecret"),
];

/// The values that a body brings, as far as it brings them.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// `displayName`.
    pub display_name: Option<String>,
    /// `environments`.
    pub environments: Option<Vec<String>>,
    /// `labels`.
    pub labels: Option<BTreeMap<String, String>>,
    /// `sdkType`.
    pub sdk_type: Option<String>,
    /// `clientSecret.secret`.
    pub secret: Option<String>,
}

impl Credential {
    /// Writes the fields that a mask names. One that the body does not bring is cleared (AIP-134). Tells whether anything
    /// changed.
    pub fn update(&mut self, values: &Values, mask: &[String], not_taken: &[String]) -> bool {
        let before = self.clone();
        for path in mask.iter().filter(|path| !not_taken.contains(path)) {
            match path.as_str() {
                "display_name" => self.display_name = values.display_name.clone().unwrap_or_default(),
                "environments" => self.environments = values.environments.clone().unwrap_or_default(),
                "labels" => self.labels = values.labels.clone().unwrap_or_default(),
                "sdk_type" => self.sdk_type = values.sdk_type.clone().unwrap_or_default(),
                _ => self.secret = values.secret.clone().unwrap_or_default(),
            }
        }
        *self != before
    }
}

/// All credentials.
#[derive(Clone, Debug, Default)]
pub struct Store {
    credentials: BTreeMap<Ids, Credential>,
    last_time: Option<Timestamp>,
    created: u64,
}

impl Store {
    /// The credential with these ids.
    pub fn get(&self, ids: &Ids) -> Option<&Credential> {
        self.credentials.get(ids)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, ids: &Ids) -> Option<&mut Credential> {
        self.credentials.get_mut(ids)
    }

    /// Puts a credential in, with times where it has none.
    pub fn put(&mut self, ids: Ids, mut credential: Credential, now: Timestamp) {
        let now = self.tick(now);
        credential.create_time.get_or_insert(now);
        credential.update_time.get_or_insert(now);
        self.credentials.insert(ids, credential);
    }

    /// Takes one out.
    pub fn delete(&mut self, ids: &Ids) -> Option<Credential> {
        self.credentials.remove(ids)
    }

    /// An id that was not given out before.
    pub fn new_id(&mut self) -> String {
        self.created += 1;
        format!("created{:06}", self.created)
    }

    /// The credentials of a client, by id.
    pub fn of_client(&self, client: &str) -> Vec<(&Ids, &Credential)> {
        self.credentials.iter().filter(|((it, _), _)| it == client).collect()
    }

    /// Everything, by id.
    pub fn all(&self) -> &BTreeMap<Ids, Credential> {
        &self.credentials
    }

    /// A time in microseconds that no write had before.
    pub fn tick(&mut self, now: Timestamp) -> Timestamp {
        let cut = |time: Timestamp| Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time);
        let next = match self.last_time {
            Some(last) if last.as_microsecond() >= now.as_microsecond() => {
                Timestamp::from_microsecond(last.as_microsecond() + 1).unwrap_or(last)
            }
            _ => cut(now),
        };
        self.last_time = Some(next);
        next
    }
}

/// The environments as the set that they are.
pub fn as_set(environments: &[String]) -> BTreeSet<&str> {
    environments.iter().map(String::as_str).collect()
}
