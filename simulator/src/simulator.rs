//! The server as a value: its state, and the controls that a test has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::api::{self, Call};
use crate::config::{Config, Token};
use crate::faults::{self, Fault, FaultKind};
use crate::store::{Credential, Ids, Store};

/// A Confidence IAM server without sockets. Cheap to clone.
#[derive(Clone)]
pub struct Simulator {
    state: Arc<Mutex<State>>,
    calls: watch::Sender<usize>,
}

pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) store: Store,
    calls: Vec<Call>,
    faults: Vec<Fault>,
    issued: BTreeMap<String, Instant>,
    tokens_issued: u64,
    window: (u64, u32),
    /// Time is tokio's, so that a test can pause it, from a wall clock's beginning.
    began: (Timestamp, Instant),
}

impl Simulator {
    /// A server without credentials.
    pub fn new(config: Config) -> Self {
        Self::starting_at(config, Timestamp::now())
    }

    /// The same, at another time of day.
    pub fn starting_at(config: Config, now: Timestamp) -> Self {
        let state = State {
            config,
            store: Store::default(),
            calls: Vec::new(),
            faults: Vec::new(),
            issued: BTreeMap::new(),
            tokens_issued: 0,
            window: (0, 0),
            began: (now, Instant::now()),
        };
        Self { state: Arc::new(Mutex::new(state)), calls: watch::channel(0).0 }
    }

    /// The whole API as a tower service, with the admin API below `/admin/`.
    pub fn router(&self) -> Router {
        Router::new().nest("/admin", crate::admin::router()).fallback(api::answer).with_state(self.clone())
    }

    /// Puts a credential in.
    pub fn put(&self, client: &str, id: &str, credential: Credential) {
        let mut state = self.state();
        let now = state.now();
        state.store.put((client.to_owned(), id.to_owned()), credential, now);
    }

    /// The credential as it is now.
    pub fn get(&self, client: &str, id: &str) -> Option<Credential> {
        self.state().store.get(&(client.to_owned(), id.to_owned())).cloned()
    }

    /// All credentials as they are now.
    pub fn all(&self) -> BTreeMap<Ids, Credential> {
        self.state().store.all().clone()
    }

    /// Somebody else changes a credential. Tells whether there is one.
    pub fn edit(&self, client: &str, id: &str, change: impl FnOnce(&mut Credential)) -> bool {
        let mut state = self.state();
        let now = state.now();
        let now = state.store.tick(now);
        let Some(credential) = state.store.get_mut(&(client.to_owned(), id.to_owned())) else { return false };
        "identities/somebody-else".clone_into(&mut credential.updater);
        credential.update_time = Some(now);
        change(credential);
        true
    }

    /// Somebody else deletes a credential.
    pub fn delete(&self, client: &str, id: &str) -> Option<Credential> {
        self.state().store.delete(&(client.to_owned(), id.to_owned()))
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// How many calls there were.
    pub fn call_count(&self) -> usize {
        self.state().calls.len()
    }

    /// Waits until the calls so far are as wanted; answers them.
    pub async fn until(&self, wanted: impl Fn(&[Call]) -> bool) -> Vec<Call> {
        let mut news = self.calls.subscribe();
        loop {
            news.borrow_and_update();
            let calls = self.calls();
            if wanted(&calls) {
                return calls;
            }
            // The sender lives as long as `self`.
            let _ = news.changed().await;
        }
    }

    /// Adds a fault.
    pub fn fault(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Changes how the server behaves.
    pub fn reconfigure(&self, change: impl FnOnce(&mut Config)) {
        change(&mut self.state().config);
    }

    /// Refuses all tokens that were issued by exchange from now on.
    pub fn revoke_issued_tokens(&self) {
        self.state().issued.clear();
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a call; tells its number, its fault and how long it is to take.
    pub(crate) fn received(&self, call: &Call) -> (usize, Option<FaultKind>, Duration) {
        let mut state = self.state();
        let index = state.calls.len();
        let milliseconds = u64::try_from(state.began.1.elapsed().as_millis()).unwrap_or(u64::MAX);
        let fault = faults::take(&mut state.faults, call);
        state.calls.push(Call { index, milliseconds, ..call.clone() });
        let latency = Duration::from_millis(state.config.latency_milliseconds);
        drop(state);
        self.calls.send_replace(index + 1);
        (index, fault, latency)
    }

    pub(crate) fn answered(&self, index: usize, status: Option<u16>) {
        if let Some(call) = self.state().calls.get_mut(index) {
            call.status = status;
        }
        self.calls.send_modify(|_| {});
    }
}

impl State {
    pub(crate) fn now(&self) -> Timestamp {
        self.began.0 + self.began.1.elapsed()
    }

    /// What a token is for, if it is one.
    pub(crate) fn token(&self, token: &str) -> Option<Token> {
        let issued = self.issued.get(token).filter(|end| **end > Instant::now());
        self.config.tokens.get(token).cloned().or_else(|| issued.map(|_| Token::default()))
    }

    pub(crate) fn new_token(&mut self) -> String {
        self.tokens_issued += 1;
        let token = format!("issued-token-{}", self.tokens_issued);
        self.issued.insert(token.clone(), Instant::now() + Duration::from_secs(self.config.token_seconds));
        token
    }

    /// Counts a call against the quota of this second.
    pub(crate) fn over_quota(&mut self) -> bool {
        let Some(quota) = self.config.quota else { return false };
        let second = self.began.1.elapsed().as_secs();
        if self.window.0 != second {
            self.window = (second, 0);
        }
        self.window.1 += 1;
        self.window.1 > quota
    }
}
