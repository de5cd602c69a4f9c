//! What one process has seen of one credential, and what of it still counts.

use confidence_simulator::Credential;
use tokio::time::Instant;

/// A credential in an answer.
#[derive(Clone, Debug)]
pub struct Sight {
    /// With the secret only if the answer told it.
    pub credential: Credential,
    /// Since when the request may have been decided on.
    pub asked: Instant,
    /// When the credential was so.
    pub at: Instant,
    pub arrived: Instant,
    /// Whether it is the answer to an update.
    pub by_own_write: bool,
}

impl Sight {
    /// Whether this one is newer, however one looks at it. What was asked for before the other came may have been carried out
    /// before it, and a server whose replicas lag may show something old to a new question.
    fn is_newer_than(&self, other: &Self) -> bool {
        let asked_later = self.asked >= other.arrived || (self.by_own_write && self.at > other.at);
        asked_later && self.credential.update_time >= other.credential.update_time
    }
}

/// What one process has seen of one credential.
#[derive(Clone, Debug, Default)]
pub struct Sights {
    all: Vec<Sight>,
    /// When its own last update was carried out, or may have been.
    written: Option<Instant>,
}

impl Sights {
    pub fn add(&mut self, sight: Sight) {
        if sight.by_own_write {
            self.written = Some(sight.at);
        }
        self.all.push(sight);
    }

    /// The outcome of an update that left then is not known: what was seen before says nothing any more.
    pub fn lose(&mut self, at: Instant) {
        self.written = Some(at);
    }

    /// Those that were the newest at that time or came later; all, where there is no such time.
    pub fn newest_since(&self, since: Option<Instant>) -> impl Iterator<Item = &Sight> {
        let known = move |it: &&Sight| since.is_some_and(|since| it.arrived <= since);
        let outdone = move |sight: &Sight| self.all.iter().filter(known).any(|other| other.is_newer_than(sight));
        self.all.iter().filter(move |sight| !outdone(sight))
    }

    /// The same of those from which an update may be planned: not what was so before the last one.
    pub fn to_plan_from(&self, since: Instant) -> impl Iterator<Item = &Sight> {
        self.newest_since(Some(since)).filter(|sight| self.written.is_none_or(|written| sight.at >= written))
    }
}
