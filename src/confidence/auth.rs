//! The account's token: from a file that is read again when it changes, or by exchange, renewed before it ends.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::error::{Cause, Error};
use super::settings::Credentials;

/// How often a file is looked at for a change.
const FILE_PAUSE: Duration = Duration::from_secs(1);

/// A token is renewed this long before its end, or a fifth of its life if that is less.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);

/// A token, and which one: a caller whose token is older than the current one need not ask for a new one.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) value: SecretString,
    pub(super) number: u64,
}

/// Exchanges an id and a secret for a token: a call like any other, so the client makes it.
pub(super) trait Exchange: Sync {
    fn exchange(&self, request: TokenRequest) -> impl Future<Output = Result<TokenAnswer, Error>> + Send;
}

/// The body of a token call (the vendor's protobufs).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenRequest {
    grant_type: &'static str,
    #[serde(serialize_with = "exposed")]
    client_id: SecretString,
    #[serde(serialize_with = "exposed")]
    client_secret: SecretString,
}

fn exposed<S: serde::Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

/// The answer to a token call. The seconds come as a string (recorded payloads); a number is read as well.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenAnswer {
    access_token: SecretString,
    expires_in: Option<Seconds>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

impl TokenAnswer {
    pub(super) fn life(&self) -> Option<Duration> {
        match self.expires_in.as_ref()? {
            Seconds::Number(seconds) => Some(*seconds),
            Seconds::Text(text) => text.parse().ok(),
        }
        .map(Duration::from_secs)
    }
}

/// The account's token.
pub(super) struct Auth {
    credentials: Credentials,
    current: tokio::sync::Mutex<Option<Current>>,
    files: Mutex<Files>,
}

struct Current {
    token: Token,
    renew_at: Option<Instant>,
}

/// What the files held when they were last read.
#[derive(Default)]
struct Files {
    read_at: Option<Instant>,
    contents: Option<Vec<SecretString>>,
    version: u64,
}

impl Auth {
    /// # Errors
    /// A sentence for a person, when a file cannot be read or is empty.
    pub(super) fn new(credentials: Credentials) -> Result<Self, String> {
        let auth = Self { credentials, current: tokio::sync::Mutex::default(), files: Mutex::default() };
        for path in auth.paths() {
            read(path)?;
        }
        Ok(auth)
    }

    fn paths(&self) -> Vec<&PathBuf> {
        match &self.credentials {
            Credentials::Token(_) => Vec::new(),
            Credentials::TokenFile(path) => vec![path],
            Credentials::ClientFiles { id, secret } => vec![id, secret],
        }
    }

    /// What the files hold, read again at most once a second: a link that was swapped, as Kubernetes does with mounted
    /// Secrets, is followed anew. A file that cannot be read any more keeps its last value.
    fn contents(&self) -> (Vec<SecretString>, u64) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if files.read_at.is_none_or(|at| at.elapsed() >= FILE_PAUSE) {
            files.read_at = Some(Instant::now());
            match self.paths().into_iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>() {
                Ok(contents) => {
                    if !files.contents.as_ref().is_some_and(|before| same(before, &contents)) {
                        files.version += 1;
                        files.contents = Some(contents);
                    }
                }
                Err(error) => tracing::warn!(%error, "the account's credentials cannot be read; using the last ones"),
            }
        }
        (files.contents.clone().unwrap_or_default(), files.version)
    }

    /// A number that moves when the credentials do.
    pub(super) fn version(&self) -> u64 {
        self.contents().1
    }

    /// The current token. One caller at a time renews it; the others wait for that.
    pub(super) async fn token(&self, exchange: &impl Exchange) -> Result<Token, Error> {
        let (contents, version) = self.contents();
        match &self.credentials {
            Credentials::Token(token) => Ok(Token { value: token.clone(), number: 0 }),
            Credentials::TokenFile(path) => {
                let value = contents.into_iter().next().ok_or_else(|| {
                    Error::new(Cause::Unauthenticated, format!("there is no token in {}", path.display()))
                })?;
                Ok(Token { value, number: version })
            }
            Credentials::ClientFiles { .. } => {
                let mut current = self.current.lock().await;
                if let Some(it) = current.as_ref()
                    && it.renew_at.is_none_or(|at| Instant::now() < at)
                {
                    return Ok(it.token.clone());
                }
                self.renew(&mut current, contents, exchange).await
            }
        }
    }

    /// Another token than one that was refused, if there can be one.
    pub(super) async fn after_refusal(
        &self,
        refused: &Token,
        exchange: &impl Exchange,
    ) -> Result<Option<Token>, Error> {
        match &self.credentials {
            Credentials::Token(_) => Ok(None),
            Credentials::TokenFile(_) => {
                let token = self.token(exchange).await?;
                Ok((token.number != refused.number).then_some(token))
            }
            Credentials::ClientFiles { .. } => {
                let (contents, _) = self.contents();
                let mut current = self.current.lock().await;
                if let Some(it) = current.as_ref()
                    && it.token.number != refused.number
                {
                    return Ok(Some(it.token.clone()));
                }
                self.renew(&mut current, contents, exchange).await.map(Some)
            }
        }
    }

    async fn renew(
        &self,
        current: &mut Option<Current>,
        contents: Vec<SecretString>,
        exchange: &impl Exchange,
    ) -> Result<Token, Error> {
        let mut contents = contents.into_iter();
        let (Some(client_id), Some(client_secret)) = (contents.next(), contents.next()) else {
            return Err(Error::new(Cause::Unauthenticated, "the files with the client's id and secret cannot be read"));
        };
        let request = TokenRequest { grant_type: "client_credentials", client_id, client_secret };
        let asked_at = Instant::now();
        let answer = exchange.exchange(request).await?;
        let number = current.as_ref().map_or(1, |it| it.token.number + 1);
        let renew_at = answer.life().map(|life| asked_at + life - RENEW_BEFORE.min(life / 5));
        let token = Token { value: answer.access_token, number };
        *current = Some(Current { token: token.clone(), renew_at });
        Ok(token)
    }
}

fn same(a: &[SecretString], b: &[SecretString]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.expose_secret() == b.expose_secret())
}

/// Reads a file with a secret: without the newline at its end, which an editor or `echo` leaves.
fn read(path: &Path) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    if !secret.chars().all(|c| c.is_ascii_graphic()) {
        return Err(format!(
            "{} holds characters that no token or id has (blanks, control characters, not ASCII)",
            path.display()
        ));
    }
    Ok(secret.into())
}

#[cfg(test)]
mod tests;
