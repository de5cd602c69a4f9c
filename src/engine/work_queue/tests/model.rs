//! Random calls: whatever comes in whatever order, nothing is lost and no bound is broken.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const SLOTS: usize = 3;
const BACKGROUND_SLOTS: usize = 2;
const LANES: [&str; 2] = ["one", "two"];

#[derive(Clone, Debug)]
enum Call {
    Change(usize),
    Adopt(usize),
    Recreate(usize),
    Trigger(usize, Trigger),
    TriggerUnfinished(usize),
    Remove(usize),
    Read,
    Begin(usize),
    Finish(usize, Next),
    Release,
    Advance(u64),
}

/// What the queue owes, written as sets: no order, no times.
#[derive(Default)]
struct Model {
    /// The keys that are known, with the numbers of their object and generation.
    known: BTreeMap<usize, (i64, i64)>,
    /// The keys that have an attempt to come: now, or after a wait.
    owed: BTreeSet<usize>,
    /// Of these, the keys that are due at once for a user.
    interactive: BTreeSet<usize>,
    /// The keys of edits that failed: they may run before other edits.
    failed_edits: BTreeSet<usize>,
    handed_out: BTreeSet<usize>,
    in_flight: Vec<Attempt>,
    objects: i64,
}

impl Model {
    fn is_in_flight(&self, index: usize) -> bool {
        self.in_flight.iter().any(|attempt| attempt.key == name(index))
    }

    fn owes(&mut self, index: usize, trigger: Trigger) {
        if self.known.contains_key(&index) {
            self.owed.insert(index);
            if trigger.priority() == Priority::Interactive {
                self.interactive.insert(index);
            }
        }
    }

    fn forgets(&mut self, index: usize) {
        self.known.remove(&index);
        self.owed.remove(&index);
        self.interactive.remove(&index);
        self.failed_edits.remove(&index);
        self.handed_out.remove(&index);
    }
}

fn name(index: usize) -> Key {
    Key::new(["a", "b", "c"][index % 3], &index.to_string())
}

fn index_of(key: &Key) -> usize {
    key.name.parse().unwrap()
}

fn lane(index: usize) -> usize {
    usize::from(index >= 4)
}

struct Run {
    scene: Scene,
    model: Model,
}

impl Run {
    fn shown(&self, index: usize) -> Revision {
        let (object_number, generation) = self.model.known[&index];
        let mut object = object(generation);
        object.metadata.uid = Some(object_number.to_string());
        self.scene.queue.revision(&object, &[])
    }

    fn change(&mut self, index: usize) {
        let objects = &mut self.model.objects;
        let fresh = || {
            *objects += 1;
            (*objects, 0)
        };
        self.model.known.entry(index).or_insert_with(fresh).1 += 1;
        self.scene.queue.apply(&name(index), &LANES[lane(index)].into(), self.shown(index));
        self.model.owes(index, Trigger::Changed);
    }

    fn adopt(&mut self, index: usize) {
        if !self.model.known.contains_key(&index) {
            self.model.objects += 1;
            self.model.known.insert(index, (self.model.objects, 1));
        }
        self.scene.queue.adopt(&name(index), &LANES[lane(index)].into(), self.shown(index));
    }

    fn remove(&mut self, index: usize) {
        self.scene.queue.remove(&name(index));
        self.model.forgets(index);
    }

    /// Reads all that may run, and judges each.
    fn read(&mut self) {
        for key in self.scene.handed_out() {
            let index = index_of(&super::key(&key));
            assert!(!self.model.is_in_flight(index), "two attempts of {key}");
            assert!(self.model.owed.contains(&index), "{key} has no reason");
            if !self.model.interactive.contains(&index) && !self.model.failed_edits.contains(&index) {
                let overtaken = self.model.interactive.iter().find(|other| {
                    lane(**other) == lane(index)
                        && !self.model.handed_out.contains(other)
                        && !self.model.is_in_flight(**other)
                });
                assert_eq!(overtaken, None, "{key} overtook an edit");
            }
            self.model.handed_out.insert(index);
        }
        for number in 0..LANES.len() {
            let taken =
                self.model.handed_out.iter().copied().chain(self.model.in_flight.iter().map(|it| index_of(&it.key)));
            assert!(taken.filter(|index| lane(*index) == number).count() <= SLOTS);
            let background = self.model.in_flight.iter().filter(|it| it.priority == Priority::Background);
            assert!(background.filter(|it| lane(index_of(&it.key)) == number).count() <= BACKGROUND_SLOTS);
        }
    }

    fn begin(&mut self, index: usize) {
        let attempt = self.scene.queue.begin(&name(index));
        assert_eq!(attempt.is_some(), self.model.handed_out.remove(&index), "{index}");
        let Some(attempt) = attempt else { return };
        self.model.owed.remove(&index);
        if self.model.interactive.remove(&index) | self.model.failed_edits.remove(&index) {
            assert_eq!(attempt.priority, Priority::Interactive);
        }
        self.model.in_flight.push(attempt);
    }

    fn finish(&mut self, number: usize, next: Next) {
        if self.model.in_flight.is_empty() {
            return;
        }
        let attempt = self.model.in_flight.remove(number % self.model.in_flight.len());
        let index = index_of(&attempt.key);
        let is_same = self.model.known.contains_key(&index) && self.shown(index).is_same_object(&attempt.revision);
        let is_outdated = !is_same || self.model.interactive.contains(&index);
        assert_eq!(self.scene.queue.is_current(&attempt), !is_outdated, "{index}");
        if is_same && !matches!(next, Next::Done | Next::Stalled) {
            self.model.owed.insert(index);
            if attempt.priority == Priority::Interactive {
                self.model.failed_edits.insert(index);
            }
        }
        self.scene.queue.finish(&attempt, next);
    }

    fn call(&mut self, call: Call) {
        match call {
            Call::Change(index) => self.change(index),
            Call::Adopt(index) => self.adopt(index),
            Call::Recreate(index) => {
                self.remove(index);
                self.change(index);
            }
            Call::Trigger(index, trigger) => {
                self.scene.queue.trigger(&name(index), trigger);
                self.model.owes(index, trigger);
            }
            Call::TriggerUnfinished(number) => {
                self.scene.queue.trigger_unfinished(LANES[number]);
                // An adopted key is converged; of the others the queue knows better than the model.
                let known: Vec<usize> = self.model.known.keys().copied().filter(|it| lane(*it) == number).collect();
                let unfinished = known.into_iter().filter(|index| !self.scene.queue.is_converged(&name(*index)));
                self.model.owed.extend(unfinished);
            }
            Call::Remove(index) => self.remove(index),
            Call::Read => self.read(),
            Call::Begin(index) => self.begin(index),
            Call::Finish(number, next) => self.finish(number, next),
            Call::Release => self.scene.queue.release("account"),
            Call::Advance(_) => {}
        }
    }

    /// Time goes on and slots are freed: all that is owed is served, each once.
    async fn settle(&mut self) {
        for _ in 0..40 {
            tokio::time::advance(Duration::from_mins(2)).await;
            self.read();
            let handed_out: Vec<usize> = self.model.handed_out.iter().copied().collect();
            for index in handed_out {
                self.begin(index);
            }
            while !self.model.in_flight.is_empty() {
                self.finish(0, Next::Done);
            }
        }
        assert_eq!(self.model.owed, BTreeSet::new());
        for index in self.model.known.keys() {
            assert!(self.scene.queue.is_idle(&name(*index)), "{index}");
        }
        assert!(self.scene.queue.update_silently(|state| state.is_at_rest()));
    }
}

fn next() -> impl Strategy<Value = Next> {
    let seconds = |seconds: u64| Duration::from_secs(seconds);
    prop_oneof![
        Just(Next::Done),
        Just(Next::Stalled),
        Just(Next::Retry),
        (0..60u64).prop_map(move |it| Next::RetryAfter(seconds(it))),
        (0..60u64).prop_map(move |it| blocked(seconds(it))),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let key = 0..8usize;
    let trigger = prop_oneof![Just(Trigger::Changed), Just(Trigger::DependencyChanged), Just(Trigger::Resync)];
    prop_oneof![
        3 => key.clone().prop_map(Call::Change),
        2 => key.clone().prop_map(Call::Adopt),
        1 => key.clone().prop_map(Call::Recreate),
        4 => (key.clone(), trigger).prop_map(|(index, trigger)| Call::Trigger(index, trigger)),
        1 => (0..LANES.len()).prop_map(Call::TriggerUnfinished),
        1 => key.clone().prop_map(Call::Remove),
        6 => Just(Call::Read),
        8 => key.prop_map(Call::Begin),
        6 => (0..8usize, next()).prop_map(|(number, next)| Call::Finish(number, next)),
        1 => Just(Call::Release),
        2 => (0..90_000u64).prop_map(Call::Advance),
    ]
}

proptest! {
    /// Every key that was triggered or failed is handed out in the end; a key is never in flight twice; the slots bound what
    /// is in flight; no background work overtakes an edit of its lane.
    #[test]
    fn random_calls_lose_and_overfill_nothing(calls in prop::collection::vec(call(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut run = Run { scene: Scene::new(SLOTS, BACKGROUND_SLOTS), model: Model::default() };
            for call in calls {
                if let Call::Advance(milliseconds) = call {
                    tokio::time::advance(Duration::from_millis(milliseconds)).await;
                }
                run.call(call);
            }
            run.settle().await;
        });
    }
}
