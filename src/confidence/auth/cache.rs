//! The token that was exchanged for an id and a secret: one exchange at a time, for all callers together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

use super::token::IssuedToken;
use super::{ExchangeToken, Token};
use crate::confidence::error::Error;

/// A token is renewed this long before its end, or a fifth of its life if that is less.
const RENEW_BEFORE: Duration = Duration::from_mins(5);

/// How long a token that still lives is used after a renewal failed, before the next attempt.
pub(super) const RENEWAL_PAUSE: Duration = Duration::from_secs(15);

/// How soon a refused token is replaced again: a credential that is refused with every token must not cost an exchange at
/// each attempt.
const REPLACEMENT_PAUSE: Duration = Duration::from_secs(15);

/// The id and the secret of an API client, and which version of the credentials they are.
#[derive(Clone, Debug)]
pub(super) struct ApiClient {
    pub(super) id: SecretString,
    pub(super) secret: SecretString,
    pub(super) version: u64,
}

/// The exchanged token.
#[derive(Debug, Default)]
pub(super) struct TokenCache {
    current: Mutex<Option<CachedToken>>,
    /// Held during an exchange.
    exchange: tokio::sync::Mutex<LastExchange>,
    /// How many exchanges have ended.
    ended: AtomicU64,
    /// When a refused token was last replaced.
    replaced_at: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct LastExchange {
    error: Option<Error>,
}

#[derive(Clone, Debug)]
struct CachedToken {
    token: Token,
    renew_at: Option<Instant>,
    ends_at: Option<Instant>,
}

impl TokenCache {
    /// A token that lives.
    pub(super) async fn token(&self, client: &ApiClient, endpoint: &impl ExchangeToken) -> Result<Token, Error> {
        let Some(cached) = self.living(client) else { return self.exchanged(client, endpoint).await };
        if cached.renew_at.is_none_or(|at| Instant::now() < at) {
            return Ok(cached.token);
        }
        // It ends soon, but lives: one caller renews it, the others go on with it, and so do all if that fails.
        let Ok(mut last) = self.exchange.try_lock() else { return Ok(cached.token) };
        match self.exchange(client, &mut last, endpoint).await {
            Err(error) if error.blocked().is_none() => {
                tracing::warn!(%error, "the token could not be renewed; going on with the one that ends soon");
                let pause = Instant::now() + RENEWAL_PAUSE;
                self.put_off(&cached.token, error.retry_at().map_or(pause, |at| at.max(pause)));
                Ok(cached.token)
            }
            result => result,
        }
    }

    /// Another token than one that was refused; none if one was replaced a moment ago.
    pub(super) async fn other_than(
        &self,
        refused: &Token,
        client: &ApiClient,
        endpoint: &impl ExchangeToken,
    ) -> Result<Option<Token>, Error> {
        let is_current = self.living(client).is_some_and(|cached| cached.token.number == refused.number);
        if is_current && !self.may_replace() {
            return Ok(None);
        }
        self.lock().take_if(|cached| cached.token.number == refused.number);
        self.exchanged(client, endpoint).await.map(Some)
    }

    fn may_replace(&self) -> bool {
        let now = Instant::now();
        let mut replaced_at = self.replaced_at.lock().unwrap_or_else(PoisonError::into_inner);
        if replaced_at.is_some_and(|at| now.saturating_duration_since(at) < REPLACEMENT_PAUSE) {
            return false;
        }
        *replaced_at = Some(now);
        true
    }

    /// Waits for a new token. All who waited for the same exchange share its result, be it a failure.
    async fn exchanged(&self, client: &ApiClient, endpoint: &impl ExchangeToken) -> Result<Token, Error> {
        let ended = self.ended.load(Ordering::Acquire);
        let mut last = self.exchange.lock().await;
        if let Some(cached) = self.living(client) {
            return Ok(cached.token);
        }
        if ended != self.ended.load(Ordering::Acquire)
            && let Some(error) = &last.error
        {
            return Err(error.clone());
        }
        self.exchange(client, &mut last, endpoint).await
    }

    async fn exchange(
        &self,
        client: &ApiClient,
        last: &mut LastExchange,
        endpoint: &impl ExchangeToken,
    ) -> Result<Token, Error> {
        let asked_at = Instant::now();
        let result = endpoint.exchange(&client.id, &client.secret).await;
        let number = self.ended.fetch_add(1, Ordering::AcqRel) + 1;
        last.error = result.as_ref().err().cloned();
        let issued = result?;
        let token = Token { value: issued.value.clone(), number, version: client.version };
        *self.lock() = Some(CachedToken::new(token.clone(), &issued, asked_at));
        Ok(token)
    }

    /// The current token, if it lives and belongs to this API client.
    fn living(&self, client: &ApiClient) -> Option<CachedToken> {
        let now = Instant::now();
        let cached = self.lock().clone()?;
        (cached.token.version == client.version && cached.ends_at.is_none_or(|at| now < at)).then_some(cached)
    }

    fn put_off(&self, token: &Token, until: Instant) {
        if let Some(cached) = self.lock().as_mut().filter(|cached| cached.token.number == token.number) {
            cached.renew_at = Some(until);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<CachedToken>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CachedToken {
    /// Its life is counted from before the call, so that it never seems to live longer than it does.
    fn new(token: Token, issued: &IssuedToken, asked_at: Instant) -> Self {
        let ends_at = issued.life.map(|life| asked_at + life);
        let renew_at = issued.life.map(|life| asked_at + life - RENEW_BEFORE.min(life / 5));
        Self { token, renew_at, ends_at }
    }
}
