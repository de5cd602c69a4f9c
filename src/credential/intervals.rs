//! How often a resource is checked: what its spec says, within the bounds of the operator.

use std::time::Duration;

use crate::api::ConfidenceClientCredential;

/// How often resources are checked for drift.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intervals {
    /// One that does not say.
    pub(super) default: Duration,
    /// At least; a shorter one counts as this.
    pub(super) shortest: Duration,
}

impl Intervals {
    /// How often this one is checked.
    pub(super) fn of(self, object: &ConfidenceClientCredential) -> Duration {
        let own = object.spec.own_interval().and_then(Result::ok);
        own.map_or(self.default, |own| own.max(self.shortest))
    }
}
