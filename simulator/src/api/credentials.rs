//! The calls about one credential.

use serde_json::{Value, json};

use super::{Answer, ApiRequest, CarriedOut, Refusal};
use crate::config::Contract;
use crate::faults::FaultKind;
use crate::record::{Call, Landing};
use crate::state::State;
use crate::store::{Credential, Field, Ids, RequestedFields};
use crate::tokens::Caller;
use crate::wire::{self, Shown};

impl State {
    pub(super) fn get(&mut self, request: &ApiRequest, caller: &Caller) -> Result<Answer, Refusal> {
        only_parameters(request, &[])?;
        let (ids, lags) = (request.ids(), self.lags());
        let credential = self.store(&caller.account).read(&ids, &lags).cloned();
        let credential = credential.ok_or_else(|| not_found(&request.call))?;
        Ok(Answer::json(wire::render(&ids, &credential, &self.config, Shown::Read)))
    }

    pub(super) fn create(&mut self, request: &ApiRequest, caller: &Caller) -> Result<CarriedOut, Refusal> {
        only_parameters(request, &[])?;
        let requested = self.requested_fields(request, None)?;
        let client = request.ids().0;
        if !self.store(&caller.account).clients().contains_key(&client) {
            return Err(Refusal(404, format!("clients/{client} does not exist")));
        }
        let (now, identity) = (self.tick(), &caller.token.identity);
        let mut credential = Credential {
            secret: format!("secret-{}", self.new_id()),
            create_time: Some(now),
            update_time: Some(now),
            creator: identity.clone(),
            updater: identity.clone(),
            ..Credential::default()
        };
        credential.update(&applied(requested.fields(), &request.call), &requested);
        let id = self.new_id();
        let ids = (client, id.clone());
        let answer = Answer::json(wire::render(&ids, &credential, &self.config, Shown::Create));
        self.write(&caller.account, &ids, Some(credential), Some(request.call.index));
        Ok(CarriedOut { answer, landing: Landing { created: Some(id), ..Landing::default() } })
    }

    pub(super) fn update(&mut self, request: &ApiRequest, caller: &Caller) -> Result<CarriedOut, Refusal> {
        only_parameters(request, &["updateMask"])?;
        let ids = request.ids();
        let requested = self.requested_fields(request, Some(&ids))?;
        let mask = request.parameter("updateMask").map_err(|error| self.invalid(error))?;
        let mask = mask.map(wire::read_mask).transpose().map_err(|error| self.invalid(error))?;
        let violations = violations(request, &requested, mask.as_deref());
        let fields = applied(mask.unwrap_or_else(|| requested.fields()), &request.call);

        let credential = self.store(&caller.account).get(&ids).cloned();
        let mut credential = credential.ok_or_else(|| not_found(&request.call))?;
        let changed = credential.update(&fields, &requested);
        credential.update_time = Some(self.tick());
        credential.updater.clone_from(&caller.token.identity);
        let answer = Answer::json(wire::render(&ids, &credential, &self.config, Shown::Update));
        self.write(&caller.account, &ids, Some(credential), Some(request.call.index));
        Ok(CarriedOut { answer, landing: Landing { violations, changed: Some(changed), created: None } })
    }

    pub(super) fn delete(&mut self, request: &ApiRequest, caller: &Caller) -> Result<Answer, Refusal> {
        only_parameters(request, &[])?;
        let ids = request.ids();
        if self.store(&caller.account).get(&ids).is_none() {
            return Err(not_found(&request.call));
        }
        self.write(&caller.account, &ids, None, Some(request.call.index));
        Ok(Answer::json(json!({})))
    }

    /// The credential of the body, without the labels that the server drops.
    fn requested_fields(&self, request: &ApiRequest, ids: Option<&Ids>) -> Result<RequestedFields, Refusal> {
        if !request.says_json {
            return Err(Refusal(415, "the body is not said to be application/json".to_owned()));
        }
        let body = request.json.as_ref().ok_or_else(|| bad_request("the body is not JSON"))?;
        let mut requested = wire::read_body(&self.config, body, ids).map_err(|error| self.invalid(error))?;
        if let Some(labels) = &mut requested.labels {
            labels.retain(|key, _| !self.config.dropped_labels.iter().any(|prefix| key.starts_with(prefix)));
        }
        Ok(requested)
    }

    /// A server generated from the `OpenAPI` holds a body against the schema, and says 422.
    fn invalid(&self, message: String) -> Refusal {
        let code = if self.config.contract == Contract::Openapi { 422 } else { 400 };
        Refusal(code, message)
    }
}

/// Removes the fields that the fault of the call leaves unchanged.
fn applied(mut fields: Vec<Field>, call: &Call) -> Vec<Field> {
    let not_applied = call.fault.as_ref().map_or(&[][..], FaultKind::not_applied);
    fields.retain(|field| !not_applied.iter().any(|path| path == field.path()));
    fields
}

pub(super) fn not_found(call: &Call) -> Refusal {
    let (client, credential) = (call.client.as_deref(), call.credential.as_deref());
    let name = format!("clients/{}/credentials/{}", client.unwrap_or_default(), credential.unwrap_or_default());
    Refusal(404, format!("{name} does not exist"))
}

pub(super) fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal(400, message.into())
}

/// A parameter that no call knows is refused, as Google's HTTP transcoding does.
pub(super) fn only_parameters(request: &ApiRequest, known: &[&str]) -> Result<(), Refusal> {
    match request.query.iter().find(|(key, _)| !known.contains(&key.as_str())) {
        Some((key, _)) => Err(bad_request(format!("unknown parameter `{key}`"))),
        None => Ok(()),
    }
}

/// What passes here, as it would there, but that a good client does not do.
fn violations(request: &ApiRequest, requested: &RequestedFields, mask: Option<&[Field]>) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(mask) = mask {
        let fields = requested.fields().into_iter();
        let unmasked = fields.filter(|field| *field != Field::DisplayName && !mask.contains(field));
        found.extend(unmasked.map(|field| format!("the body has {}, which the mask does not name", field.key())));
        let repeated = mask.iter().enumerate().filter(|(at, field)| mask[..*at].contains(field));
        found.extend(repeated.map(|(_, field)| format!("the mask names {} twice", field.path())));
    }
    if let Some(body) = request.json.as_ref().and_then(Value::as_object) {
        found.extend(body.get("name").map(|_| "the body has a name, which cannot be written".to_owned()));
        found.extend(wire::unknown(body).map(|key| format!("the body has {key}, which is not documented")));
    }
    found
}
