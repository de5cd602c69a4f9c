//! When a created credential is replaced, and how long the old one stays.

use std::time::Duration;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::super::{durations, rules};

const DEFAULT_AT_LEAST: &str = "1h";
const DEFAULT_UNTIL_UNUSED_FOR: &str = "24h";

/// When the credential is replaced by a new one, and how long both exist.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = rules::durations_compare(
    &["self.?every.orValue('8760h')", "self.?overlap.?atLeast.orValue('1h')", "self.?overlap.?untilUnusedFor.orValue('24h')"],
    "!has(self.every) || duration(self.every) >= duration(self.?overlap.?atLeast.orValue('1h')) \
     + duration(self.?overlap.?untilUnusedFor.orValue('24h'))",
).message("every must be at least overlap.atLeast (default 1h) plus overlap.untilUnusedFor (default 24h): the old credential \
           has to be gone before the next rotation"))]
pub struct Rotation {
    /// How old a credential may become, by the server's createTime; 1h or more, and at least overlap.atLeast plus
    /// overlap.untilUnusedFor. Absent: a rotation only on request, by the annotation
    /// iam.confidence.dev/rotate-requested-at. Example: 720h
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::duration("1h"))]
    pub every: Option<String>,

    /// How long the old credential stays beside the new one. Absent: the defaults of its fields.
    #[serde(default, skip_serializing_if = "Overlap::is_default")]
    pub overlap: Overlap,
}

/// How long the old credential stays beside the new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::durations_compare(
    &["self.?atMost.orValue('8760h')", "self.?atLeast.orValue('1h')"],
    "!has(self.atMost) || duration(self.atMost) >= duration(self.?atLeast.orValue('1h'))",
).message("atMost must be at least atLeast (default 1h)"))]
pub struct Overlap {
    /// How long the old credential stays in any case; 5m or more, because pods need that long to read a new secret.
    /// Absent: 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::duration("5m"))]
    pub at_least: Option<String>,

    /// For how long the old credential must not have resolved a flag before it is deleted; 1h or more, because Confidence
    /// does not document how late it reports a use. Absent: 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::duration("1h"))]
    pub until_unused_for: Option<String>,

    /// After how long the old credential is deleted although it is in use, which breaks whoever uses it; atLeast or more.
    /// Absent: never, an old credential that is in use is not deleted. Example: 720h
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::duration("5m"))]
    pub at_most: Option<String>,
}

impl Rotation {
    /// How old a credential may become; none where it rotates only on request.
    ///
    /// # Errors
    /// A sentence for a person, for a text that is no duration.
    pub fn every(&self) -> Result<Option<Duration>, String> {
        self.every.as_deref().map(durations::parse).transpose()
    }
}

impl Overlap {
    /// How long the old credential stays in any case.
    ///
    /// # Errors
    /// A sentence for a person, for a text that is no duration.
    pub fn at_least(&self) -> Result<Duration, String> {
        durations::parse(self.at_least.as_deref().unwrap_or(DEFAULT_AT_LEAST))
    }

    /// How long the old credential must have been unused.
    ///
    /// # Errors
    /// A sentence for a person, for a text that is no duration.
    pub fn until_unused_for(&self) -> Result<Duration, String> {
        durations::parse(self.until_unused_for.as_deref().unwrap_or(DEFAULT_UNTIL_UNUSED_FOR))
    }

    /// After how long the old credential is deleted although it is in use; none for never.
    ///
    /// # Errors
    /// A sentence for a person, for a text that is no duration.
    pub fn at_most(&self) -> Result<Option<Duration>, String> {
        self.at_most.as_deref().map(durations::parse).transpose()
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
