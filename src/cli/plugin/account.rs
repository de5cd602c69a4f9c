//! The account at Confidence, for reading alone.

use std::sync::Arc;

use prometheus_client::registry::Registry;

use super::CommandError;
use crate::account::DEFAULT_ACCOUNT;
use crate::cli::account_flags::AccountFlags;
use crate::confidence::metrics::Metrics;
use crate::confidence::transport::HttpTransport;
use crate::confidence::wire::{Client, ClientCredential};
use crate::confidence::{Confidence, Error, Requester, WriteGuard};

/// Credentials or clients on a page, as the operator asks for them.
const PAGE_SIZE: u16 = 100;

/// No command writes to Confidence, whatever it was made to call.
struct NeverWrite;

impl WriteGuard for NeverWrite {
    fn may_write(&self) -> bool {
        false
    }
}

/// A client of the account that can only read.
pub fn connect(flags: &AccountFlags) -> Result<Confidence, CommandError> {
    let transport = Arc::new(HttpTransport::new(flags.http_client()?));
    let metrics = Metrics::register(&mut Registry::default()).account(DEFAULT_ACCOUNT);
    Confidence::new(flags.settings()?, transport, Arc::new(NeverWrite), metrics)
        .map_err(|error| CommandError::new(error.to_string()))
}

/// Who asks.
pub fn requester() -> Requester {
    Requester::interactive("command-line")
}

/// What a LIST of all pages showed.
#[derive(Debug, Default)]
pub struct Listed<T> {
    /// The entries, in no promised order.
    pub entries: Vec<T>,
    /// How many entries could not be read.
    pub unreadable: usize,
}

impl<T> Listed<T> {
    fn take(&mut self, entries: Vec<T>, unreadable: usize) {
        self.entries.extend(entries);
        self.unreadable += unreadable;
    }
}

/// Lists the credentials of a client, by its id.
pub async fn list_credentials(confidence: &Confidence, client: &str) -> Result<Listed<ClientCredential>, Error> {
    let (mut all, mut token) = (Listed { entries: Vec::new(), unreadable: 0 }, None::<String>);
    loop {
        let page = confidence.list(client, PAGE_SIZE, token.as_deref(), &requester()).await?.value;
        all.take(page.credentials, page.unreadable);
        // A server that repeats a token would be asked for ever.
        match page.next_page_token {
            Some(next) if token.as_ref() != Some(&next) => token = Some(next),
            _ => return Ok(all),
        }
    }
}

/// Lists the credentials of several clients, by their ids.
pub async fn list_credentials_of(
    confidence: &Confidence,
    clients: Vec<String>,
) -> Result<Listed<ClientCredential>, CommandError> {
    let mut all = Listed { entries: Vec::new(), unreadable: 0 };
    for client in clients {
        let listed = list_credentials(confidence, &client).await;
        let listed = listed.map_err(|error| CommandError::new(format!("clients/{client}: {error}")))?;
        all.take(listed.entries, listed.unreadable);
    }
    Ok(all)
}

/// The id of a client that a person gave, as `clients/ID` or as the id.
pub fn client_id(given: &str) -> String {
    given.trim_start_matches("clients/").to_owned()
}

/// Lists the clients of the account that were not deleted.
pub async fn list_clients(confidence: &Confidence) -> Result<Listed<Client>, Error> {
    let (mut all, mut token) = (Listed { entries: Vec::new(), unreadable: 0 }, None::<String>);
    loop {
        let page = confidence.list_clients(PAGE_SIZE, token.as_deref(), &requester()).await?.value;
        all.take(page.clients, page.unreadable);
        match page.next_page_token {
            Some(next) if token.as_ref() != Some(&next) => token = Some(next),
            _ => break,
        }
    }
    all.entries.retain(|client| client.delete_time.is_none());
    Ok(all)
}
