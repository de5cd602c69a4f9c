//! Counts that follow the watch, so that nobody has to go through all objects to count them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How many objects carry each label, kept up to date by the changes of [`WatchEvent`](super::WatchEvent).
#[derive(Debug)]
pub struct Tally<L> {
    counts: Mutex<BTreeMap<L, u64>>,
}

impl<L> Default for Tally<L> {
    fn default() -> Self {
        Self { counts: Mutex::default() }
    }
}

impl<L: Ord + Clone> Tally<L> {
    /// An object that carried a label carries another one now. None: it is new, it is gone, or it carries none.
    pub fn change(&self, from: Option<L>, to: Option<L>) {
        if from == to {
            return;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(from) = from
            && let Some(count) = counts.get_mut(&from)
        {
            *count -= 1;
            if *count == 0 {
                counts.remove(&from);
            }
        }
        if let Some(to) = to {
            *counts.entry(to).or_default() += 1;
        }
    }

    /// The counts by label, in the order of the labels.
    pub fn counts(&self) -> BTreeMap<L, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Objects come, change and go; a label that nobody carries any more is no longer there.
    #[test]
    fn tally_follows_objects_from_label_to_label() {
        let tally = Tally::default();
        tally.change(None, Some("Pending"));
        tally.change(None, Some("Pending"));
        tally.change(Some("Pending"), Some("InSync"));
        assert_eq!(tally.counts(), [("InSync", 1), ("Pending", 1)].into());
        tally.change(Some("Pending"), Some("InSync"));
        tally.change(Some("InSync"), None);
        assert_eq!(tally.counts(), [("InSync", 1)].into());
    }
}
