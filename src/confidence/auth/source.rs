//! Where the account's credentials come from: a fixed token, files, or values that somebody else watches.

use std::sync::{Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

use super::files::{Contents, Files};
use crate::confidence::settings::{CredentialValues, Credentials, SettingsError};

/// The credentials at one moment.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    /// The credentials, if there are any.
    pub(super) values: Option<CredentialValues>,
    /// Moves when the values do.
    pub(super) version: u64,
}

/// A source of credentials.
#[derive(Debug)]
pub(super) enum CredentialSource {
    Fixed(SecretString),
    Files(Files),
    Watched(Mutex<Watched>),
}

#[derive(Debug)]
pub(super) struct Watched {
    receiver: watch::Receiver<Option<CredentialValues>>,
    snapshot: Snapshot,
}

impl CredentialSource {
    /// # Errors
    /// When a file cannot be used.
    pub(super) fn new(credentials: &Credentials) -> Result<Self, SettingsError> {
        let files = |paths| Files::open(paths).map(Self::Files).map_err(SettingsError::new);
        match credentials {
            Credentials::Token(token) => Ok(Self::Fixed(token.clone())),
            Credentials::TokenFile(path) => files(vec![path.clone()]),
            Credentials::ClientFiles { id, secret } => files(vec![id.clone(), secret.clone()]),
            Credentials::Watched { values, .. } => {
                let mut receiver = values.clone();
                let values = receiver.borrow_and_update().clone();
                let snapshot = Snapshot { values, version: 1 };
                Ok(Self::Watched(Mutex::new(Watched { receiver, snapshot })))
            }
        }
    }

    /// The credentials as of a second ago or less.
    pub(super) fn snapshot(&self) -> Snapshot {
        match self {
            Self::Fixed(token) => Snapshot { values: Some(CredentialValues::Token(token.clone())), version: 0 },
            Self::Files(files) => files.contents().into(),
            Self::Watched(watched) => watched.lock().unwrap_or_else(PoisonError::into_inner).snapshot(),
        }
    }

    /// The credentials now: for when the old ones were refused.
    pub(super) fn read_again(&self) -> Snapshot {
        match self {
            Self::Files(files) => files.read_again().into(),
            Self::Fixed(_) | Self::Watched(_) => self.snapshot(),
        }
    }

    /// Whether the credentials can change.
    pub(super) fn is_fixed(&self) -> bool {
        matches!(self, Self::Fixed(_))
    }

    /// News of the values, where somebody else watches them.
    pub(super) fn news(&self) -> Option<watch::Receiver<Option<CredentialValues>>> {
        match self {
            Self::Watched(watched) => Some(watched.lock().unwrap_or_else(PoisonError::into_inner).receiver.clone()),
            Self::Fixed(_) | Self::Files(_) => None,
        }
    }
}

impl Watched {
    fn snapshot(&mut self) -> Snapshot {
        let values = self.receiver.borrow_and_update().clone();
        if !is_same(self.snapshot.values.as_ref(), values.as_ref()) {
            self.snapshot = Snapshot { values, version: self.snapshot.version + 1 };
        }
        self.snapshot.clone()
    }
}

impl From<Contents> for Snapshot {
    /// One file holds a token, two hold an id and a secret.
    fn from(contents: Contents) -> Self {
        let mut values = contents.values.into_iter();
        let values = match (values.next(), values.next()) {
            (Some(id), Some(secret)) => Some(CredentialValues::Client { id, secret }),
            (token, _) => token.map(CredentialValues::Token),
        };
        Self { values, version: contents.version }
    }
}

fn is_same(a: Option<&CredentialValues>, b: Option<&CredentialValues>) -> bool {
    use CredentialValues::{Client, Token};
    let eq = |a: &SecretString, b: &SecretString| a.expose_secret() == b.expose_secret();
    match (a, b) {
        (None, None) => true,
        (Some(Token(a)), Some(Token(b))) => eq(a, b),
        (Some(Client { id, secret }), Some(Client { id: other_id, secret: other_secret })) => {
            eq(id, other_id) && eq(secret, other_secret)
        }
        _ => false,
    }
}
