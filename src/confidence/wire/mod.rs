//! Wire types: credentials and pages as Confidence answers them, creates and updates as the operator sends them.
//!
//! The OpenAPI is rendered misleadingly in places, so reading is lenient about the shapes that real servers use (each
//! leniency is named where it stands). An answer that is not a credential is an error, never an empty credential. Unknown
//! fields are ignored and never sent back.

mod create;
mod labels;
mod page;
mod read;
mod time;
mod update;

pub use create::NewCredential;
pub use page::{Client, ClientsPage, ListPage};
pub use read::ClientCredential;
pub use time::same_time;
pub use update::CredentialUpdate;

/// An answer that is not what the API promises.
///
/// Says where it broke, never what stood there: the text may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// It is not JSON, or not of the right shape.
    #[error("{what} at line {line}, column {column}")]
    Json {
        /// What it is instead.
        what: &'static str,
        /// Where it broke.
        line: usize,
        /// Where it broke.
        column: usize,
    },
    /// It is JSON that lacks what every answer has.
    #[error("JSON without {0}")]
    Missing(&'static str),
}

impl From<serde_json::Error> for WireError {
    fn from(error: serde_json::Error) -> Self {
        use serde_json::error::Category;
        let what = match error.classify() {
            Category::Data => "JSON, but not of the expected shape,",
            Category::Eof => "JSON that ends too early",
            Category::Syntax | Category::Io => "not JSON",
        };
        Self::Json { what, line: error.line(), column: error.column() }
    }
}

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
