//! Who is next: writes before checks, each in the order in which they came.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::Priority;
use super::hold::Ticket;
use crate::confidence::error::Error;

/// A call that waits for its turn. One whose caller went away is passed over.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) ticket: Ticket,
    turn: oneshot::Sender<Result<(), Error>>,
}

impl Waiter {
    pub(super) fn new(ticket: Ticket) -> (Self, oneshot::Receiver<Result<(), Error>>) {
        let (turn, receiver) = oneshot::channel();
        (Self { ticket, turn }, receiver)
    }

    /// Tells the caller; `false` if it went away.
    pub(super) fn tell(self, turn: Result<(), Error>) -> bool {
        self.turn.send(turn).is_ok()
    }
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    writes: VecDeque<Waiter>,
    checks: VecDeque<Waiter>,
}

impl Queue {
    pub(super) fn push(&mut self, priority: Priority, waiter: Waiter) {
        match priority {
            Priority::Interactive => self.writes.push_back(waiter),
            Priority::Background => self.checks.push_back(waiter),
        }
    }

    /// Whether anybody waits, apart from those who went away.
    pub(super) fn is_empty(&mut self) -> bool {
        for line in [&mut self.writes, &mut self.checks] {
            while line.front().is_some_and(|waiter| waiter.turn.is_closed()) {
                line.pop_front();
            }
        }
        self.writes.is_empty() && self.checks.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<Waiter> {
        self.writes.pop_front().or_else(|| self.checks.pop_front())
    }

    /// Empties the queue, writes first.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Waiter> {
        self.writes.drain(..).chain(self.checks.drain(..))
    }

    /// How many wait: writes, checks.
    pub(super) fn depths(&self) -> (usize, usize) {
        (self.writes.len(), self.checks.len())
    }
}
