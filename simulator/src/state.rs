//! Everything that the server knows, behind one lock. A call is carried out in one moment, so the calls never see each
//! other half done.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::config::{Config, Token};
use crate::faults::Queue;
use crate::record::{Call, Record};
use crate::store::Store;

pub(crate) struct State {
    pub config: Config,
    pub store: Store,
    pub record: Record,
    pub faults: Queue,
    pub tokens: Issued,
    quota: Window,
    /// Time is tokio's, so that a test can pause it, from a given wall clock's beginning.
    began: (Timestamp, Instant),
}

impl State {
    pub fn new(config: Config, now: Timestamp) -> Self {
        Self {
            config,
            store: Store::default(),
            record: Record::default(),
            faults: Queue::default(),
            tokens: Issued::default(),
            quota: Window::default(),
            began: (now, Instant::now()),
        }
    }

    /// The time on the server's clock.
    pub fn now(&self) -> Timestamp {
        self.began.0 + self.began.1.elapsed()
    }

    /// Puts a call on record; tells its index.
    pub fn arrive(&mut self, call: &Call) -> usize {
        let token = call.token.as_deref().and_then(|token| self.tokens.find(token, &self.config));
        let call = Call {
            time: self.now(),
            milliseconds: u64::try_from(self.began.1.elapsed().as_millis()).unwrap_or(u64::MAX),
            identity: token.map(|token| token.identity),
            ..call.clone()
        };
        self.record.arrive(call, self.config.record_limit)
    }

    /// Counts a call against the quota of this second.
    pub fn over_quota(&mut self) -> bool {
        let second = self.began.1.elapsed().as_secs();
        self.config.quota.is_some_and(|quota| self.quota.count(second) > quota)
    }
}

/// The tokens that were exchanged for an id and a secret, and when each ends.
#[derive(Default)]
pub(crate) struct Issued {
    ends: BTreeMap<String, Instant>,
    count: u64,
}

impl Issued {
    /// A token that was not issued before; the same ones in the same order in every run.
    pub fn issue(&mut self, seconds: u64) -> String {
        self.count += 1;
        let token = format!("issued-token-{}", self.count);
        self.ends.insert(token.clone(), Instant::now() + Duration::from_secs(seconds));
        token
    }

    /// What a token is for, if it is valid: one of the configuration, or an issued one that has not ended.
    pub fn find(&self, text: &str, config: &Config) -> Option<Token> {
        let issued = || self.ends.get(text).filter(|end| **end > Instant::now()).map(|_| Token::default());
        config.tokens.get(text).cloned().or_else(issued)
    }

    pub fn revoke(&mut self, text: &str) -> bool {
        self.ends.remove(text).is_some()
    }

    pub fn revoke_all(&mut self) {
        self.ends.clear();
    }
}

/// The calls of the current second.
#[derive(Default)]
struct Window {
    second: u64,
    calls: u32,
}

impl Window {
    fn count(&mut self, second: u64) -> u32 {
        if self.second != second {
            *self = Self { second, calls: 0 };
        }
        self.calls = self.calls.saturating_add(1);
        self.calls
    }
}
