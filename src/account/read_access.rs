//! Whether an account may read credentials: concluded from what it was refused.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::confidence::name::CredentialName;

/// How long a refusal counts: a person who grants the scope need not restart anything.
const REFUSAL_LASTS: Duration = Duration::from_hours(1);

/// Refusals of so many credentials are the account's.
const REFUSALS_OF_THE_ACCOUNT: usize = 2;

/// Whether an account may read credentials.
///
/// One refusal is the account's when no read has succeeded within the interval; else it takes two credentials, because
/// permissions differ from credential to credential. One read that succeeds refutes it.
#[derive(Debug, Default)]
pub struct ReadAccess {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    succeeded_at: Option<Instant>,
    refused: HashMap<CredentialName, Instant>,
    is_refused: bool,
}

impl ReadAccess {
    /// Whether the account may not read.
    pub fn is_refused(&self) -> bool {
        let mut state = self.lock();
        state.refused.retain(|_, at| at.elapsed() < REFUSAL_LASTS);
        state.is_refused &= !state.refused.is_empty();
        state.is_refused
    }

    /// A read succeeded.
    pub fn note_success(&self) {
        let mut state = self.lock();
        state.succeeded_at = Some(Instant::now());
        state.refused.clear();
        state.is_refused = false;
    }

    /// A read of a credential was refused, and an update of it was not. `interval` is how often that credential is read.
    pub fn note_refusal(&self, name: &CredentialName, interval: Duration) {
        let mut state = self.lock();
        state.refused.insert(name.clone(), Instant::now());
        let has_succeeded = state.succeeded_at.is_some_and(|at| at.elapsed() <= interval);
        state.is_refused |= !has_succeeded || state.refused.len() >= REFUSALS_OF_THE_ACCOUNT;
    }

    /// The account has other credentials: what the old ones were refused may be granted to them.
    pub fn forget(&self) {
        *self.lock() = State::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_mins(10);

    fn name(id: &str) -> CredentialName {
        format!("clients/c/credentials/{id}").parse().unwrap()
    }

    /// One credential of many whose GET is refused is that credential's trouble.
    #[tokio::test(start_paused = true)]
    async fn one_refusal_beside_successes_is_not_the_accounts() {
        let access = ReadAccess::default();
        access.note_success();
        access.note_refusal(&name("a"), INTERVAL);
        access.note_refusal(&name("a"), INTERVAL);
        assert!(!access.is_refused());
        access.note_refusal(&name("b"), INTERVAL);
        assert!(access.is_refused());
    }

    /// An account that never read anything need not fail twice.
    #[tokio::test(start_paused = true)]
    async fn first_refusal_without_success_is_the_accounts() {
        let access = ReadAccess::default();
        access.note_refusal(&name("a"), INTERVAL);
        assert!(access.is_refused());
    }

    /// Whatever was concluded, one read that works refutes it; and after an hour it is tried again.
    #[tokio::test(start_paused = true)]
    async fn success_or_an_hour_ends_the_refusal() {
        let access = ReadAccess::default();
        access.note_refusal(&name("a"), INTERVAL);
        access.note_success();
        assert!(!access.is_refused());
        tokio::time::advance(2 * INTERVAL).await;
        access.note_refusal(&name("a"), INTERVAL);
        assert!(access.is_refused());
        tokio::time::advance(REFUSAL_LASTS).await;
        assert!(!access.is_refused());
    }
}
