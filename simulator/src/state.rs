//! Everything that the server knows, behind one lock. A call is carried out in one moment, so the calls never see each
//! other half done.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::config::{Config, DEFAULT_ACCOUNT};
use crate::faults::Queue;
use crate::record::{Call, Record};
use crate::store::{Credential, Ids, Lags, Store};
use crate::tokens::{Caller, IssuedTokens};
use crate::uses::{UnknownSecret, Use, Uses};
use crate::writes::Write;

pub(crate) struct State {
    pub config: Config,
    pub clock: Clock,
    pub record: Record,
    pub faults: Queue,
    pub tokens: IssuedTokens,
    pub uses: Uses,
    /// Writes that the observers have not been told of; `None` where nobody observes.
    pub writes: Option<Vec<Write>>,
    stores: BTreeMap<String, Store>,
    windows: BTreeMap<String, Window>,
    ids: u64,
}

impl State {
    pub fn new(config: Config, now: Timestamp) -> Self {
        Self {
            config,
            clock: Clock::starting_at(now),
            record: Record::default(),
            faults: Queue::default(),
            tokens: IssuedTokens::default(),
            uses: Uses::default(),
            writes: None,
            stores: BTreeMap::new(),
            windows: BTreeMap::new(),
            ids: 0,
        }
    }

    /// The time on the server's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now(self.config.clock_skew_milliseconds)
    }

    /// The time of a write that happens now.
    pub fn tick(&mut self) -> Timestamp {
        self.clock.tick(self.config.clock_skew_milliseconds)
    }

    /// An id that was not given out before; the same ones in the same order in every run.
    pub fn new_id(&mut self) -> String {
        self.ids += 1;
        format!("created{:06}", self.ids)
    }

    /// The clients and credentials of an account.
    pub fn store(&mut self, account: &str) -> &mut Store {
        self.stores.entry(account.to_owned()).or_default()
    }

    /// How far reads are behind.
    pub fn lags(&self) -> Lags {
        let get_of_deleted = Duration::from_millis(self.config.delete_lag_milliseconds);
        Lags { list: self.config.list_lag, get_of_deleted }
    }

    /// Puts a credential in or takes it out, and tells the observers of it.
    pub fn write(&mut self, account: &str, ids: &Ids, after: Option<Credential>, call: Option<usize>) {
        let (time, lags) = (self.now(), self.lags());
        let told = self.writes.is_some().then(|| after.clone());
        let before = self.store(account).set(ids, after, &lags);
        if let (Some(after), Some(writes)) = (told, &mut self.writes) {
            let (client, credential) = ids.clone();
            writes.push(Write { time, account: account.to_owned(), client, credential, before, after, call });
        }
    }

    /// Who calls with a token, if it is valid.
    pub fn caller(&self, token: &str) -> Option<Caller> {
        let configured = self.config.token(token);
        let configured = configured.map(|(name, token)| Caller { account: name.to_owned(), token: token.clone() });
        configured.or_else(|| self.tokens.find(token).cloned())
    }

    /// Puts a call on record; tells its index.
    pub fn arrive(&mut self, call: &Call) -> usize {
        let call = Call { time: self.now(), milliseconds: self.clock.milliseconds(), ..call.clone() };
        self.record.arrive(call, self.config.record_limit)
    }

    /// Counts a call against the quota of this second, of its account or of the default one.
    pub fn is_over_quota(&mut self, account: Option<&str>) -> bool {
        let account = account.unwrap_or(DEFAULT_ACCOUNT);
        let Some(quota) = self.config.quota_of(account).0 else { return false };
        let second = self.clock.milliseconds() / 1000;
        self.windows.entry(account.to_owned()).or_default().count(second) > quota
    }
}

/// Uses of credentials.
impl State {
    /// An application resolves with a secret.
    pub fn resolve(&mut self, secret: &str) -> Result<Use, UnknownSecret> {
        let time = self.now();
        let of_account = |(account, store): (&String, &Store)| {
            let found = store.all().iter().find(|(_, it)| it.secret == secret);
            found.map(|((client, id), _)| (account.clone(), client.clone(), id.clone()))
        };
        let found = if secret.is_empty() { None } else { self.stores.iter().find_map(of_account) };
        let (account, client, credential) = found.ok_or(UnknownSecret)?;
        let used = Use { time, account, client, credential };
        self.uses.add(used.clone(), self.clock.milliseconds(), &self.config);
        Ok(used)
    }

    /// Reports the uses whose time has come.
    pub fn report_uses(&mut self) {
        for Use { time, account, client, credential } in self.uses.take_due() {
            self.store(&account).see(&(client, credential), time);
        }
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
