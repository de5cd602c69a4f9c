//! The clients that credentials belong to. The simulator knows them only as far as LIST shows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A client. Its serde form is that of state files and of the admin API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Client {
    /// The human friendly name.
    pub display_name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// Who owns it.
    pub owner: String,
    /// When somebody deleted it; its credentials are still there.
    pub delete_time: Option<Timestamp>,
}

impl Client {
    /// A client with nothing but a display name.
    pub fn named(display_name: impl Into<String>) -> Self {
        Self { display_name: display_name.into(), ..Self::default() }
    }
}
