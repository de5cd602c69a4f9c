//! When a rotation is due: by the server's createTime, so that nothing of ours can bring one about by being lost.

use std::time::Duration;

use jiff::Timestamp;

use super::facts::{Credential, Resource};
use super::labels::fraction;
use super::later;

/// The share of the interval by which a rotation may come earlier or later.
const JITTER: f64 = 0.1;

/// When the next rotation is due; none where there is no schedule, or no createTime.
pub fn rotation_due(resource: &Resource, credential: &Credential) -> Option<Timestamp> {
    let every = resource.rotation.every?;
    Some(later(credential.create_time?, with_jitter(every, &resource.uid)))
}

/// Whether a person asks for a rotation that was not begun yet. What was there before the first credential is handled.
pub(super) fn is_requested(resource: &Resource) -> bool {
    let request = resource.rotate_requested_at.as_ref();
    request.is_some() && request != resource.records.last_handled_rotate_at.as_ref() && resource.records.name.is_some()
}

/// Fixed by the uid: a restart moves no rotation.
fn with_jitter(every: Duration, uid: &str) -> Duration {
    every.mul_f64(1.0 - JITTER + 2.0 * JITTER * fraction(uid))
}
