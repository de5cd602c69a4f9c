//! The controls that look at what was called and written.

use std::time::Duration;

use super::Simulator;
use crate::record::{Call, Stats};
use crate::uses::Use;
use crate::writes::Write;

/// What was called and written, in all accounts.
impl Simulator {
    /// The calls so far, as far as they are kept.
    pub fn calls(&self) -> Vec<Call> {
        self.calls_since(0)
    }

    /// The calls from an index on.
    pub fn calls_since(&self, index: usize) -> Vec<Call> {
        self.state().record.since(index).cloned().collect()
    }

    /// How many calls there were since the start, cleared ones too: the index of the next one.
    pub fn call_count(&self) -> usize {
        self.state().record.next_index()
    }

    /// Forgets the calls and the counts. The indices go on.
    pub fn clear_calls(&self) {
        self.state().record.clear();
    }

    /// Counts since the start, or since [`Simulator::clear_calls`].
    pub fn stats(&self) -> Stats {
        self.state().record.stats().clone()
    }

    /// Waits until the calls so far are as wanted; answers them.
    pub async fn until(&self, wanted: impl Fn(&[Call]) -> bool) -> Vec<Call> {
        self.changed_until(|simulator| Some(simulator.calls()).filter(|calls| wanted(calls))).await
    }

    /// Waits for a call that is settled and as wanted, past ones included; nothing if there is none in time.
    pub async fn wait_for_call(&self, wanted: impl Fn(&Call) -> bool, timeout: Duration) -> Option<Call> {
        let found =
            |simulator: &Self| simulator.state().record.since(0).find(|call| call.settled && wanted(call)).cloned();
        tokio::time::timeout(timeout, self.changed_until(found)).await.ok()
    }

    /// Waits until the server is as wanted, looked at after each change; tells whether that was in time.
    pub async fn wait_until(&self, wanted: impl Fn(&Self) -> bool, timeout: Duration) -> bool {
        let met = self.changed_until(|simulator| wanted(simulator).then_some(()));
        tokio::time::timeout(timeout, met).await.is_ok()
    }

    /// Tells an observer of each write that lands from now on, in the order of landing and before anything else happens in
    /// the task that it lands in. The observer may look at the simulator, but not write.
    pub fn on_write(&self, observer: impl Fn(&Write) + Send + 'static) {
        self.state().writes.get_or_insert_default();
        self.observers().push(observer);
    }

    /// The uses of credentials so far, reported or not.
    pub fn uses(&self) -> Vec<Use> {
        self.state().uses.log().cloned().collect()
    }

    async fn changed_until<T>(&self, mut find: impl FnMut(&Self) -> Option<T>) -> T {
        let mut changes = self.shared.changes.subscribe();
        loop {
            changes.borrow_and_update();
            if let Some(found) = find(self) {
                return found;
            }
            // The sender lives as long as `self`.
            let _ = changes.changed().await;
        }
    }
}
