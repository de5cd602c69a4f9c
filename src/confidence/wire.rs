//! What goes over the wire: the credential as Confidence answers it, and the update as we send it.
//!
//! The OpenAPI is rendered misleadingly in places, so reading is generous about the shapes that real servers use (each
//! generosity is named where it stands) and strict about the rest: an answer that is not a credential is an error, never
//! an empty credential. Fields that no one knows yet are ignored and never sent back.

mod read;
mod update;

pub use read::{ClientCredential, ListPage, WireError};
pub use update::CredentialUpdate;

/// A field of a credential that an update can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// The human friendly name.
    DisplayName,
    /// The environments that the credential is enabled for.
    Environments,
    /// The labels.
    Labels,
    /// The type of SDK that the credential is for.
    SdkType,
    /// The secret that a client authenticates with.
    ClientSecret,
}

impl Field {
    /// Every field, in the order of the OpenAPI's rendering of the spec: also the order within an update mask.
    pub const ALL: [Self; 5] = [Self::DisplayName, Self::Environments, Self::Labels, Self::SdkType, Self::ClientSecret];

    /// The path in `updateMask`: `snake_case`, relative to the credential (OpenAPI, `updateMask`).
    pub fn mask_path(self) -> &'static str {
        match self {
            Self::DisplayName => "display_name",
            Self::Environments => "environments",
            Self::Labels => "labels",
            Self::SdkType => "sdk_type",
            Self::ClientSecret => "client_secret",
        }
    }

    /// The name in JSON, at Confidence as in the resource's spec: camelCase.
    pub fn json_name(self) -> &'static str {
        match self {
            Self::DisplayName => "displayName",
            Self::Environments => "environments",
            Self::Labels => "labels",
            Self::SdkType => "sdkType",
            Self::ClientSecret => "clientSecret",
        }
    }
}

/// The type of SDK that a credential is for (OpenAPI, `sdkType`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SdkType {
    /// `SDK_TYPE_UNSPECIFIED`, and what an answer without `sdkType` means.
    #[default]
    Unspecified,
    /// `BACKEND`.
    Backend,
    /// `FRONTEND`.
    Frontend,
    /// A value that is newer than this program. It is read, compared and reported, never sent.
    Unknown(String),
}

impl SdkType {
    /// The value on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Unspecified => "SDK_TYPE_UNSPECIFIED",
            Self::Backend => "BACKEND",
            Self::Frontend => "FRONTEND",
            Self::Unknown(value) => value,
        }
    }
}

impl From<String> for SdkType {
    fn from(value: String) -> Self {
        match value.as_str() {
            "" | "SDK_TYPE_UNSPECIFIED" => Self::Unspecified,
            "BACKEND" => Self::Backend,
            "FRONTEND" => Self::Frontend,
            _ => Self::Unknown(value),
        }
    }
}

/// How a server spells `labels`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelsShape {
    /// One JSON object of strings, as in recorded payloads and in the vendor's protobufs.
    Object,
    /// An array of string maps, as the OpenAPI renders it.
    Array,
}
