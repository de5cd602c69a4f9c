//! The account's token: given, from a file, or by exchange; renewed before it ends and once after it was refused, for all
//! callers together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

use super::error::{Cause, Error};
use super::files::{Contents, Files};
use super::settings::Credentials;
use super::token::Issued;

/// A token is renewed this long before its end, or a fifth of its life if that is less.
const RENEW_BEFORE: Duration = Duration::from_mins(5);

/// How long a token that still lives is used after it could not be renewed, before the next try.
const RENEWAL_PAUSE: Duration = Duration::from_secs(15);

/// A token, and which one.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) value: SecretString,
    /// Which token: a caller whose token is older than the current one need not ask for a new one.
    number: u64,
    /// Which version of the files it came from.
    version: u64,
}

/// Makes the token call. It is a call like any other, with a turn of its own, so the client makes it.
pub(super) trait Exchange: Sync {
    fn exchange(&self, id: &SecretString, secret: &SecretString) -> impl Future<Output = Result<Issued, Error>> + Send;
}

/// Where tokens come from.
#[derive(Debug)]
pub(super) struct Auth {
    source: Source,
    /// What to do when the server refuses the credentials, for a person.
    advice: String,
    /// The version of the files whose credentials were refused last.
    refused: AtomicU64,
}

#[derive(Debug)]
enum Source {
    Given(SecretString),
    File(Files),
    Exchanged { files: Files, tokens: Box<Tokens> },
}

/// The tokens that are exchanged for the id and the secret.
#[derive(Debug, Default)]
struct Tokens {
    current: Mutex<Option<Current>>,
    /// Held during an exchange: there is one at a time.
    exchanging: tokio::sync::Mutex<Exchanges>,
    /// How many exchanges have ended.
    ended: AtomicU64,
}

/// What the last exchange came to.
#[derive(Debug, Default)]
struct Exchanges {
    last_error: Option<Error>,
}

#[derive(Clone, Debug)]
struct Current {
    token: Token,
    renew_at: Option<Instant>,
    ends_at: Option<Instant>,
}

impl Auth {
    /// # Errors
    /// A sentence for a person, when a file cannot be used.
    pub(super) fn new(credentials: &Credentials) -> Result<Self, String> {
        let (source, advice) = match credentials {
            Credentials::Token(token) => (
                Source::Given(token.clone()),
                "set CONFIDENCE_TOKEN to a valid token and start again, or use --token-file".to_owned(),
            ),
            Credentials::TokenFile(path) => {
                let advice = format!("put a valid token into {} (--token-file)", path.display());
                (Source::File(Files::open(vec![path.clone()])?), advice)
            }
            Credentials::ClientFiles { id, secret } => {
                let advice = format!(
                    "put the id and secret of a valid API client into {} (--client-id-file) and {} (--client-secret-file)",
                    id.display(),
                    secret.display()
                );
                let files = Files::open(vec![id.clone(), secret.clone()])?;
                (Source::Exchanged { files, tokens: Box::default() }, advice)
            }
        };
        Ok(Self { source, advice, refused: AtomicU64::new(0) })
    }

    /// A token to try a call with.
    pub(super) async fn token(&self, exchange: &impl Exchange) -> Result<Token, Error> {
        match &self.source {
            Source::Given(token) => Ok(Token { value: token.clone(), number: 0, version: 0 }),
            Source::File(files) => from_file(files.contents()),
            Source::Exchanged { files, tokens } => self.exchanged(files, tokens, exchange).await,
        }
    }

    /// Another token than one that was refused, where there is one to be had.
    ///
    /// # Errors
    /// That there is none, with what to do about it; or why the exchange failed.
    pub(super) async fn after_refusal(
        &self,
        refused: &Token,
        refusal: Error,
        exchange: &impl Exchange,
    ) -> Result<Token, Error> {
        let other = match &self.source {
            Source::Given(_) => None,
            Source::File(files) => Some(from_file(files.read_again())?).filter(|it| it.number != refused.number),
            Source::Exchanged { files, tokens } => {
                tokens.forget(refused);
                Some(self.renewed(files, tokens, exchange).await?)
            }
        };
        other.ok_or_else(|| self.refused(refused, refusal))
    }

    /// The verdict on a token that was refused, and that no other could replace.
    pub(super) fn refused(&self, token: &Token, refusal: Error) -> Error {
        self.refused.store(token.version, Ordering::Relaxed);
        if refusal.blocked().is_some() { refusal } else { refusal.unauthenticated(self.advice.clone()) }
    }

    /// Whether there are other credentials than those that were refused last.
    pub(super) fn has_changed(&self) -> bool {
        self.version().is_some_and(|version| version != self.refused.load(Ordering::Relaxed))
    }

    /// The token that somebody gave, if one was.
    pub(super) fn given(&self) -> Option<SecretString> {
        match &self.source {
            Source::Given(token) => Some(token.clone()),
            Source::File(files) => files.contents().values.into_iter().next(),
            Source::Exchanged { .. } => None,
        }
    }

    /// Moves when the credentials do; none where they cannot.
    pub(super) fn version(&self) -> Option<u64> {
        match &self.source {
            Source::Given(_) => None,
            Source::File(files) | Source::Exchanged { files, .. } => Some(files.contents().version),
        }
    }

    async fn exchanged(&self, files: &Files, tokens: &Tokens, exchange: &impl Exchange) -> Result<Token, Error> {
        let now = Instant::now();
        let Some(current) = tokens.current().clone().filter(|it| it.ends_at.is_none_or(|at| now < at)) else {
            return self.renewed(files, tokens, exchange).await;
        };
        if current.renew_at.is_none_or(|at| now < at) {
            return Ok(current.token);
        }
        // It ends soon, but lives: one caller renews it, the others go on with it, and so do all if that fails.
        let Ok(mut turn) = tokens.exchanging.try_lock() else { return Ok(current.token) };
        match self.exchange(files, tokens, &mut turn, exchange).await {
            Err(error) if error.blocked().is_none() && error.cause() != Cause::RateLimited => {
                tracing::warn!(%error, "the token could not be renewed; going on with the one that ends soon");
                tokens.put_off(&current.token, Instant::now() + RENEWAL_PAUSE);
                Ok(current.token)
            }
            result => result,
        }
    }

    /// Waits for a new token. Those who waited for the same exchange share what came of it, be it a failure.
    async fn renewed(&self, files: &Files, tokens: &Tokens, exchange: &impl Exchange) -> Result<Token, Error> {
        let ended = tokens.ended.load(Ordering::Acquire);
        let mut turn = tokens.exchanging.lock().await;
        let now = Instant::now();
        let current = tokens.current().clone();
        if let Some(current) = current.filter(|it| it.ends_at.is_none_or(|at| now < at)) {
            return Ok(current.token);
        }
        if ended != tokens.ended.load(Ordering::Acquire)
            && let Some(error) = &turn.last_error
        {
            return Err(error.clone());
        }
        self.exchange(files, tokens, &mut turn, exchange).await
    }

    async fn exchange(
        &self,
        files: &Files,
        tokens: &Tokens,
        turn: &mut Exchanges,
        exchange: &impl Exchange,
    ) -> Result<Token, Error> {
        let contents = files.contents();
        let [id, secret] = contents.values.as_slice() else {
            return Err(Error::new(Cause::Unauthenticated, "").unauthenticated(self.advice.clone()));
        };
        let asked_at = Instant::now();
        let result = exchange.exchange(id, secret).await;
        tokens.ended.fetch_add(1, Ordering::Release);
        let result = result.map_err(|error| self.refused_exchange(error, contents.version));
        turn.last_error = result.as_ref().err().cloned();
        Ok(tokens.put(result?, contents.version, asked_at))
    }

    /// A token endpoint says no with 400, 401, 403 or 404 (RFC 6749, 5.2): all of them mean the credentials.
    fn refused_exchange(&self, error: Error, version: u64) -> Error {
        let says_no = matches!(
            error.cause(),
            Cause::InvalidRequest | Cause::Unauthenticated | Cause::Forbidden | Cause::NotFound
        );
        if !says_no || error.blocked().is_some() {
            return error;
        }
        self.refused.store(version, Ordering::Relaxed);
        error.unauthenticated(self.advice.clone())
    }
}

impl Tokens {
    fn current(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses a token no more that was refused, unless there is a newer one already.
    fn forget(&self, refused: &Token) {
        self.current().take_if(|it| it.token.number == refused.number);
    }

    /// Renews a token no sooner than then.
    fn put_off(&self, token: &Token, until: Instant) {
        if let Some(current) = self.current().as_mut().filter(|it| it.token.number == token.number) {
            current.renew_at = Some(until);
        }
    }

    fn put(&self, issued: Issued, version: u64, asked_at: Instant) -> Token {
        // Its life is counted from before the call, so that it never seems to live longer than it does.
        let ends_at = issued.life.map(|life| asked_at + life);
        let renew_at = issued.life.map(|life| asked_at + life - RENEW_BEFORE.min(life / 5));
        let number = self.ended.load(Ordering::Acquire);
        let token = Token { value: issued.value, number, version };
        *self.current() = Some(Current { token: token.clone(), renew_at, ends_at });
        token
    }
}

/// A file's token is numbered by the version of the file.
fn from_file(contents: Contents) -> Result<Token, Error> {
    let version = contents.version;
    let value = contents.values.into_iter().next();
    let value = value.ok_or_else(|| Error::new(Cause::Unauthenticated, "there is no token in the file"))?;
    Ok(Token { value, number: version, version })
}
