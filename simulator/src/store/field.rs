//! The fields that an update can name.

use serde::{Deserialize, Serialize};

/// A field of a credential that a client may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Field {
    /// `displayName`.
    DisplayName,
    /// `clientSecret`.
    ClientSecret,
    /// `environments`.
    Environments,
    /// `labels`.
    Labels,
    /// `sdkType`.
    SdkType,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::DisplayName, Self::ClientSecret, Self::Environments, Self::Labels, Self::SdkType];

    /// As an update mask spells it.
    pub fn path(self) -> &'static str {
        match self {
            Self::DisplayName => "display_name",
            Self::ClientSecret => "client_secret",
            Self::Environments => "environments",
            Self::Labels => "labels",
            Self::SdkType => "sdk_type",
        }
    }

    /// As a body spells it.
    pub fn key(self) -> &'static str {
        match self {
            Self::DisplayName => "displayName",
            Self::ClientSecret => "clientSecret",
            Self::Environments => "environments",
            Self::Labels => "labels",
            Self::SdkType => "sdkType",
        }
    }

    /// The field that a mask spells so.
    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.path() == path)
    }

    /// The field that a body spells so.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.key() == key)
    }
}
