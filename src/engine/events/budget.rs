//! How many events a namespace gets, so that a noisy tenant mutes nobody else.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use tokio::time::Instant;

use super::EventDraft;

/// So many events of a namespace at once; then one more each [`REFILL`].
const BURST: u32 = 25;

/// How long it takes until a namespace may have one more event.
const REFILL: Duration = Duration::from_secs(6);

/// So many kinds of events of a namespace are summed up apart; what is beyond is not told.
const MAX_SUMMARIES: usize = 32;

/// The budgets of all namespaces. One that is whole again takes no memory.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    namespaces: HashMap<Option<String>, Budget>,
}

#[derive(Debug)]
struct Budget {
    left: u32,
    refilled: Instant,
    held_back: BTreeMap<(bool, String), HeldBack>,
}

/// Events of one kind that were not told on their own.
#[derive(Debug)]
struct HeldBack {
    count: u32,
    action: &'static str,
    /// The object that the last of them was about.
    last: ObjectReference,
}

impl Budgets {
    /// Whether the namespace of the object can afford an event. If not, it is counted for the summary.
    pub(super) fn take(&mut self, draft: &EventDraft, regarding: &ObjectReference) -> bool {
        let budget = self.namespaces.entry(regarding.namespace.clone()).or_insert_with(Budget::whole);
        budget.refill();
        if budget.left > 0 {
            budget.left -= 1;
            return true;
        }
        budget.hold_back(draft, regarding);
        false
    }

    /// What was held back, summed up: told at most once, and not out of the budget.
    pub(super) fn summaries(&mut self) -> Vec<(EventDraft, ObjectReference)> {
        let held_back = self.namespaces.values_mut().flat_map(|budget| std::mem::take(&mut budget.held_back));
        let mut summaries: Vec<_> = held_back.map(|(kind, held_back)| summary(kind, held_back)).collect();
        summaries.sort_by(|(_, a), (_, b)| a.namespace.cmp(&b.namespace));
        self.namespaces.retain(|_, budget| {
            budget.refill();
            budget.left < BURST
        });
        summaries
    }
}

impl Budget {
    fn whole() -> Self {
        Self { left: BURST, refilled: Instant::now(), held_back: BTreeMap::new() }
    }

    fn refill(&mut self) {
        let refills = u32::try_from(self.refilled.elapsed().as_secs() / REFILL.as_secs()).unwrap_or(BURST);
        if refills > 0 {
            self.left = self.left.saturating_add(refills).min(BURST);
            self.refilled = Instant::now();
        }
    }

    fn hold_back(&mut self, draft: &EventDraft, regarding: &ObjectReference) {
        let kind = (draft.warning, draft.reason.clone());
        if self.held_back.len() >= MAX_SUMMARIES && !self.held_back.contains_key(&kind) {
            return;
        }
        let new = HeldBack { count: 0, action: draft.action, last: ObjectReference::default() };
        let held_back = self.held_back.entry(kind).or_insert(new);
        held_back.count += 1;
        held_back.last = regarding.clone();
    }
}

fn summary((warning, reason): (bool, String), held_back: HeldBack) -> (EventDraft, ObjectReference) {
    let HeldBack { count, action, last } = held_back;
    let note =
        format!("the same happened {count} times more in this namespace without an event; this is the last of them");
    (EventDraft { warning, reason, action, note }, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(reason: &str) -> EventDraft {
        EventDraft { warning: false, reason: reason.to_owned(), action: "Update", note: "n".to_owned() }
    }

    fn object(namespace: &str) -> ObjectReference {
        ObjectReference { namespace: Some(namespace.to_owned()), ..ObjectReference::default() }
    }

    /// Of a thousand events at once, 25 are told, and one summary counts the others; six seconds later one more is.
    #[tokio::test(start_paused = true)]
    async fn flood_is_told_in_part_and_summed_up() {
        let mut budgets = Budgets::default();
        let told = (0..1000).filter(|_| budgets.take(&draft("Updated"), &object("a"))).count();
        assert_eq!(told, 25);
        let summaries = budgets.summaries();
        assert_eq!(summaries.len(), 1);
        assert!(summaries.iter().all(|(draft, _)| draft.note.contains("975")), "{summaries:?}");
        assert!(budgets.summaries().is_empty());
        tokio::time::advance(REFILL).await;
        assert!(budgets.take(&draft("Updated"), &object("a")));
        assert!(!budgets.take(&draft("Updated"), &object("a")));
    }

    /// A namespace that has spent its budget takes nothing of another one's.
    #[tokio::test(start_paused = true)]
    async fn noisy_namespace_mutes_no_other() {
        let mut budgets = Budgets::default();
        (0..1000).for_each(|_| {
            budgets.take(&draft("Updated"), &object("noisy"));
        });
        assert!(budgets.take(&draft("SecretInvalid"), &object("quiet")));
    }

    /// Neither namespaces nor kinds of events fill the memory.
    #[tokio::test(start_paused = true)]
    async fn budgets_are_bounded_and_forgotten() {
        let mut budgets = Budgets::default();
        for kind in 0..1000 {
            budgets.take(&draft(&kind.to_string()), &object("a"));
        }
        assert_eq!(budgets.summaries().len(), MAX_SUMMARIES);
        tokio::time::advance(REFILL * BURST).await;
        budgets.summaries();
        assert!(budgets.namespaces.is_empty());
    }
}
