//! Reading pages of a LIST.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::read::{Lenient, RawCredential};
use super::time::RawTime;
use super::{ClientCredential, WireError};
use crate::confidence::name::is_id;

/// One page of a LIST of credentials.
#[derive(Clone, Debug)]
pub struct ListPage {
    /// The credentials on the page, in no promised order.
    pub credentials: Vec<ClientCredential>,
    /// How many entries could not be read. The page is then not the whole truth: who is missing may be one of them.
    pub unreadable: usize,
    /// The token of the next page; none on the last.
    pub next_page_token: Option<String>,
}

impl ListPage {
    /// Reads the answer to a LIST of credentials.
    ///
    /// # Errors
    /// When the text is no JSON, or no page. One entry that cannot be read spoils that entry alone.
    pub fn from_json(text: &[u8]) -> Result<Self, WireError> {
        // Entry by entry costs more, so only where something is wrong.
        let whole: Result<RawPage<RawCredential>, _> = serde_json::from_slice(text);
        let page = match whole {
            Ok(page) => page.map(Some),
            Err(_) => serde_json::from_slice::<RawPage<Value>>(text)?.map(|entry| serde_json::from_value(entry).ok()),
        };
        let entries = page.client_credentials.unwrap_or_default();
        let total = entries.len();
        let credentials: Vec<_> = entries.into_iter().flatten().filter_map(|it| it.read().ok()).collect();
        let unreadable = total - credentials.len();
        Ok(Self { credentials, unreadable, next_page_token: page_token(page.next_page_token) })
    }
}

/// One page of a LIST of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientsPage {
    /// The clients on the page, in no promised order.
    pub clients: Vec<Client>,
    /// How many entries could not be read.
    pub unreadable: usize,
    /// The token of the next page; none on the last.
    pub next_page_token: Option<String>,
}

/// A client: what credentials belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its id, as in `clients/{id}`.
    pub id: String,
    /// The human friendly name.
    pub display_name: String,
    /// When it last resolved a flag.
    pub last_seen_time: Option<Timestamp>,
    /// When it was deleted, if it was.
    pub delete_time: Option<Timestamp>,
}

impl ClientsPage {
    /// Reads the answer to a LIST of clients.
    ///
    /// # Errors
    /// When the text is no JSON, or no page. One entry that cannot be read spoils that entry alone.
    pub fn from_json(text: &[u8]) -> Result<Self, WireError> {
        let page: RawClientsPage = serde_json::from_slice(text)?;
        let entries = page.clients.unwrap_or_default();
        let total = entries.len();
        let clients: Vec<_> = entries.into_iter().filter_map(Client::from_value).collect();
        let unreadable = total - clients.len();
        Ok(Self { clients, unreadable, next_page_token: page_token(page.next_page_token) })
    }
}

impl Client {
    fn from_value(entry: Value) -> Option<Self> {
        let raw: RawClient = serde_json::from_value(entry).ok()?;
        let id = raw.name.strip_prefix("clients/").filter(|id| is_id(id))?.to_owned();
        Some(Self {
            id,
            display_name: raw.display_name.and_then(Lenient::value).unwrap_or_default(),
            last_seen_time: raw.last_seen_time.and_then(RawTime::timestamp),
            delete_time: raw.delete_time.and_then(RawTime::timestamp),
        })
    }
}

/// An empty token would ask for the first page again.
fn page_token(token: Option<String>) -> Option<String> {
    token.filter(|token| !token.is_empty())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPage<T> {
    client_credentials: Option<Vec<T>>,
    next_page_token: Option<String>,
}

impl<T> RawPage<T> {
    fn map<U>(self, read: impl Fn(T) -> U) -> RawPage<U> {
        let client_credentials = self.client_credentials.map(|entries| entries.into_iter().map(read).collect());
        RawPage { client_credentials, next_page_token: self.next_page_token }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawClientsPage {
    clients: Option<Vec<Value>>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawClient {
    name: String,
    display_name: Option<Lenient<String>>,
    last_seen_time: Option<RawTime>,
    delete_time: Option<RawTime>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn last_page_has_no_token() {
        let page = ListPage::from_json(br#"{"clientCredentials":[{"displayName":"x"}],"nextPageToken":"t"}"#).unwrap();
        assert_eq!((page.credentials.len(), page.next_page_token.as_deref()), (1, Some("t")));
        assert_eq!(ListPage::from_json(br#"{"nextPageToken":""}"#).unwrap().next_page_token, None);
        assert!(ListPage::from_json(b"{}").unwrap().credentials.is_empty());
    }

    /// An odd entry among good ones is left out and counted, whatever is odd about it.
    #[test]
    fn unreadable_entry_spoils_that_entry_alone() {
        for odd in ["{}", "7", "null", r#"{"displayName":{}}"#, r#"{"displayName":"x","environments":"all"}"#] {
            let text = format!(r#"{{"clientCredentials":[{{"displayName":"a"}},{odd},{{"displayName":"b"}}]}}"#);
            let page = ListPage::from_json(text.as_bytes()).unwrap();
            let names: Vec<_> = page.credentials.iter().map(|it| it.display_name.as_str()).collect();
            assert_eq!((names, page.unreadable), (vec!["a", "b"], 1), "{odd}");
        }
    }

    #[test]
    fn page_of_another_shape_is_an_error() {
        for text in ["[]", "null", r#"{"clientCredentials":{}}"#, r#"{"nextPageToken":7}"#, "<html>"] {
            assert!(ListPage::from_json(text.as_bytes()).is_err(), "{text}");
            let clients = text.replace("clientCredentials", "clients");
            assert!(ClientsPage::from_json(clients.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn clients_are_read_by_their_ids() {
        let text = br#"{"clients":[{"name":"clients/c1","displayName":"Shop","lastSeenTime":"2026-01-01T00:00:00Z",
            "owner":"identities/1"},{"name":"clients/c2","deleteTime":"2026-01-02T00:00:00Z"},{"name":"clients/../x"}],
            "nextPageToken":"n"}"#;
        let page = ClientsPage::from_json(text).unwrap();
        let ids: Vec<_> = page.clients.iter().map(|it| (it.id.as_str(), it.display_name.as_str())).collect();
        assert_eq!((ids, page.unreadable), (vec![("c1", "Shop"), ("c2", "")], 1));
        assert_eq!(page.clients.iter().map(|it| it.delete_time.is_some()).collect::<Vec<_>>(), [false, true]);
        assert_eq!(page.next_page_token.as_deref(), Some("n"));
    }
}
