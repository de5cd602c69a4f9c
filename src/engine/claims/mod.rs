//! Who claims what, and who of several claimants owns it.
//!
//! Something is claimed by its group and its id in the group. Until [`Claims::listed`] all claims are weighed against each
//! other; from then on an owner stays owner while it claims, and what it leaves behind is vacant for others for a while:
//!
//! ```text
//!             the owner goes
//! owned ───────────────────────► vacant ── 10 min ──► the first in rank, or forgotten
//!   ▲ a claimant of its namespace  │
//!   └───────── at once ◄───────────┘
//! ```
//!
//! Whoever claims what it may not have keeps nobody from it: a refused owner gives way at once.

mod contest;
mod registry;

use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use self::registry::Registry;
use super::key::Key;

/// How long what an owner left is kept from claimants of other namespaces: a delete-and-apply, a restore or a rename takes
/// less.
pub const VACANCY: Duration = Duration::from_mins(10);

/// A claim of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim<C> {
    /// What is claimed.
    pub of: C,
    /// When the claimant was created.
    pub created: Timestamp,
    /// Its status says that it owned this last.
    pub is_holder: bool,
    /// Its status says that another one owned this.
    pub was_rival: bool,
    /// It may not have what it claims, and never had it: an owner that was refused gives way to any claimant that was not.
    pub is_refused: bool,
}

/// How a claimant stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It owns what it claims.
    Owner,
    /// Another one owns it.
    Rival {
        /// That one.
        owner: Key,
    },
    /// Nobody owns it: the owner is gone, and may come back until then.
    Vacant {
        /// When a claimant of another namespace takes over.
        until: Instant,
    },
}

/// All claims. What is claimed is a pair of a group, whose owners are wanted together, and an id in it.
#[derive(Debug)]
pub struct Claims<G, I> {
    registry: Mutex<Registry<G, I>>,
    vacated: Notify,
}

impl<G: Eq + Hash + Clone, I: Eq + Hash + Clone> Claims<G, I> {
    /// No claims, and a list of all claimants to come.
    pub fn new() -> Self {
        Self { registry: Mutex::new(Registry::new(Instant::now())), vacated: Notify::new() }
    }

    /// Takes up what an object claims now. Returns the others whose standing changed by it.
    pub fn apply(&self, key: &Key, claim: Option<Claim<(G, I)>>) -> Vec<Key> {
        self.update(|registry, now| registry.apply(key, claim, now))
    }

    /// Forgets an object that is gone. Returns the others whose standing changed by it.
    pub fn remove(&self, key: &Key) -> Vec<Key> {
        self.update(|registry, now| registry.apply(key, None, now))
    }

    /// The list of all claimants is complete: from now on an owner stays owner while it claims. Returns those that do not own
    /// what they claim.
    pub fn listed(&self) -> Vec<Key> {
        self.update(|registry, _| registry.listed())
    }

    /// Forgets everything: a list of all claimants is to come. What was vacant is forgotten too.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// How a claimant stands.
    pub fn standing(&self, key: &Key, of: &(G, I)) -> Standing {
        self.lock().standing(key, of, Instant::now())
    }

    /// The owner of an id in a group.
    pub fn owner(&self, group: &G, id: &I) -> Option<Key> {
        self.lock().owner(group, id).cloned()
    }

    /// The owners of everything in a group.
    pub fn owners_in(&self, group: &G) -> Vec<(I, Key)> {
        self.lock().owners_in(group)
    }

    /// What an object claims.
    pub fn of(&self, key: &Key) -> Option<(G, I)> {
        self.lock().of(key)
    }

    /// Waits until something has been vacant for [`VACANCY`]. Returns its claimants, of which one owns it now. Nothing is
    /// lost when this is dropped.
    pub async fn due(&self) -> Vec<Key> {
        loop {
            let until = {
                let mut registry = self.lock();
                let due = registry.end_vacancies(Instant::now());
                if !due.is_empty() {
                    return due;
                }
                registry.next_vacancy_end()
            };
            match until {
                None => self.vacated.notified().await,
                Some(until) => tokio::select! {
                    biased;
                    () = self.vacated.notified() => {}
                    () = tokio::time::sleep_until(until) => {}
                },
            }
        }
    }

    fn update<T>(&self, change: impl FnOnce(&mut Registry<G, I>, Instant) -> T) -> T {
        let mut registry = self.lock();
        let before = registry.next_vacancy_end();
        let result = change(&mut registry, Instant::now());
        if registry.next_vacancy_end() != before {
            self.vacated.notify_one();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Registry<G, I>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<G: Eq + Hash + Clone, I: Eq + Hash + Clone> Default for Claims<G, I> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
