//! Who gets the next permit: interactive calls before background calls, and within each priority the flows in turn.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::circuit_breaker::Ticket;
use super::{Priority, Requester};
use crate::confidence::error::Error;

/// After so many interactive calls in a row one background call goes, so that edits in a loop cannot end all checks.
const MAX_INTERACTIVE_IN_A_ROW: u32 = 4;

/// A call that waits for a permit. A waiter whose caller went away is passed over.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) ticket: Ticket,
    pub(super) requester: Requester,
    answer: oneshot::Sender<Result<(), Error>>,
}

impl Waiter {
    pub(super) fn new(ticket: Ticket, requester: Requester) -> (Self, oneshot::Receiver<Result<(), Error>>) {
        let (answer, receiver) = oneshot::channel();
        (Self { ticket, requester, answer }, receiver)
    }

    /// Answers the caller; `false` if it went away.
    pub(super) fn answer(self, answer: Result<(), Error>) -> bool {
        self.answer.send(answer).is_ok()
    }

    fn is_gone(&self) -> bool {
        self.answer.is_closed()
    }
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    interactive: Flows,
    background: Flows,
    interactive_in_a_row: u32,
}

impl Queue {
    pub(super) fn push(&mut self, waiter: Waiter) {
        match waiter.requester.priority {
            Priority::Interactive => self.interactive.push(waiter),
            Priority::Background => self.background.push(waiter),
        }
    }

    /// Whether nobody waits, apart from those who went away.
    pub(super) fn is_empty(&mut self) -> bool {
        self.interactive.is_empty() && self.background.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<Waiter> {
        let background_is_due = self.interactive_in_a_row >= MAX_INTERACTIVE_IN_A_ROW && !self.background.is_empty();
        if !background_is_due && let Some(waiter) = self.interactive.pop() {
            self.interactive_in_a_row += 1;
            return Some(waiter);
        }
        self.interactive_in_a_row = 0;
        self.background.pop()
    }

    /// Empties the queue, interactive calls first.
    pub(super) fn drain(&mut self) -> Vec<Waiter> {
        let flows = [&mut self.interactive, &mut self.background];
        flows.into_iter().flat_map(|flows| std::iter::from_fn(|| flows.pop())).collect()
    }

    /// How many calls of a priority wait.
    pub(super) fn depth(&self, priority: Priority) -> usize {
        match priority {
            Priority::Interactive => self.interactive.depth(),
            Priority::Background => self.background.depth(),
        }
    }
}

/// The calls of one priority, by flow.
#[derive(Debug, Default)]
struct Flows {
    waiters: HashMap<Arc<str>, VecDeque<Waiter>>,
    /// Every flow that has waiters, the next one first.
    turns: VecDeque<Arc<str>>,
}

impl Flows {
    fn push(&mut self, waiter: Waiter) {
        let flow = Arc::clone(&waiter.requester.flow);
        let waiters = self.waiters.entry(Arc::clone(&flow)).or_default();
        if waiters.is_empty() {
            self.turns.push_back(flow);
        }
        waiters.push_back(waiter);
    }

    fn is_empty(&mut self) -> bool {
        self.skip_gone();
        self.turns.is_empty()
    }

    fn pop(&mut self) -> Option<Waiter> {
        self.skip_gone();
        let flow = self.turns.pop_front()?;
        let waiters = self.waiters.get_mut(&flow)?;
        let waiter = waiters.pop_front();
        if waiters.is_empty() {
            self.waiters.remove(&flow);
        } else {
            self.turns.push_back(flow);
        }
        waiter
    }

    /// Brings a waiter whose caller is still there to the front, if there is one.
    fn skip_gone(&mut self) {
        while let Some(flow) = self.turns.front() {
            if let Some(waiters) = self.waiters.get_mut(flow) {
                while waiters.front().is_some_and(Waiter::is_gone) {
                    waiters.pop_front();
                }
                if !waiters.is_empty() {
                    return;
                }
            }
            self.waiters.remove(flow);
            self.turns.pop_front();
        }
    }

    fn depth(&self) -> usize {
        self.waiters.values().flatten().filter(|waiter| !waiter.is_gone()).count()
    }
}
