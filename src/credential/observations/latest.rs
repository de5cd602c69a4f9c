//! The last observation of one credential, and since when observations count.

use std::time::Duration;

use tokio::time::Instant;

use super::CompactCredential;
use crate::confidence::wire::ClientCredential;
use crate::plan::{Method, Observation};

/// For so long a server may answer with what it had before: reads may come from a replica that lags.
const REPLICA_LAG: Duration = Duration::from_mins(1);

/// How an observation compares with the one that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::credential) enum Age {
    /// It shows something new.
    New,
    /// It shows what is known.
    Same,
    /// A newer one is known, or the resource is gone: it is dropped.
    Older,
}

/// The last observation.
#[derive(Debug, Default)]
pub(super) struct Latest {
    kept: Option<Kept>,
    /// Observations from before count no more.
    valid_from: Option<Instant>,
}

#[derive(Debug)]
struct Kept {
    credential: Box<CompactCredential>,
    is_secret_returned: bool,
    method: Method,
    at: Instant,
}

impl Kept {
    /// Whether an observation is older than this one: by our clock, or, as a replica may lag, by the server's. After a while an
    /// earlier `updateTime` is the truth: the server was restored from a backup.
    fn is_newer_than(&self, credential: &ClientCredential, at: Instant) -> bool {
        let later = at.saturating_duration_since(self.at);
        self.at > at || (later < REPLICA_LAG && self.credential.update_time > credential.update_time)
    }
}

impl Latest {
    pub(super) fn is_some(&self) -> bool {
        self.kept.is_some()
    }

    /// The observation, and whether the server returned the secret with it: the secret itself is not kept.
    pub(super) fn get(&self, max_age: Duration) -> Option<(Observation, bool)> {
        let kept = self.kept.as_ref().filter(|kept| kept.at.elapsed() <= max_age)?;
        let method = if kept.method == Method::Update { Method::Update } else { Method::Cached };
        Some((Observation { credential: kept.credential.credential(), method }, kept.is_secret_returned))
    }

    /// Keeps an observation that was made then.
    pub(super) fn renew(&mut self, observation: Observation, at: Instant) -> Age {
        let Observation { credential, method } = observation;
        let is_invalid = self.valid_from.is_some_and(|from| at < from);
        if is_invalid || self.kept.as_ref().is_some_and(|kept| kept.is_newer_than(&credential, at)) {
            return Age::Older;
        }
        let age = if self.is_as(&credential) { Age::Same } else { Age::New };
        let is_secret_returned = credential.client_secret.is_some();
        self.kept = Some(Kept { credential: Box::new(credential.into()), is_secret_returned, method, at });
        age
    }

    /// Whether a credential is as the observation has it, its secret aside.
    pub(super) fn is_as(&self, credential: &ClientCredential) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.credential.is_as(credential))
    }

    pub(super) fn confirm(&mut self, at: Instant) {
        if let Some(kept) = &mut self.kept {
            kept.at = kept.at.max(at);
        }
    }

    /// From now on, only a new observation counts.
    pub(super) fn invalidate(&mut self) {
        self.kept = None;
        self.valid_from = Some(Instant::now());
    }
}
