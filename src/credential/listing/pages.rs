//! Reading a listing page by page.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use jiff::Timestamp;
use tokio::time::Instant;

use super::ListError;
use crate::confidence::wire::{ClientCredential, ListPage};
use crate::confidence::{Confidence, Requester};
use crate::engine::health::Progress;

/// Credentials a page. The server may give fewer.
pub(in crate::credential) const PAGE_SIZE: u16 = 100;

/// What a listing says of the credentials that somebody wants.
#[derive(Debug, Default)]
pub(in crate::credential) struct Listing {
    /// By id, with the time at which their page was asked for. Ordered: decisions name what they find in this order.
    credentials: BTreeMap<Box<str>, (ClientCredential, Instant)>,
    pages: usize,
    began: Option<Instant>,
    date: Option<Timestamp>,
    /// Entries that could not be read: which credentials they are, nobody knows.
    unreadable: usize,
}

impl Listing {
    /// A credential, and the time at which it was so.
    pub(in crate::credential) fn get(&self, id: &str) -> Option<(ClientCredential, Instant)> {
        self.credentials.get(id).cloned()
    }

    /// A credential and its time, without a copy.
    pub(in crate::credential) fn entry(&self, id: &str) -> Option<&(ClientCredential, Instant)> {
        self.credentials.get(id)
    }

    /// Every credential that somebody wants.
    pub(in crate::credential) fn credentials(&self) -> impl Iterator<Item = &ClientCredential> {
        self.credentials.values().map(|(credential, _)| credential)
    }

    /// When it was begun.
    pub(in crate::credential) fn began(&self) -> Instant {
        self.began.unwrap_or_else(Instant::now)
    }

    /// The server's time in its last answer.
    pub(in crate::credential) fn date(&self) -> Option<Timestamp> {
        self.date
    }

    /// How many pages it took.
    pub(in crate::credential) fn pages(&self) -> usize {
        self.pages
    }

    /// Entries that could not be read.
    pub(in crate::credential) fn unreadable(&self) -> usize {
        self.unreadable
    }
}

/// Reads the listing of a client, if it has no more than so many pages.
pub(super) async fn read(
    confidence: &Confidence,
    client: &str,
    most_pages: usize,
    requester: &Requester,
    is_wanted: &(dyn Fn(&ClientCredential) -> bool + Sync),
    progress: &Progress,
) -> Result<Listing, ListError> {
    let mut seen = Seen::default();
    let mut listing = Listing { began: Some(Instant::now()), ..Listing::default() };
    let mut token = None;
    loop {
        let at = Instant::now();
        let page = {
            // Reconciles may wait for the whole listing: each page is progress.
            let _working = progress.begin();
            confidence.list(client, PAGE_SIZE, token.as_deref(), requester).await?
        };
        listing.date = page.date.or(listing.date);
        let page = page.value;
        listing.pages += 1;
        listing.unreadable += page.unreadable;
        token = seen.check(client, &page)?;
        for credential in page.credentials.into_iter().filter(|it| is_of(client, it) && is_wanted(it)) {
            let id = credential.name.as_ref().map(|name| name.credential().into());
            listing.credentials.extend(id.map(|id| (id, (credential, at))));
        }
        if token.is_none() {
            return Ok(listing);
        }
        if listing.pages >= most_pages {
            return Err(ListError::TooLong(listing.pages));
        }
    }
}

/// A name of another client cannot stand in this listing, and a name that is none names nothing.
fn is_of(client: &str, credential: &ClientCredential) -> bool {
    credential.name.as_ref().is_some_and(|name| name.client() == client)
}

/// What was in the pages so far: by hashes, because most of it may be nobody's.
#[derive(Debug, Default)]
struct Seen {
    hasher: RandomState,
    credentials: HashSet<u64>,
    tokens: HashSet<u64>,
}

impl Seen {
    /// Takes a page in; gives the token of the next one.
    fn check(&mut self, client: &str, page: &ListPage) -> Result<Option<String>, ListError> {
        for credential in page.credentials.iter().filter(|it| is_of(client, it)) {
            let id = credential.name.as_ref().map(|name| self.hasher.hash_one(name.credential()));
            if id.is_some_and(|id| !self.credentials.insert(id)) {
                return Err(ListError::Torn("a credential"));
            }
        }
        let Some(token) = &page.next_page_token else { return Ok(None) };
        if !self.tokens.insert(self.hasher.hash_one(token)) {
            return Err(ListError::Torn("a page"));
        }
        Ok(Some(token.clone()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn page(ids: &[&str], next: Option<&str>) -> ListPage {
        let credentials: Vec<_> = ids
            .iter()
            .map(|id| serde_json::json!({"name": format!("clients/c/credentials/{id}"), "displayName": "x"}))
            .collect();
        let page = serde_json::json!({"clientCredentials": credentials, "nextPageToken": next});
        ListPage::from_json(page.to_string().as_bytes()).unwrap()
    }

    /// Pages are no snapshot: what came twice shifted something else out.
    #[test]
    fn repeated_credential_or_page_tears_the_listing() {
        let mut seen = Seen::default();
        assert_eq!(seen.check("c", &page(&["a", "b"], Some("1"))).unwrap().as_deref(), Some("1"));
        assert!(matches!(seen.check("c", &page(&["b", "d"], None)), Err(ListError::Torn("a credential"))));
        let mut seen = Seen::default();
        seen.check("c", &page(&["a"], Some("1"))).unwrap();
        assert!(matches!(seen.check("c", &page(&["b"], Some("1"))), Err(ListError::Torn("a page"))));
    }
}
