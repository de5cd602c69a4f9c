//! The server as a value, and the controls that a test has.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::api;
use crate::config::{Config, Token};
use crate::faults::{Fault, FaultId};
use crate::record::{Call, Stats};
use crate::state::State;
use crate::store::{Credential, Ids};

/// Who a foreign edit is by.
pub const SOMEBODY_ELSE: &str = "identities/somebody-else";

/// A Confidence IAM server without sockets. Cheap to clone.
#[derive(Clone)]
pub struct Simulator {
    state: Arc<Mutex<State>>,
    changes: watch::Sender<()>,
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").finish_non_exhaustive()
    }
}

impl Simulator {
    /// A server without credentials.
    pub fn new(config: Config) -> Self {
        Self::starting_at(config, Timestamp::now())
    }

    /// The same, at another time of day: with paused time, the same calls then get the same answers to the byte.
    pub fn starting_at(config: Config, now: Timestamp) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(config, now))), changes: watch::channel(()).0 }
    }

    /// The whole API as a tower service, with the admin API below `/admin/`.
    pub fn router(&self) -> Router {
        Router::new().nest("/admin", crate::admin::router()).fallback(api::answer).with_state(self.clone())
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits for a change.
    pub(crate) fn stir(&self) {
        self.changes.send_modify(|()| {});
    }

    pub(crate) fn arrived(&self, call: &Call) -> usize {
        let index = self.state().arrive(call);
        self.stir();
        index
    }

    pub(crate) fn half_latency(&self) -> Duration {
        Duration::from_millis(self.state().config.latency_milliseconds) / 2
    }
}

/// The credentials, as somebody with other means than the API has them.
impl Simulator {
    /// Puts a credential in, over one with these ids if there is one.
    pub fn put(&self, client: &str, id: &str, credential: Credential) {
        let mut state = self.state();
        let now = state.now();
        state.store.put(ids(client, id), credential, now);
        drop(state);
        self.stir();
    }

    /// The credential as it is now.
    pub fn get(&self, client: &str, id: &str) -> Option<Credential> {
        self.state().store.get(&ids(client, id)).cloned()
    }

    /// All credentials as they are now.
    pub fn all(&self) -> BTreeMap<Ids, Credential> {
        self.state().store.all().clone()
    }

    /// Somebody else changes a credential: `updateTime` and `updater` move before the change is made, which may set them
    /// otherwise. Tells whether there is one.
    pub fn edit(&self, client: &str, id: &str, change: impl FnOnce(&mut Credential)) -> bool {
        let mut state = self.state();
        let now = state.now();
        let now = state.store.tick(now);
        let Some(credential) = state.store.get_mut(&ids(client, id)) else { return false };
        SOMEBODY_ELSE.clone_into(&mut credential.updater);
        credential.update_time = Some(now);
        change(credential);
        drop(state);
        self.stir();
        true
    }

    /// The credential resolves a flag now: `lastSeenTime` moves and nothing else. Tells whether there is one.
    pub fn touch(&self, client: &str, id: &str) -> bool {
        let mut state = self.state();
        let now = state.now();
        let Some(credential) = state.store.get_mut(&ids(client, id)) else { return false };
        credential.last_seen_time = Some(now);
        drop(state);
        self.stir();
        true
    }

    /// Somebody else deletes a credential.
    pub fn delete(&self, client: &str, id: &str) -> Option<Credential> {
        let deleted = self.state().store.delete(&ids(client, id));
        self.stir();
        deleted
    }
}

/// The record.
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

    async fn changed_until<T>(&self, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            if let Some(found) = look(self) {
                return found;
            }
            // The sender lives as long as `self`.
            let _ = changes.changed().await;
        }
    }
}

/// How it behaves.
impl Simulator {
    /// Adds a fault.
    pub fn fault(&self, fault: Fault) -> FaultId {
        self.state().faults.push(fault)
    }

    /// The faults in force, as far as they are not used up.
    pub fn faults(&self) -> Vec<(FaultId, Fault)> {
        self.state().faults.list()
    }

    /// Takes a fault away. Tells whether it was still there.
    pub fn remove_fault(&self, id: FaultId) -> bool {
        self.state().faults.remove(id)
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// How it behaves now.
    pub fn config(&self) -> Config {
        self.state().config.clone()
    }

    /// Changes how it behaves.
    pub fn reconfigure(&self, change: impl FnOnce(&mut Config)) {
        change(&mut self.state().config);
        self.stir();
    }

    /// Accepts one more token.
    pub fn add_token(&self, text: &str, token: Token) {
        self.reconfigure(|config| drop(config.tokens.insert(text.to_owned(), token)));
    }

    /// Refuses a token from now on. Tells whether it was valid.
    pub fn revoke_token(&self, text: &str) -> bool {
        let mut state = self.state();
        let was_configured = state.config.tokens.remove(text).is_some();
        state.tokens.revoke(text) || was_configured
    }

    /// Refuses all tokens that were issued by exchange up to now.
    pub fn revoke_issued_tokens(&self) {
        self.state().tokens.revoke_all();
    }
}

fn ids(client: &str, credential: &str) -> Ids {
    (client.to_owned(), credential.to_owned())
}
