//! The credentials of one account. JSON and permissions are somebody else's.

mod client;
mod credential;
mod field;
mod history;
mod page;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use client::Client;
pub use credential::{Credential, RequestedFields};
pub use field::Field;
use history::History;
pub(crate) use history::Lags;
pub(crate) use page::{Page, page};

/// The ids of the client and of the credential.
pub type Ids = (String, String);

/// The clients and credentials of one account.
#[derive(Debug, Default)]
pub(crate) struct Store {
    clients: BTreeMap<String, Client>,
    credentials: BTreeMap<Ids, Credential>,
    history: History,
}

impl Store {
    /// The credential with these ids.
    pub fn get(&self, ids: &Ids) -> Option<&Credential> {
        self.credentials.get(ids)
    }

    /// Everything, by client and id.
    pub fn all(&self) -> &BTreeMap<Ids, Credential> {
        &self.credentials
    }

    /// Puts a credential in or takes it out; tells what was there. Invariant: every write comes through here, so that
    /// reads can lag behind each (`list_lags_by_time_and_calls`).
    pub fn set(&mut self, ids: &Ids, after: Option<Credential>, lags: &Lags) -> Option<Credential> {
        let is_deletion = after.is_none();
        let before = match after {
            Some(credential) => {
                self.clients.entry(ids.0.clone()).or_insert_with(|| Client::named(&*ids.0));
                self.credentials.insert(ids.clone(), credential)
            }
            None => self.credentials.remove(ids),
        };
        if !lags.is_none() {
            self.history.push(ids.clone(), before.clone(), is_deletion);
        }
        before
    }

    /// The credential as GET shows it.
    pub fn read(&self, ids: &Ids, lags: &Lags) -> Option<&Credential> {
        self.get(ids).or_else(|| self.history.get_deleted(ids, lags))
    }

    /// The credentials of a client as one more LIST call shows them, by id.
    pub fn list(&mut self, client: &str, lags: &Lags) -> Vec<(&str, &Credential)> {
        self.history.count_list(lags);
        let before = self.history.shown_by_list(lags);
        let range = (client.to_owned(), String::new())..;
        let present = self.credentials.range(range).take_while(|((it, _), _)| it == client);
        let present = present.filter(|(ids, _)| !before.contains_key(ids));
        let past = before.iter().filter_map(|(ids, it)| it.map(|it| (*ids, it))).filter(|((it, _), _)| it == client);
        let mut shown: Vec<_> = present.chain(past).map(|((_, id), it)| (id.as_str(), it)).collect();
        shown.sort_by_key(|(id, _)| *id);
        shown
    }

    /// Puts a credential's use on it. Uses are no writes: no other time moves, and it never goes back.
    pub fn see(&mut self, ids: &Ids, at: Timestamp) -> bool {
        let Some(credential) = self.credentials.get_mut(ids) else { return false };
        credential.last_seen_time = credential.last_seen_time.max(Some(at));
        true
    }

    /// The clients, by id.
    pub fn clients(&self) -> &BTreeMap<String, Client> {
        &self.clients
    }

    /// The last use of any credential of a client.
    pub fn last_seen(&self, client: &str) -> Option<Timestamp> {
        let range = (client.to_owned(), String::new())..;
        let credentials = self.credentials.range(range).take_while(|((it, _), _)| it == client);
        credentials.filter_map(|(_, it)| it.last_seen_time).max()
    }

    /// Puts a client in, over one with this id if there is one.
    pub fn put_client(&mut self, id: &str, client: Client) {
        self.clients.insert(id.to_owned(), client);
    }
}
