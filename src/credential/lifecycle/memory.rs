//! What only this process knows of a created credential between reconciles. Losing it costs time, never a credential.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::time::Instant;

use crate::confidence::name::CredentialName;
use crate::confidence::wire::ClientCredential;
use crate::credential::observations::Digest;
use crate::engine::{Key, lock};
use crate::plan::lifecycle::{Attempt, AttemptMemory, AttemptOutcome, DryRun, Memory, Unresolved};

/// The memory of all created credentials.
pub(in crate::credential) struct Memories {
    started: Instant,
    entries: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<Remembered>>>>,
}

/// The memory of one resource.
#[derive(Debug, Default)]
pub(in crate::credential) struct Remembered {
    /// The uid of the resource that it is of.
    pub(super) uid: String,
    /// What the decision needs of it.
    pub(super) facts: Memory,
    /// The credential of [`Memory::created`], without its secret.
    pub(super) answer: Option<ClientCredential>,
    /// The secret that the answer to our POST returned, until a Secret with it is acknowledged or its deletion is confirmed.
    pub(super) held: Option<(CredentialName, SecretString)>,
    /// The value that this process published, by its keyed digest.
    pub(super) published: Option<(CredentialName, Digest)>,
    /// The names of the Secrets that this process wrote and that may still be there.
    pub(super) secrets: BTreeSet<String>,
    /// Since when an attempt counts as unresolved, by the server's time.
    pub(super) unresolved_since: HashMap<Attempt, Timestamp>,
}

impl Memories {
    pub(in crate::credential) fn new() -> Self {
        Self { started: Instant::now(), entries: Mutex::default() }
    }

    /// How long this process has run.
    pub(super) fn clock(&self) -> Duration {
        self.started.elapsed()
    }

    /// A time of this process's clock.
    pub(super) fn at(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.started)
    }

    /// The moment at which this process had run for so long.
    pub(super) fn instant(&self, clock: Duration) -> Instant {
        self.started + clock
    }

    /// What is remembered of a resource.
    pub(super) fn of(&self, key: &Key) -> Arc<tokio::sync::Mutex<Remembered>> {
        Arc::clone(lock(&self.entries).entry(key.clone()).or_default())
    }

    /// Forgets a resource that is gone.
    pub(in crate::credential) fn remove(&self, key: &Key) {
        lock(&self.entries).remove(key);
    }
}

impl Remembered {
    /// Begins a reconcile: another resource of the same name begins anew, and what was fetched before counts no more.
    pub(super) fn begin(&mut self, uid: &str) {
        if self.uid != uid {
            *self = Self { uid: uid.to_owned(), ..Self::default() };
        }
        self.facts.fetched.clear();
        // Whoever granted the right or changed the spec since is not to wait for a restart.
        self.facts.dry_run = DryRun::NotDone;
    }

    /// Notes the attempt that the annotation names: one that this process did not write may be another process's, and nobody
    /// knows how it went. An older one, or none, is a record that was lost or restored: what this process knows stands.
    pub(super) fn see_attempt(&mut self, attempt: Option<Attempt>, clock: Duration) {
        let Some(attempt) = attempt else { return };
        let known = self.facts.attempt.map(|it| it.attempt);
        if known.is_none_or(|known| known != attempt && known.number <= attempt.number) {
            let (generation, outcome, lists) = (None, AttemptOutcome::Unknown, 0);
            self.facts.attempt = Some(AttemptMemory { attempt, since: clock, generation, outcome, lists });
        }
    }

    /// Notes that the facts tell what became of an attempt whose answer was lost: the Secret and the credential that tell it
    /// may go.
    pub(super) fn note_resolved(&mut self, is_resolved: bool) {
        if let Some(attempt) =
            self.facts.attempt.as_mut().filter(|it| is_resolved && it.outcome == AttemptOutcome::Unknown)
        {
            attempt.outcome = AttemptOutcome::Found;
        }
    }

    /// Notes since when attempts count as unresolved.
    pub(super) fn note_unresolved(&mut self, unresolved: &[Unresolved]) {
        let known = std::mem::take(&mut self.unresolved_since);
        let since = |it: &Unresolved| (it.attempt, known.get(&it.attempt).copied().unwrap_or(it.since));
        self.unresolved_since = unresolved.iter().map(since).collect();
    }

    /// The answer to the last POST is not needed any more.
    pub(super) fn forget_answer(&mut self) {
        self.facts.created = None;
        self.answer = None;
    }

    /// Notes how the attempt went.
    pub(super) fn set_outcome(&mut self, outcome: AttemptOutcome) {
        if let Some(attempt) = &mut self.facts.attempt {
            attempt.outcome = outcome;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A backup or a person may take the annotation back; a newer one is another process's.
    #[test]
    fn lost_or_older_annotation_forgets_no_attempt() {
        let attempt = |number| Attempt { number, nonce: 7 };
        let mut memory = Remembered::default();
        for (seen, known) in [(None, None), (Some(2), Some(2)), (None, Some(2)), (Some(1), Some(2)), (Some(3), Some(3))]
        {
            memory.see_attempt(seen.map(attempt), Duration::ZERO);
            assert_eq!(memory.facts.attempt.map(|it| it.attempt.number), known, "{seen:?}");
        }
        let other = Attempt { number: 3, nonce: 8 };
        memory.see_attempt(Some(other), Duration::ZERO);
        assert_eq!(memory.facts.attempt.map(|it| it.attempt), Some(other));
    }
}
