//! Whether a listing is believed that lacks many credentials which were known to exist.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::credential::groups::Group;
use crate::engine::lock;

/// Above this share of the credentials that existed, a listing that lacks them is not believed at once.
const MAX_MISSING_SHARE: f64 = 0.5;

/// So few may well go together.
const MIN_MISSING_TO_DISTRUST: usize = 5;

/// So many checks of a group in a row that lack the same are believed. A check comes at the interval, so a short hiccup is
/// not. The groups of a client are counted apart: at the start all of them are checked at once.
const CHECKS_UNTIL_BELIEVED: u32 = 3;

/// How many checks in a row were not believed.
#[derive(Debug, Default)]
pub(in crate::credential) struct Distrust {
    checks: Mutex<HashMap<Group, u32>>,
}

impl Distrust {
    /// Whether a listing is believed that lacks so many of the credentials that existed.
    pub(super) fn believes(&self, group: &Group, vanished: usize, existed: usize) -> bool {
        #[allow(clippy::cast_precision_loss)] // a share
        let is_suspicious = vanished >= MIN_MISSING_TO_DISTRUST && vanished as f64 > MAX_MISSING_SHARE * existed as f64;
        let mut checks = lock(&self.checks);
        if !is_suspicious {
            checks.remove(group);
            return true;
        }
        let in_a_row = checks.entry(group.clone()).or_default();
        *in_a_row += 1;
        let is_believed = *in_a_row >= CHECKS_UNTIL_BELIEVED;
        if is_believed {
            checks.remove(group);
        }
        is_believed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// An account that was exchanged, or lost a permission, must not stall thousands of resources at once.
    #[test]
    fn listing_that_lacks_most_is_believed_thirdly() {
        let distrust = Distrust::default();
        let group = |minutes| Group { account: "a".into(), client: "c".into(), interval: Duration::from_mins(minutes) };
        for minutes in 2..6 {
            assert!(!distrust.believes(&group(minutes), 51, 100), "checks at the start are not in a row");
        }
        let believes = |vanished, existed| distrust.believes(&group(1), vanished, existed);
        assert!(believes(4, 4), "a few may well go together");
        assert!(believes(50, 100), "half is not most");
        for _ in 0..2 {
            assert_eq!([believes(51, 100), believes(51, 100), believes(51, 100)], [false, false, true]);
        }
        assert!(!believes(51, 100));
        assert!(believes(1, 100));
        assert!(!believes(51, 100), "a complete one in between begins the count anew");
    }
}
