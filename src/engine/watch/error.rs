//! Why a scope could not be listed or watched.

use std::time::Duration;

use super::reader::ANSWER_TIMEOUT;

/// Why a list or a watch did not work.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The operator lacks a right, or the API server takes it for nobody.
    #[error("the API server refuses it: {0}")]
    Refused(String),
    /// The API server does not serve the kind.
    #[error("the API server does not know the kind: the CRD is not installed")]
    UnknownKind,
    /// The API server asks to wait.
    #[error("the API server asks to wait {} s", .0.as_secs())]
    Throttled(Duration),
    /// What the list or the watch was to continue from is too old: it begins anew, which is no failure.
    #[error("the API server no longer has that version")]
    Expired,
    /// Any other failure; it may pass.
    #[error("{0}")]
    Failed(String),
    /// A list, or the beginning of a watch, took too long.
    #[error("the API server did not answer within {} s", ANSWER_TIMEOUT.as_secs())]
    TimedOut,
    /// The answer is no list of objects.
    #[error("the answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl WatchError {
    /// Whether it lasts until somebody grants a right.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

impl From<kube::Error> for WatchError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from(*status),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<kube::core::Status> for WatchError {
    fn from(status: kube::core::Status) -> Self {
        match status.code {
            401 | 403 => Self::Refused(status.message),
            404 => Self::UnknownKind,
            410 => Self::Expired,
            429 => {
                let seconds = status.details.map_or(1, |details| details.retry_after_seconds.max(1));
                Self::Throttled(Duration::from_secs(seconds.into()))
            }
            code => Self::Failed(format!("{code}: {}", status.message)),
        }
    }
}
