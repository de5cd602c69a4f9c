//! Applications that resolve flags with a credential's secret, and what the server makes known of it: `lastSeenTime` comes
//! late, and for many uses at once.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::config::Config;

/// An application resolved flags with the secret of this credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Use {
    /// When, on the server's clock.
    pub time: Timestamp,
    /// The account of the credential.
    pub account: String,
    /// The id of the client.
    pub client: String,
    /// The id of the credential.
    pub credential: String,
}

/// No live credential has the secret that an application resolved with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSecret;

impl std::fmt::Display for UnknownSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no credential has this secret")
    }
}

impl std::error::Error for UnknownSecret {}

/// The uses so far, and those that no `lastSeenTime` tells of yet.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    log: VecDeque<Use>,
    unreported: Vec<(Instant, Use)>,
}

impl Uses {
    /// Takes a use down. `milliseconds` is the time since the server began.
    pub fn add(&mut self, used: Use, milliseconds: u64, config: &Config) {
        let batch = config.seen_batch_milliseconds.max(1);
        let wait = milliseconds.next_multiple_of(batch) - milliseconds + config.seen_delay_milliseconds;
        self.unreported.push((Instant::now() + Duration::from_millis(wait), used.clone()));
        self.log.push_back(used);
        while config.record_limit.is_some_and(|limit| self.log.len() > limit) {
            self.log.pop_front();
        }
    }

    /// The uses whose time to be reported has come, each once.
    pub fn take_due(&mut self) -> Vec<Use> {
        let now = Instant::now();
        self.unreported.extract_if(.., |(due, _)| *due <= now).map(|(_, used)| used).collect()
    }

    pub fn log(&self) -> impl Iterator<Item = &Use> {
        self.log.iter()
    }
}
