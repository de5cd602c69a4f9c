//! The account at Confidence, for reading alone.

use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::registry::Registry;

use super::CommandError;
use super::error::confidence_sentence;
use super::progress::Progress;
use crate::account::{Account, Budgets, Connector, DEFAULT_ACCOUNT};
use crate::cli::account_flags::{AccountFlags, NO_CREDENTIALS};
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

/// The account of the flags, whose client can only read.
pub fn connect(flags: &AccountFlags) -> Result<Account, CommandError> {
    let settings = flags.settings().map_err(|why| match why {
        why if why == NO_CREDENTIALS => format!("{why}; or name an account of the cluster with --account"),
        why => why,
    })?;
    let url = settings.url.as_str().to_owned();
    let metrics = Metrics::register(&mut Registry::default()).account(DEFAULT_ACCOUNT);
    let confidence = Confidence::new(settings, transport(flags)?, Arc::new(NeverWrite), metrics)
        .map_err(|error| CommandError::new(error.to_string()))?;
    Ok(Account::new(DEFAULT_ACCOUNT, &url, confidence))
}

/// What makes clients of account resources, which can only read.
pub fn connector(flags: &AccountFlags) -> Result<Connector, CommandError> {
    Ok(Connector {
        transport: transport(flags)?,
        guard: Arc::new(NeverWrite),
        metrics: Metrics::register(&mut Registry::default()),
        allow_insecure_url: flags.allow_insecure_url,
        requests_per_second: flags.requests_per_second.get(),
        labels: flags.labels_shape(),
        budgets: Budgets::default(),
    })
}

fn transport(flags: &AccountFlags) -> Result<Arc<HttpTransport>, CommandError> {
    Ok(Arc::new(HttpTransport::new(flags.http_client()?)))
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
    /// The server's time in the last answer.
    pub date: Option<Timestamp>,
}

impl<T> Listed<T> {
    fn take(&mut self, entries: Vec<T>, unreadable: usize) {
        self.entries.extend(entries);
        self.unreadable += unreadable;
    }
}

/// Lists the credentials of a client, by its id.
pub async fn list_credentials(confidence: &Confidence, client: &str) -> Result<Listed<ClientCredential>, Error> {
    let progress = Progress::of("listing credentials");
    list_pages(confidence, client, |found| progress.say(format!(": {found} found"))).await
}

async fn list_pages(
    confidence: &Confidence,
    client: &str,
    tell: impl Fn(usize),
) -> Result<Listed<ClientCredential>, Error> {
    let (mut all, mut token) = (Listed { entries: Vec::new(), unreadable: 0, date: None }, None::<String>);
    loop {
        let answer = confidence.list(client, PAGE_SIZE, token.as_deref(), &requester()).await?;
        all.date = answer.date.or(all.date);
        let page = answer.value;
        all.take(page.credentials, page.unreadable);
        tell(all.entries.len());
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
    let mut all = Listed { entries: Vec::new(), unreadable: 0, date: None };
    let progress = Progress::counting("listing the credentials of clients", clients.len());
    for client in clients {
        let before = all.entries.len();
        let tell = |found| progress.say(format!(", {} credentials", before + found));
        let listed = list_pages(confidence, &client, tell).await;
        let listed =
            listed.map_err(|error| CommandError::new(format!("clients/{client}: {}", confidence_sentence(&error))))?;
        all.take(listed.entries, listed.unreadable);
        progress.advance();
    }
    Ok(all)
}

/// The id of a client that a person gave, as `clients/ID` or as the id.
pub fn client_id(given: &str) -> String {
    given.trim_start_matches("clients/").to_owned()
}

/// Lists the clients of the account that were not deleted.
pub async fn list_clients(confidence: &Confidence) -> Result<Listed<Client>, Error> {
    let progress = Progress::of("listing clients");
    let (mut all, mut token) = (Listed { entries: Vec::new(), unreadable: 0, date: None }, None::<String>);
    loop {
        let page = confidence.list_clients(PAGE_SIZE, token.as_deref(), &requester()).await?.value;
        all.take(page.clients, page.unreadable);
        progress.say(format!(": {} found", all.entries.len()));
        match page.next_page_token {
            Some(next) if token.as_ref() != Some(&next) => token = Some(next),
            _ => break,
        }
    }
    all.entries.retain(|client| client.delete_time.is_none());
    Ok(all)
}
