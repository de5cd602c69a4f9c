//! Reading the list of a client's credentials, page by page, for the resources that manage some of them.
//!
//! Pages are no snapshot: what comes or goes between two of them can shift the rest. So a list in which a page or a
//! credential comes twice is thrown away whole, and what it lacks is only suspected to be gone. What nobody manages is
//! dropped with its page.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use tokio::time::Instant;

use super::order;
use crate::confidence::name::CredentialName;
use crate::confidence::wire::{ClientCredential, ListPage};
use crate::confidence::{Error, Priority};
use crate::controller::Context;
use crate::controller::key::Key;

/// Credentials a page. The server may give fewer.
pub(in crate::controller) const PAGE_SIZE: u16 = 100;

/// What a list says.
#[derive(Debug, Default)]
pub(in crate::controller) struct Listing {
    /// The managed credentials that are not as they were last seen, or whose resource is not in order: with the time at
    /// which their page was asked for.
    pub(in crate::controller) other: Vec<(Key, CredentialName, ClientCredential, Instant)>,
    /// The resources whose credential is not in the list.
    pub(in crate::controller) missed: Vec<Key>,
    /// How many pages it took.
    pub(in crate::controller) pages: usize,
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub(in crate::controller) enum ListError {
    #[error(transparent)]
    Call(#[from] Error),
    #[error("{0} came twice in one list: it changed while it was read")]
    Torn(&'static str),
    #[error("it could not be read a moment ago")]
    Failed,
    #[error("the list has more than {0} pages")]
    TooLong(usize),
}

/// Reads the list of a client, if it has no more than so many pages.
pub(in crate::controller) async fn read(
    client: &str,
    most_pages: usize,
    priority: Priority,
    context: &Context,
) -> Result<Listing, ListError> {
    let mut pages = Pages::default();
    let mut listing = Listing::default();
    let mut token = None;
    loop {
        let at = Instant::now();
        let page = {
            // Passes may wait for the whole list: each page is progress.
            let _working = context.progress.begin();
            context
                .confidence
                .list(client, PAGE_SIZE, token.as_deref(), &crate::confidence::Requester::new(priority, client))
                .await?
                .value
        };
        listing.pages += 1;
        token = pages.check(client, &page)?;
        for credential in page.credentials {
            // A name of another client cannot stand in this list, and a name that is none names nothing.
            let Some(name) = credential.name.as_ref().filter(|name| name.client() == client) else { continue };
            if let Some(key) = context.index.owner(client, name.credential())
                && !order::is_as_left(&key, &credential, at, context)
            {
                listing.other.push((key, name.clone(), credential, at));
            }
        }
        if token.is_none() {
            break;
        }
        if listing.pages >= most_pages {
            return Err(ListError::TooLong(listing.pages));
        }
    }
    let owners = context.index.owners(client).into_iter();
    listing.missed = owners.filter(|(id, _)| !pages.has(id)).map(|(_, key)| key).collect();
    Ok(listing)
}

fn is_of(client: &str, credential: &ClientCredential) -> bool {
    credential.name.as_ref().is_some_and(|name| name.client() == client)
}

/// What was in the pages so far: by hashes, because most of it may be nobody's.
#[derive(Debug, Default)]
struct Pages {
    hasher: RandomState,
    credentials: HashSet<u64>,
    tokens: HashSet<u64>,
}

impl Pages {
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

    fn has(&self, credential: &str) -> bool {
        self.credentials.contains(&self.hasher.hash_one(credential))
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

    #[test]
    fn a_credential_or_a_page_that_comes_twice_spoils_the_list() {
        let mut pages = Pages::default();
        assert_eq!(pages.check("c", &page(&["a", "b"], Some("1"))).unwrap().as_deref(), Some("1"));
        assert!(matches!(pages.check("c", &page(&["b", "d"], None)), Err(ListError::Torn("a credential"))));
        let mut pages = Pages::default();
        pages.check("c", &page(&["a"], Some("1"))).unwrap();
        assert!(matches!(pages.check("c", &page(&["b"], Some("1"))), Err(ListError::Torn("a page"))));
    }

    #[test]
    fn what_was_in_no_page_is_missed() {
        let mut pages = Pages::default();
        pages.check("c", &page(&["a"], Some("1"))).unwrap();
        pages.check("c", &page(&["b"], None)).unwrap();
        assert!(pages.has("a") && pages.has("b") && !pages.has("c"));
    }
}
