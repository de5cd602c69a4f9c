//! The credentials, as somebody with other means than the API has them: whoever works in the web console, and applications.

use std::collections::BTreeMap;

use super::Simulator;
use crate::store::{Client, Credential, Ids};
use crate::uses::{UnknownSecret, Use};

/// Who writes with other means than the API.
pub const SOMEBODY_ELSE: &str = "identities/somebody-else";

/// The credentials of this account.
impl Simulator {
    /// Puts a client in, over one with this id if there is one. A client that a credential is put into need not be.
    pub fn put_client(&self, id: &str, client: Client) {
        self.state().store(&self.account).put_client(id, client);
        self.notify();
    }

    /// Puts a credential in, over one with these ids if there is one; times that it does not have are now.
    pub fn put(&self, client: &str, id: &str, mut credential: Credential) {
        let mut state = self.state();
        let now = state.tick();
        credential.create_time.get_or_insert(now);
        credential.update_time.get_or_insert(now);
        state.write(&self.account, &ids(client, id), Some(credential), None);
        drop(state);
        self.notify();
    }

    /// The credential as it is now.
    pub fn get(&self, client: &str, id: &str) -> Option<Credential> {
        self.state().store(&self.account).get(&ids(client, id)).cloned()
    }

    /// All credentials as they are now.
    pub fn all(&self) -> BTreeMap<Ids, Credential> {
        self.state().store(&self.account).all().clone()
    }

    /// Somebody else changes a credential: `updateTime` and `updater` move before the change is made, which may set them
    /// otherwise. Tells whether there is one.
    pub fn edit(&self, client: &str, id: &str, change: impl FnOnce(&mut Credential)) -> bool {
        let mut state = self.state();
        let ids = ids(client, id);
        let Some(mut credential) = state.store(&self.account).get(&ids).cloned() else { return false };
        SOMEBODY_ELSE.clone_into(&mut credential.updater);
        credential.update_time = Some(state.tick());
        change(&mut credential);
        state.write(&self.account, &ids, Some(credential), None);
        drop(state);
        self.notify();
        true
    }

    /// Somebody else gives a credential other labels. Tells whether there is one.
    pub fn relabel(&self, client: &str, id: &str, labels: BTreeMap<String, String>) -> bool {
        self.edit(client, id, |credential| credential.labels = labels)
    }

    /// Somebody else creates a credential that has all that can be written of another one, but a secret of its own. Tells
    /// its id, if there is that other one.
    pub fn copy(&self, client: &str, id: &str) -> Option<String> {
        let mut state = self.state();
        let original = state.store(&self.account).get(&ids(client, id)).cloned()?;
        let now = state.tick();
        let (secret, copy_id) = (format!("secret-{}", state.new_id()), state.new_id());
        let copy = Credential {
            secret,
            create_time: Some(now),
            update_time: Some(now),
            last_seen_time: None,
            creator: SOMEBODY_ELSE.to_owned(),
            updater: SOMEBODY_ELSE.to_owned(),
            ..original
        };
        state.write(&self.account, &ids(client, &copy_id), Some(copy), None);
        drop(state);
        self.notify();
        Some(copy_id)
    }

    /// Somebody else deletes a credential.
    pub fn delete(&self, client: &str, id: &str) -> Option<Credential> {
        let mut state = self.state();
        let deleted = state.store(&self.account).get(&ids(client, id)).cloned()?;
        state.write(&self.account, &ids(client, id), None, None);
        drop(state);
        self.notify();
        Some(deleted)
    }

    /// The credential is known to have been used now: `lastSeenTime` moves and nothing else. Tells whether there is one.
    pub fn touch(&self, client: &str, id: &str) -> bool {
        let mut state = self.state();
        let now = state.now();
        let exists = state.store(&self.account).see(&ids(client, id), now);
        drop(state);
        self.notify();
        exists
    }

    /// An application resolves flags with a secret, of whatever account: this is a use of the live credential that has it,
    /// and `lastSeenTime` tells of it when the configuration says so.
    ///
    /// # Errors
    /// No live credential has this secret.
    pub fn resolve(&self, client_secret: &str) -> Result<Use, UnknownSecret> {
        let used = self.state().resolve(client_secret);
        self.notify();
        used
    }
}

fn ids(client: &str, credential: &str) -> Ids {
    (client.to_owned(), credential.to_owned())
}
