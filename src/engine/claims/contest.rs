//! The claims to one thing. Pure.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Standing, VACANCY};
use crate::engine::key::Key;

/// The claims to one thing, and who owns it.
#[derive(Debug, Default)]
pub(super) struct Contest {
    owner: Option<Claimant>,
    others: Vec<Claimant>,
    vacancy: Option<Box<Vacancy>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claimant {
    pub(super) key: Key,
    pub(super) created: Timestamp,
    pub(super) is_holder: bool,
    pub(super) was_rival: bool,
    pub(super) is_refused: bool,
    /// When it was last refused. Its status forgets that when another one owns.
    pub(super) refused_at: Option<Instant>,
}

#[derive(Debug)]
struct Vacancy {
    /// Where the owner was, if that is known: after a restart it is not.
    namespace: Option<Arc<str>>,
    until: Instant,
}

impl Claimant {
    /// The first in this order is to own: the one that held it last, else the oldest, else by namespace and name.
    fn rank(&self) -> (bool, Timestamp, &Key) {
        (!self.is_holder, self.created, &self.key)
    }

    /// Whether it may take the place of an owner that was refused: at most once in a while, so that several that are refused
    /// do not take turns without end.
    fn may_replace(&self, now: Instant) -> bool {
        !self.is_refused && self.refused_at.is_none_or(|at| at + VACANCY <= now)
    }

    /// After a restart nobody knows since when the owner is gone that its status speaks of.
    fn waits_after_restart(&self) -> bool {
        self.was_rival && !self.is_holder
    }
}

impl Contest {
    pub(super) fn owner(&self) -> Option<&Key> {
        self.owner.as_ref().map(|owner| &owner.key)
    }

    pub(super) fn vacant_until(&self) -> Option<Instant> {
        self.vacancy.as_ref().map(|vacancy| vacancy.until)
    }

    pub(super) fn is_over(&self) -> bool {
        self.owner.is_none() && self.others.is_empty() && self.vacancy.is_none()
    }

    pub(super) fn standing(&self, key: &Key, now: Instant) -> Standing {
        match &self.owner {
            Some(owner) if owner.key == *key => Standing::Owner,
            Some(owner) => Standing::Rival { owner: owner.key.clone() },
            None => Standing::Vacant { until: self.vacant_until().unwrap_or(now) },
        }
    }

    pub(super) fn claimants(&self) -> impl Iterator<Item = &Key> {
        self.owner.iter().chain(&self.others).map(|claimant| &claimant.key)
    }

    /// Adds a claimant, or renews what is known of one.
    pub(super) fn put(&mut self, claimant: Claimant) {
        let known = self.owner.iter_mut().chain(&mut self.others).find(|it| it.key == claimant.key);
        match known {
            Some(known) => *known = Claimant { refused_at: claimant.refused_at.or(known.refused_at), ..claimant },
            None => self.others.push(claimant),
        }
    }

    /// Takes a claimant out. What an owner leaves is vacant.
    pub(super) fn take(&mut self, key: &Key, now: Instant) {
        self.others.retain(|claimant| claimant.key != *key);
        if self.owner().is_some_and(|owner| owner == key) {
            self.owner = None;
            self.vacancy =
                Some(Box::new(Vacancy { namespace: Some(Arc::clone(&key.namespace)), until: now + VACANCY }));
        }
    }

    /// While all are listed: the first in rank owns, whoever came first.
    pub(super) fn weigh(&mut self, started: Instant) {
        self.vacancy = None;
        self.others.extend(self.owner.take());
        self.decide(started, started);
    }

    /// Finds an owner where there is none, as far as somebody may own it by now.
    pub(super) fn decide(&mut self, started: Instant, now: Instant) {
        if self.owner.is_some() {
            self.replace_refused(now);
            return;
        }
        if self.vacancy.is_none() && !self.others.is_empty() && self.others.iter().all(Claimant::waits_after_restart) {
            self.vacancy = Some(Box::new(Vacancy { namespace: None, until: started + VACANCY }));
        }
        let is_over = self.vacant_until().is_some_and(|until| until <= now);
        let may_own = |claimant: &Claimant| match self.vacancy.as_deref() {
            None => !claimant.waits_after_restart(),
            Some(_) if is_over => true,
            Some(Vacancy { namespace: Some(namespace), .. }) => claimant.key.namespace == *namespace,
            Some(Vacancy { namespace: None, .. }) => claimant.is_holder,
        };
        let candidates = self.others.iter().enumerate().filter(|(_, claimant)| may_own(claimant));
        let heir = candidates.min_by_key(|(_, claimant)| claimant.rank()).map(|(index, _)| index);
        if heir.is_some() || is_over {
            self.vacancy = None;
        }
        self.owner = heir.map(|index| self.others.swap_remove(index));
        self.replace_refused(now);
    }

    /// An owner that was refused, and so never had it, gives way to the first that was not.
    pub(super) fn replace_refused(&mut self, now: Instant) {
        let Some(owner) = self.owner.as_mut().filter(|owner| owner.is_refused) else { return };
        let candidates = self.others.iter_mut().filter(|claimant| claimant.may_replace(now));
        if let Some(heir) = candidates.min_by(|one, other| one.rank().cmp(&other.rank())) {
            std::mem::swap(owner, heir);
        }
    }
}
