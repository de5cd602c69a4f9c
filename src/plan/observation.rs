//! What was observed of a credential, and how.

use crate::confidence::wire::ClientCredential;

/// A credential as it was observed.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The credential.
    pub credential: ClientCredential,
    /// How it was observed.
    pub method: Method,
}

/// How a credential was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// It was read for this plan.
    Read,
    /// It was read earlier: somebody else may have written it since.
    Cached,
    /// It is the response to an update: its `updateTime` is our own doing and says nothing of others.
    Update,
}

impl Observation {
    /// A credential that was read just now.
    pub fn read(credential: ClientCredential) -> Self {
        Self { credential, method: Method::Read }
    }

    /// Whether its `updateTime` tells of writes by others.
    pub(super) fn tells_of_others(&self) -> bool {
        self.method != Method::Update
    }
}
