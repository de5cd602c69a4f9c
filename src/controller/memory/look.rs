//! What was last seen of one credential: the ground for the next plan, and what a list is compared with.

use std::time::Duration;

use tokio::time::Instant;

use super::kept::Kept;
use crate::confidence::wire::ClientCredential;
use crate::plan::Look;

/// For so long a server may answer with what it had before: reads may come from a copy that follows.
const LAG: Duration = Duration::from_mins(1);

/// A credential as it was seen.
#[derive(Clone, Debug)]
pub(in crate::controller) struct Remembered {
    /// Without its secret, which is not kept.
    pub(in crate::controller) credential: ClientCredential,
    /// Whether the server told the secret.
    pub(in crate::controller) told: bool,
    /// How it was looked at.
    pub(in crate::controller) look: Look,
    /// When it was certainly so, or later: for a read, when it was asked for; for an update, when it was answered.
    pub(in crate::controller) at: Instant,
}

impl Remembered {
    /// What an answer says.
    pub(in crate::controller) fn new(mut credential: ClientCredential, look: Look, at: Instant) -> Self {
        let told = credential.client_secret.take().is_some();
        Self { credential, told, look, at }
    }

    /// What was read.
    pub(in crate::controller) fn read(credential: ClientCredential, at: Instant) -> Self {
        Self::new(credential, Look::Read, at)
    }
}

/// What became of something that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::controller) enum Seen {
    /// It is new.
    New,
    /// It is as was known.
    Same,
    /// Something newer is known, or under way.
    Older,
}

/// The last look, and since when looks count.
#[derive(Debug, Default)]
pub(super) struct Sight {
    last: Option<Last>,
    /// What was seen before may be wrong by now.
    since: Option<Instant>,
}

/// The last look, in little room.
#[derive(Debug)]
struct Last {
    kept: Box<Kept>,
    told: bool,
    look: Look,
    at: Instant,
}

impl Last {
    /// Whether a look is older than this one: by our own clock, or, as a server may answer with what it had a moment ago, by
    /// the server's. After a while an earlier `updateTime` is the truth: a server that was restored from a backup.
    fn outdoes(&self, look: &Remembered) -> bool {
        let later = look.at.saturating_duration_since(self.at);
        self.at > look.at || (later < LAG && self.kept.update_time > look.credential.update_time)
    }
}

impl Sight {
    /// Whether there is a look that counts.
    pub(super) fn has_one(&self) -> bool {
        self.last.is_some()
    }

    /// The last look, if it was not longer ago.
    pub(super) fn last(&self, max_age: Duration) -> Option<Remembered> {
        let last = self.last.as_ref().filter(|last| last.at.elapsed() <= max_age)?;
        Some(Remembered { credential: last.kept.credential(), told: last.told, look: last.look, at: last.at })
    }

    /// Takes up a look, unless something newer is known: by our own clock, or by the server's.
    pub(super) fn renew(&mut self, look: Remembered) -> Seen {
        let too_old = self.since.is_some_and(|since| look.at < since);
        if too_old || self.last.as_ref().is_some_and(|last| last.outdoes(&look)) {
            return Seen::Older;
        }
        let same = self.is_as(&look.credential);
        let Remembered { credential, told, look, at } = look;
        self.last = Some(Last { kept: Box::new(credential.into()), told, look, at });
        if same { Seen::Same } else { Seen::New }
    }

    /// Whether a credential is as the last look has it, its secret aside.
    pub(super) fn is_as(&self, credential: &ClientCredential) -> bool {
        self.last.as_ref().is_some_and(|last| last.kept.is_of(credential))
    }

    /// The last look was confirmed.
    pub(super) fn seen_again(&mut self, at: Instant) {
        if let Some(last) = &mut self.last {
            last.at = last.at.max(at);
        }
    }

    /// From now on, only a new look counts.
    pub(super) fn forget(&mut self) {
        self.last = None;
        self.since = Some(Instant::now());
    }
}
