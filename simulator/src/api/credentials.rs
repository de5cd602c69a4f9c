//! The calls about credentials.

use serde_json::{Value, json};

use super::{Answer, Asked, Done, Refusal};
use crate::config::{Contract, Token};
use crate::faults::FaultKind;
use crate::state::State;
use crate::store::{Credential, Draft, Field, Ids};
use crate::wire;

impl State {
    pub(super) fn get(&self, asked: &Asked) -> Result<Answer, Refusal> {
        only_parameters(asked, &[])?;
        let ids = ids(asked);
        let credential = self.store.get(&ids).ok_or_else(|| not_found(&ids))?;
        Ok(Answer::json(wire::render(&ids, credential, &self.config, false)))
    }

    pub(super) fn list(&self, asked: &Asked) -> Result<Answer, Refusal> {
        only_parameters(asked, &["pageSize", "pageToken"])?;
        let size = asked.parameter("pageSize").map_err(bad_request)?.unwrap_or_default();
        let size = match size.parse::<usize>() {
            _ if size.is_empty() => 0,
            Ok(size) => size,
            Err(_) => return Err(bad_request("pageSize is no number of credentials")),
        };
        let largest = self.config.max_page_size.max(1);
        let size = if size == 0 { largest } else { size.min(largest) };
        let token = asked.parameter("pageToken").map_err(bad_request)?.unwrap_or_default();
        let page = self.store.page(&ids(asked).0, size, token, self.config.paging);
        let page = page.ok_or_else(|| bad_request("pageToken is none that was given out"))?;
        let shown = page.credentials.into_iter().map(|(ids, it)| wire::render(ids, it, &self.config, false));
        Ok(Answer::json(json!({ "clientCredentials": shown.collect::<Value>(), "nextPageToken": page.next })))
    }

    pub(super) fn create(&mut self, asked: &Asked, token: &Token) -> Result<Answer, Refusal> {
        only_parameters(asked, &[])?;
        let draft = self.draft(asked, None)?;
        let mut credential = Credential {
            creator: token.identity.clone(),
            updater: token.identity.clone(),
            secret: format!("secret-{}", self.store.new_id()),
            ..Credential::default()
        };
        credential.update(&draft.fields(), &draft);
        let ids = (ids(asked).0, self.store.new_id());
        let now = self.now();
        self.store.put(ids.clone(), credential, now);
        let credential = self.store.get(&ids).ok_or_else(|| not_found(&ids))?;
        Ok(Answer::json(wire::render(&ids, credential, &self.config, true)))
    }

    pub(super) fn update(&mut self, asked: &Asked, token: &Token) -> Result<Done, Refusal> {
        only_parameters(asked, &["updateMask"])?;
        let ids = ids(asked);
        let draft = self.draft(asked, Some(&ids))?;
        let mask = asked.parameter("updateMask").map_err(|error| self.invalid(error))?;
        let mask = mask.map(wire::read_mask).transpose().map_err(|error| self.invalid(error))?;
        let violations = violations(asked, &draft, mask.as_deref());
        let mut fields = mask.unwrap_or_else(|| draft.fields());
        let not_taken = asked.call.fault.as_ref().map_or(&[][..], FaultKind::not_taken);
        fields.retain(|field| !not_taken.iter().any(|path| path == field.path()));

        let now = self.now();
        let now = self.store.tick(now);
        let credential = self.store.get_mut(&ids).ok_or_else(|| not_found(&ids))?;
        let changed = credential.update(&fields, &draft);
        credential.update_time = Some(now);
        credential.updater.clone_from(&token.identity);
        let answer = Answer::json(wire::render(&ids, credential, &self.config, false));
        Ok(Done { answer, violations, changed: Some(changed) })
    }

    pub(super) fn delete(&mut self, asked: &Asked) -> Result<Answer, Refusal> {
        only_parameters(asked, &[])?;
        let ids = ids(asked);
        self.store.delete(&ids).map(|_| Answer::json(json!({}))).ok_or_else(|| not_found(&ids))
    }

    fn draft(&self, asked: &Asked, ids: Option<&Ids>) -> Result<Draft, Refusal> {
        if !asked.says_json {
            return Err(Refusal(415, "the body is not said to be application/json".to_owned()));
        }
        let body = asked.json.as_ref().ok_or_else(|| bad_request("the body is not JSON"))?;
        wire::read_body(&self.config, body, ids).map_err(|error| self.invalid(error))
    }

    /// A server generated from the `OpenAPI` holds a body against the schema, and says 422.
    fn invalid(&self, message: String) -> Refusal {
        let code = if self.config.contract == Contract::Openapi { 422 } else { 400 };
        Refusal(code, message)
    }
}

fn ids(asked: &Asked) -> Ids {
    (asked.call.client.clone().unwrap_or_default(), asked.call.credential.clone().unwrap_or_default())
}

fn not_found((client, credential): &Ids) -> Refusal {
    Refusal(404, format!("clients/{client}/credentials/{credential} does not exist"))
}

fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal(400, message.into())
}

/// A parameter that no call knows is refused, as Google's HTTP transcoding does.
fn only_parameters(asked: &Asked, known: &[&str]) -> Result<(), Refusal> {
    match asked.query.iter().find(|(key, _)| !known.contains(&key.as_str())) {
        Some((key, _)) => Err(bad_request(format!("unknown parameter `{key}`"))),
        None => Ok(()),
    }
}

/// What passes here, as it would there, but that a good client does not do.
fn violations(asked: &Asked, draft: &Draft, mask: Option<&[Field]>) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(mask) = mask {
        let stray = draft.fields().into_iter().filter(|field| *field != Field::DisplayName && !mask.contains(field));
        found.extend(stray.map(|field| format!("the body has {}, which the mask does not name", field.key())));
        let repeated = mask.iter().enumerate().filter(|(at, field)| mask[..*at].contains(field));
        found.extend(repeated.map(|(_, field)| format!("the mask names {} twice", field.path())));
    }
    if let Some(body) = asked.json.as_ref().and_then(Value::as_object) {
        found.extend(body.get("name").map(|_| "the body has a name, which cannot be written".to_owned()));
        found.extend(wire::unknown(body).map(|key| format!("the body has {key}, which is not documented")));
    }
    found
}
