//! The record of what the server received and what it answered.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::faults::FaultKind;

/// Which call of the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallKind {
    /// GET of a credential.
    Get,
    /// GET of the credentials of a client.
    List,
    /// POST of a new credential.
    Create,
    /// PATCH of a credential.
    Update,
    /// DELETE of a credential.
    Delete,
    /// GET of the clients.
    #[serde(rename = "listClients")]
    ListClients,
    /// POST for a token.
    Token,
    /// Anything else.
    #[default]
    Other,
}

/// A call that the server received. Holds the body as it came, secrets included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Call {
    /// Counts all calls from 0, in the order of arrival.
    pub index: usize,
    /// When it came, on the server's clock.
    pub time: Timestamp,
    /// When it came, in milliseconds since the server began.
    pub milliseconds: u64,
    /// Which call of the API it is.
    pub kind: CallKind,
    /// The method and the path with its query, as they came.
    pub line: String,
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The id of the client.
    pub client: Option<String>,
    /// The id of the credential.
    pub credential: Option<String>,
    /// The paths of the update mask, right or wrong, in the order in which they came.
    pub mask: Vec<String>,
    /// The body: null if there is none or it was not read, a text if it is not JSON.
    pub body: Value,
    /// The bearer token, valid or not.
    pub token: Option<String>,
    /// The account of the token, or of the API client that asks for one; none, where that is not valid.
    pub account: Option<String>,
    /// Whom the token stands for, if it is valid.
    pub identity: Option<String>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// The fault that it met.
    pub fault: Option<FaultKind>,
    /// Whether the server has decided on the answer: only the way back, or a hang without end, may lie ahead. A call whose
    /// caller left before its turn came never gets there. A write that lands late does so after this.
    pub settled: bool,
    /// When it was carried out, on the server's clock: never, if it was refused; twice, if a proxy repeated it.
    pub landed: Vec<Timestamp>,
    /// The ids of the credentials that it created.
    pub created: Vec<String>,
    /// The status of the answer; none while there is none, or where there never will be one.
    pub status: Option<u16>,
    /// The JSON that a create or an update was answered with.
    pub answer: Option<Value>,
    /// What the server let pass and a good client would not do, such as a field in the body that the mask does not name.
    pub violations: Vec<String>,
    /// For an update that was carried out: whether it changed any value.
    pub changed: Option<bool>,
}

impl Call {
    /// Whether the server did what it asks for, by now.
    pub fn is_carried_out(&self) -> bool {
        !self.landed.is_empty()
    }
}

/// What has been counted since the start, or since the record was cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stats {
    /// Calls received, by kind.
    pub calls: BTreeMap<CallKind, u64>,
    /// Answers, by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Calls that were left without an answer on purpose, by a reset or a hang.
    pub unanswered: u64,
    /// Updates that changed a value.
    pub writes_changed: u64,
    /// Updates that were carried out and changed no value.
    pub writes_unchanged: u64,
    /// Calls with a violation.
    pub with_violations: u64,
}

impl Stats {
    /// Calls of a kind.
    pub fn count(&self, kind: CallKind) -> u64 {
        self.calls.get(&kind).copied().unwrap_or_default()
    }
}

/// What a call did when it was carried out.
#[derive(Debug, Default)]
pub(crate) struct Landing {
    pub violations: Vec<String>,
    pub changed: Option<bool>,
    pub created: Option<String>,
}

/// The record, bounded if asked to be.
#[derive(Debug, Default)]
pub(crate) struct Record {
    calls: VecDeque<Call>,
    next: usize,
    stats: Stats,
}

impl Record {
    /// Records an arrival and gives it its index.
    pub fn arrive(&mut self, mut call: Call, limit: Option<usize>) -> usize {
        let index = self.next;
        self.next += 1;
        *self.stats.calls.entry(call.kind).or_default() += 1;
        call.index = index;
        self.calls.push_back(call);
        while limit.is_some_and(|limit| self.calls.len() > limit) {
            self.calls.pop_front();
        }
        index
    }

    /// Records that a call was carried out. One that was cleared meanwhile still counts.
    pub fn land(&mut self, index: usize, time: Timestamp, landing: Landing) {
        match landing.changed {
            Some(true) => self.stats.writes_changed += 1,
            Some(false) => self.stats.writes_unchanged += 1,
            None => {}
        }
        self.stats.with_violations += u64::from(!landing.violations.is_empty());
        if let Some(call) = self.get_mut(index) {
            call.landed.push(time);
            call.created.extend(landing.created);
            call.violations = landing.violations;
            call.changed = landing.changed;
        }
    }

    /// Records what a call is answered. One that was cleared meanwhile still counts.
    pub fn settle(&mut self, index: usize, status: Option<u16>, answer: Option<Value>) {
        match status {
            Some(status) => *self.stats.statuses.entry(status).or_default() += 1,
            None => self.stats.unanswered += 1,
        }
        if let Some(call) = self.get_mut(index) {
            call.settled = true;
            call.status = status;
            call.answer = answer;
        }
    }

    fn get_mut(&mut self, index: usize) -> Option<&mut Call> {
        let position = self.calls.partition_point(|call| call.index < index);
        self.calls.get_mut(position).filter(|call| call.index == index)
    }

    /// What is kept, from an index on.
    pub fn since(&self, index: usize) -> impl Iterator<Item = &Call> {
        self.calls.range(self.calls.partition_point(|call| call.index < index)..)
    }

    /// The index of the next arrival.
    pub fn next_index(&self) -> usize {
        self.next
    }

    /// The counts.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Forgets calls and counts; the indices go on.
    pub fn clear(&mut self) {
        self.calls.clear();
        self.stats = Stats::default();
    }
}
