//! Pages of a client's credentials. The API promises no order and no snapshot across pages.

use std::ops::Bound;

use super::{Credential, Ids, Store};
use crate::config::Paging;

/// One page.
#[derive(Debug)]
pub struct Page<'a> {
    /// What is on it.
    pub credentials: Vec<(&'a Ids, &'a Credential)>,
    /// How to ask for the next one; empty on the last.
    pub next: String,
}

impl Store {
    /// A page of a client's credentials. Nothing: the token is none that was given out.
    pub fn page(&self, client: &str, size: usize, token: &str, paging: Paging) -> Option<Page<'_>> {
        match paging {
            Paging::ByKey => self.page_after(client, size, token),
            Paging::ByOffset => self.page_from(client, size, token),
        }
    }

    fn page_after(&self, client: &str, size: usize, token: &str) -> Option<Page<'_>> {
        let mut rest = match token {
            "" => self.of_client(client, Bound::Included(String::new())),
            token => self.of_client(client, Bound::Excluded(token.strip_prefix("after.")?.to_owned())),
        };
        let credentials: Vec<_> = rest.by_ref().take(size).collect();
        let next = match (credentials.last(), rest.next()) {
            (Some(((_, last), _)), Some(_)) => format!("after.{last}"),
            _ => String::new(),
        };
        Some(Page { credentials, next })
    }

    fn page_from(&self, client: &str, size: usize, token: &str) -> Option<Page<'_>> {
        let start: usize = match token {
            "" => 0,
            token => token.strip_prefix("offset.")?.parse().ok()?,
        };
        let mut rest = self.of_client(client, Bound::Included(String::new())).skip(start);
        let credentials: Vec<_> = rest.by_ref().take(size).collect();
        let next = match rest.next() {
            Some(_) => format!("offset.{}", start + credentials.len()),
            None => String::new(),
        };
        Some(Page { credentials, next })
    }

    fn of_client(&self, client: &str, start: Bound<String>) -> impl Iterator<Item = (&Ids, &Credential)> {
        let client = client.to_owned();
        let from = start.map(|id| (client.clone(), id));
        self.all().range((from, Bound::Unbounded)).take_while(move |((it, _), _)| *it == client)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn store(ids: &[&str]) -> Store {
        let mut store = Store::default();
        for id in ids {
            for client in ["b", "c", "d"] {
                store.put((client.into(), (*id).into()), Credential::default(), Timestamp::UNIX_EPOCH);
            }
        }
        store
    }

    fn ids<'a>(page: &Page<'a>) -> Vec<&'a str> {
        page.credentials.iter().map(|((_, id), _)| id.as_str()).collect()
    }

    #[test]
    fn pages_hold_each_credential_of_the_client_once() {
        let store = store(&["a", "b", "c", "d", "e"]);
        for paging in [Paging::ByKey, Paging::ByOffset] {
            let (mut seen, mut token, mut pages) = (Vec::new(), String::new(), 0);
            loop {
                let page = store.page("c", 2, &token, paging).unwrap();
                seen.extend(ids(&page).into_iter().map(str::to_owned));
                pages += 1;
                token = page.next;
                if token.is_empty() {
                    break;
                }
            }
            assert_eq!((seen.concat().as_str(), pages), ("abcde", 3), "{paging:?}");
        }
    }

    #[test]
    fn the_last_page_names_no_next_one_also_when_it_is_full() {
        let store = store(&["a", "b"]);
        assert_eq!(store.page("c", 2, "", Paging::ByKey).unwrap().next, "");
        assert_eq!(store.page("c", 2, "", Paging::ByOffset).unwrap().next, "");
    }

    #[test]
    fn pages_by_key_do_not_tear_when_something_goes() {
        let mut store = store(&["a", "b", "c"]);
        let next = store.page("c", 2, "", Paging::ByKey).unwrap().next;
        store.delete(&("c".into(), "a".into()));
        assert_eq!(ids(&store.page("c", 2, &next, Paging::ByKey).unwrap()), ["c"]);
    }

    #[test]
    fn pages_by_offset_tear_when_something_goes() {
        let mut store = store(&["a", "b", "c"]);
        let next = store.page("c", 2, "", Paging::ByOffset).unwrap().next;
        store.delete(&("c".into(), "a".into()));
        assert!(store.page("c", 2, &next, Paging::ByOffset).unwrap().credentials.is_empty());
    }

    #[test]
    fn a_token_that_was_not_given_out_is_none() {
        let store = store(&["a"]);
        assert!(store.page("c", 2, "offset.1", Paging::ByKey).is_none());
        assert!(store.page("c", 2, "offset.x", Paging::ByOffset).is_none());
    }
}
