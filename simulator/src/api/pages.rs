//! The calls that answer pages.

use serde_json::{Value, json};

use super::credentials::{bad_request, only_parameters};
use super::{Answer, ApiRequest, Refusal};
use crate::state::State;
use crate::store::{Page, page};
use crate::tokens::Caller;
use crate::wire::{self, Shown};

impl State {
    /// The credentials of a client that the caller may see.
    pub(super) fn list(&mut self, request: &ApiRequest, caller: &Caller) -> Result<Answer, Refusal> {
        let (size, token) = self.page_asked_for(request)?;
        let (client, _) = request.ids();
        let (lags, paging) = (self.lags(), self.config.paging);
        let mut listed = self.store(&caller.account).list(&client, &lags);
        listed.retain(|(id, _)| caller.token.permission(id).may_read());
        let Page { items, next } = page(listed, size, token, paging).ok_or_else(unknown_token)?;
        let items: Vec<_> = items.into_iter().map(|(id, it)| ((client.clone(), id.to_owned()), it.clone())).collect();
        let shown = items.iter().map(|(ids, it)| wire::render(ids, it, &self.config, Shown::Read));
        Ok(Answer::json(json!({ "clientCredentials": shown.collect::<Value>(), "nextPageToken": next })))
    }

    pub(super) fn list_clients(&mut self, request: &ApiRequest, caller: &Caller) -> Result<Answer, Refusal> {
        let (size, token) = self.page_asked_for(request)?;
        let paging = self.config.paging;
        let store = self.store(&caller.account);
        let clients = store.clients().iter().map(|(id, client)| (id.as_str(), client)).collect();
        let Page { items, next } = page(clients, size, token, paging).ok_or_else(unknown_token)?;
        let shown = items.into_iter().map(|(id, client)| wire::render_client(id, client, store.last_seen(id)));
        Ok(Answer::json(json!({ "clients": shown.collect::<Value>(), "nextPageToken": next })))
    }

    /// The size and the token of the page that is asked for.
    fn page_asked_for<'a>(&self, request: &'a ApiRequest) -> Result<(usize, &'a str), Refusal> {
        only_parameters(request, &["pageSize", "pageToken"])?;
        let largest = self.config.max_page_size.max(1);
        let size = match request.parameter("pageSize").map_err(bad_request)?.unwrap_or("0").parse::<usize>() {
            Ok(0) => largest,
            Ok(size) => size.min(largest),
            Err(_) => return Err(bad_request("pageSize is no number of items")),
        };
        Ok((size, request.parameter("pageToken").map_err(bad_request)?.unwrap_or_default()))
    }
}

fn unknown_token() -> Refusal {
    bad_request("pageToken is none that was given out")
}
