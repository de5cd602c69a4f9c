//! All claims without their lock: what each object claims, the contests of each group, and what is vacant.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use indexmap::{IndexMap, IndexSet};
use tokio::time::Instant;

use super::contest::{Claimant, Contest};
use super::{Claim, Standing};
use crate::engine::key::Key;

#[derive(Debug)]
pub(super) struct Registry<G, I> {
    started: Instant,
    is_listed: bool,
    claims: HashMap<Key, (G, I)>,
    groups: HashMap<G, IndexMap<I, Contest>>,
    /// What is vacant, by when that ends.
    vacancies: BTreeMap<Instant, IndexSet<(G, I)>>,
}

impl<G: Eq + Hash + Clone, I: Eq + Hash + Clone> Registry<G, I> {
    pub(super) fn new(started: Instant) -> Self {
        Self { started, is_listed: false, claims: HashMap::new(), groups: HashMap::new(), vacancies: BTreeMap::new() }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.started);
    }

    pub(super) fn apply(&mut self, key: &Key, claim: Option<Claim<(G, I)>>, now: Instant) -> Vec<Key> {
        let mut changed = Vec::new();
        let before = self.claims.get(key);
        if let Some(before) = before.filter(|before| claim.as_ref().is_none_or(|claim| claim.of != **before)).cloned() {
            self.claims.remove(key);
            changed = self.change(&before, now, |contest| contest.take(key, now));
        }
        if let Some(Claim { of, created, is_holder, was_rival, is_refused }) = claim {
            let of = (self.shared(of.0), of.1);
            let refused_at = is_refused.then_some(now);
            let claimant = Claimant { key: key.clone(), created, is_holder, was_rival, is_refused, refused_at };
            changed.extend(self.change(&of, now, |contest| contest.put(claimant)));
            self.claims.insert(key.clone(), of);
        }
        changed.retain(|it| it != key);
        changed
    }

    pub(super) fn listed(&mut self) -> Vec<Key> {
        self.is_listed = true;
        let contests = self.groups.values().flat_map(IndexMap::values);
        let not_owning = contests.flat_map(|contest| contest.claimants().filter(|key| contest.owner() != Some(key)));
        let mut not_owning: Vec<Key> = not_owning.cloned().collect();
        not_owning.sort_unstable();
        not_owning
    }

    /// Ends the vacancies whose time has come. Returns the claimants.
    pub(super) fn end_vacancies(&mut self, now: Instant) -> Vec<Key> {
        let mut due = Vec::new();
        while self.next_vacancy_end().is_some_and(|until| until <= now) {
            let Some((_, vacant)) = self.vacancies.pop_first() else { break };
            for of in vacant {
                due.extend(self.change(&of, now, |_| {}));
            }
        }
        due
    }

    /// When the next vacancy ends. While claimants are listed none does.
    pub(super) fn next_vacancy_end(&self) -> Option<Instant> {
        self.vacancies.first_key_value().filter(|_| self.is_listed).map(|(until, _)| *until)
    }

    pub(super) fn standing(&mut self, key: &Key, of: &(G, I), now: Instant) -> Standing {
        let contest = self.groups.get_mut(&of.0).and_then(|group| group.get_mut(&of.1));
        contest.map_or(Standing::Vacant { until: now }, |contest| {
            contest.replace_refused(now);
            contest.standing(key, now)
        })
    }

    pub(super) fn owner(&self, group: &G, id: &I) -> Option<&Key> {
        self.contest(group, id)?.owner()
    }

    pub(super) fn owners_in(&self, group: &G) -> Vec<(I, Key)> {
        let contests = self.groups.get(group).into_iter().flatten();
        contests.filter_map(|(id, contest)| Some((id.clone(), contest.owner()?.clone()))).collect()
    }

    pub(super) fn of(&self, key: &Key) -> Option<(G, I)> {
        self.claims.get(key).cloned()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty() && self.groups.is_empty() && self.vacancies.is_empty()
    }

    fn contest(&self, group: &G, id: &I) -> Option<&Contest> {
        self.groups.get(group)?.get(id)
    }

    /// The group as all share it.
    fn shared(&self, group: G) -> G {
        self.groups.get_key_value(&group).map_or(group, |(shared, _)| shared.clone())
    }

    /// Changes the claims to one thing and decides who owns it then. Returns its claimants if that is another one.
    fn change(&mut self, of: &(G, I), now: Instant, change: impl FnOnce(&mut Contest)) -> Vec<Key> {
        let contests = self.groups.entry(of.0.clone()).or_default();
        let contest = contests.entry(of.1.clone()).or_default();
        let (owner, vacant_until) = (contest.owner().cloned(), contest.vacant_until());
        change(contest);
        if self.is_listed {
            contest.decide(self.started, now);
        } else {
            contest.weigh(self.started);
        }
        let changed =
            if contest.owner() == owner.as_ref() { Vec::new() } else { contest.claimants().cloned().collect() };
        let still_vacant_until = contest.vacant_until();
        if contest.is_over() {
            contests.swap_remove(&of.1);
            if contests.is_empty() {
                self.groups.remove(&of.0);
            }
        }
        if still_vacant_until != vacant_until {
            self.move_vacancy(of, vacant_until, still_vacant_until);
        }
        changed
    }

    fn move_vacancy(&mut self, of: &(G, I), before: Option<Instant>, after: Option<Instant>) {
        if let Some(before) = before
            && let Some(vacant) = self.vacancies.get_mut(&before)
        {
            vacant.swap_remove(of);
            if vacant.is_empty() {
                self.vacancies.remove(&before);
            }
        }
        if let Some(after) = after {
            self.vacancies.entry(after).or_default().insert(of.clone());
        }
    }
}
