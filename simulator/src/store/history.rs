//! What was there before the last writes, for reads that lag behind them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::{Credential, Ids};
use crate::config::Lag;

/// The last writes, oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    changes: VecDeque<Change>,
    /// How many LIST calls there were.
    lists: u64,
}

#[derive(Debug)]
struct Change {
    ids: Ids,
    before: Option<Credential>,
    is_deletion: bool,
    landed: Instant,
    lists: u64,
}

/// How far the reads of a store are behind its writes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lags {
    /// LIST, behind every write.
    pub list: Lag,
    /// GET, behind deletions.
    pub get_of_deleted: Duration,
}

impl Lags {
    pub fn is_none(&self) -> bool {
        self.list == Lag::default() && self.get_of_deleted.is_zero()
    }
}

impl Change {
    fn is_hidden_from_list(&self, lag: Lag, lists: u64) -> bool {
        self.landed.elapsed() < Duration::from_millis(lag.milliseconds) || lists - self.lists <= lag.calls
    }

    fn is_hidden_from_get(&self, lag: Duration) -> bool {
        self.is_deletion && self.landed.elapsed() < lag
    }
}

impl History {
    pub fn push(&mut self, ids: Ids, before: Option<Credential>, is_deletion: bool) {
        self.changes.push_back(Change { ids, before, is_deletion, landed: Instant::now(), lists: self.lists });
    }

    /// Counts one more LIST call, and forgets the writes that every read shows by now.
    pub fn count_list(&mut self, lags: &Lags) {
        self.lists += 1;
        let is_hidden =
            |it: &Change, lists| it.is_hidden_from_list(lags.list, lists) || it.is_hidden_from_get(lags.get_of_deleted);
        while self.changes.front().is_some_and(|it| !is_hidden(it, self.lists)) {
            self.changes.pop_front();
        }
    }

    /// What the LIST call that was counted last shows in place of the present.
    pub fn shown_by_list(&self, lags: &Lags) -> BTreeMap<&Ids, Option<&Credential>> {
        let hidden = self.changes.iter().rev().filter(|it| it.is_hidden_from_list(lags.list, self.lists));
        // The oldest hidden write of a credential comes last and says what there was before all of them.
        hidden.map(|it| (&it.ids, it.before.as_ref())).collect()
    }

    /// The credential that GET still shows although it was deleted.
    pub fn get_deleted(&self, ids: &Ids, lags: &Lags) -> Option<&Credential> {
        let hidden = self.changes.iter().rev().filter(|it| it.ids == *ids);
        hidden.take_while(|it| it.is_hidden_from_get(lags.get_of_deleted)).find_map(|it| it.before.as_ref())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ids() -> Ids {
        ("c".into(), "k".into())
    }

    fn lags(milliseconds: u64, calls: u64) -> Lags {
        Lags { list: Lag { milliseconds, calls }, get_of_deleted: Duration::ZERO }
    }

    /// Created, then renamed: until both writes show, LIST has nothing.
    #[test]
    fn list_shows_state_before_hidden_writes() {
        let mut history = History::default();
        history.push(ids(), None, false);
        history.push(ids(), Some(Credential::named("A")), false);
        history.count_list(&lags(0, 1));
        assert_eq!(history.shown_by_list(&lags(0, 1)), BTreeMap::from([(&ids(), None)]));
        history.count_list(&lags(0, 1));
        assert!(history.shown_by_list(&lags(0, 1)).is_empty());
    }

    /// A write that shows in LIST is not remembered any longer.
    #[tokio::test(start_paused = true)]
    async fn shown_writes_are_forgotten() {
        let mut history = History::default();
        history.push(ids(), None, false);
        history.count_list(&lags(1_000, 0));
        assert_eq!(history.shown_by_list(&lags(1_000, 0)).len(), 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        history.count_list(&lags(1_000, 0));
        assert!(history.changes.is_empty());
    }
}
