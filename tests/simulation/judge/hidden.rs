//! Secrets that somebody else changed and that nobody can know of.
//!
//! Where the server withholds secrets, only `updateTime` tells that somebody else wrote, and the operator's own update moves it
//! too: what was written between its look and its update is hidden by it, because there is no conditional write.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::updates::Known;

/// The secrets that somebody else wrote, by the credentials' ids.
#[derive(Debug, Default)]
pub struct Hidden {
    /// When it was, as long as the operator has not written one since.
    foreign: BTreeMap<String, Instant>,
    /// Those that an update of other fields has hidden.
    lost: BTreeSet<String>,
    /// Those that the operator last updated only to observe them: from then on `updateTime` says nothing, until it writes
    /// something else.
    observed_by_update: BTreeSet<String>,
}

impl Hidden {
    pub fn is_foreign(&mut self, id: &str) {
        self.foreign.insert(id.to_owned(), Instant::now());
        if self.observed_by_update.contains(id) {
            self.lost.insert(id.to_owned());
        }
    }

    /// The operator updates a credential, from what it knew of it.
    pub fn is_updated(&mut self, id: &str, known: &Known, names_secret: bool, is_observation: bool) {
        if is_observation {
            self.observed_by_update.insert(id.to_owned());
        } else {
            self.observed_by_update.remove(id);
        }
        let Some(foreign) = self.foreign.get(id) else { return };
        if names_secret {
            self.foreign.remove(id);
            self.lost.remove(id);
        } else if known.sights.iter().all(|sight| sight.at <= *foreign) {
            self.lost.insert(id.to_owned());
        }
    }

    /// Whether somebody else's secret may stay for ever. Where looking is an update, the time says nothing from the beginning.
    pub fn hides(&self, id: &str, time_counts: bool) -> bool {
        self.lost.contains(id) || (self.foreign.contains_key(id) && !time_counts)
    }
}
