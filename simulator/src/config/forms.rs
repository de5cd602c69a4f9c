//! The forms that the API is known to have, or that an implementation of it could.

use serde::{Deserialize, Serialize};

/// What is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Contract {
    /// Everything that the vendor's protobufs and recorded payloads show.
    #[default]
    Full,
    /// What the published OpenAPI documents, to the letter, and no more.
    Openapi,
}

/// How labels look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LabelsShape {
    /// One JSON object.
    #[default]
    Object,
    /// An array of maps.
    Array,
}

/// How names look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum NameForm {
    /// `clients/{client}/credentials/{credential}`.
    #[default]
    Credentials,
    /// `clients/{client}/clientCredentials/{credential}`.
    ClientCredentials,
}

/// Which answers carry the secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Secrets {
    /// All, as in recorded payloads.
    Returned,
    /// The one to a create alone, as documented.
    #[default]
    Withheld,
    /// None.
    Never,
}

/// Where the answer to a create carries the secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecretField {
    /// In `clientSecret.secret`, as everywhere else.
    #[default]
    ClientSecret,
    /// In a field `secret` of its own, as one page of the documentation shows.
    TopLevel,
}

/// How long something that was written does not show: until both have passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Lag {
    /// So long, in milliseconds.
    pub milliseconds: u64,
    /// So many LIST calls of the account, each page counted.
    pub calls: u64,
}

/// Whether credentials can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Reading {
    /// They can.
    #[default]
    Offered,
    /// 405.
    MethodNotAllowed,
    /// 501.
    NotImplemented,
    /// 403, whatever the token is for.
    Forbidden,
    /// A 404 that is not the API's own.
    NotFoundHtml,
}

/// What the token of a page remembers. The API promises no snapshot across pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Paging {
    /// The last id: what stays is always seen, once.
    #[default]
    ByKey,
    /// A position: what goes or comes between two pages hides or repeats something else.
    ByOffset,
}
