//! Who may call: bearer tokens, their scopes and permissions, and the exchange that issues them.

use serde_json::{Value, json};

use super::{Answer, ApiRequest, Refusal};
use crate::config::{CREATE, Permission, READ, UPDATE};
use crate::record::{Call, CallKind};
use crate::state::State;
use crate::tokens::Caller;

impl State {
    /// Whose call it is: the account, and whom the token stands for.
    pub(super) fn identify(&self, request: &ApiRequest) -> (Option<String>, Option<String>) {
        if request.call.kind == CallKind::Token {
            return (self.config.account_of_client(request.text("clientId")).map(str::to_owned), None);
        }
        let caller = request.call.token.as_deref().and_then(|token| self.caller(token));
        caller.map(|it| (it.account, it.token.identity)).unzip()
    }

    /// Who calls, if the token is there, valid, and for that.
    pub(super) fn authorize(&self, call: &Call) -> Result<Caller, Refusal> {
        let text = call.token.as_deref().ok_or_else(|| Refusal(401, "there is no bearer token".to_owned()))?;
        let caller = self.caller(text).ok_or_else(|| Refusal(401, "invalid token".to_owned()))?;
        let scope = match call.kind {
            CallKind::Get | CallKind::List | CallKind::ListClients => READ,
            CallKind::Create => CREATE,
            _ => UPDATE,
        };
        if !caller.token.allows(scope) {
            return Err(Refusal(403, format!("the token lacks the scope {scope}")));
        }
        if let Some(credential) = &call.credential {
            check_permission(call, caller.token.permission(credential))?;
        }
        Ok(caller)
    }

    /// Exchanges an id and a secret for a token.
    pub(super) fn exchange(&mut self, request: &ApiRequest) -> Result<Answer, Refusal> {
        let invalid = |message: &str| Refusal(400, message.to_owned());
        if !request.says_json {
            return Err(invalid("the body is not said to be application/json"));
        }
        let body = request.json.as_ref().and_then(Value::as_object).ok_or_else(|| invalid("the body is no object"))?;
        if let Some(key) = body.keys().find(|key| !["grantType", "clientId", "clientSecret"].contains(&key.as_str())) {
            return Err(invalid(&format!("unknown field `{key}`")));
        }
        if request.text("grantType") != "client_credentials" {
            return Err(invalid("grantType is not client_credentials"));
        }
        let (id, secret) = (request.text("clientId"), request.text("clientSecret"));
        let account = request.call.account.clone().unwrap_or_default();
        let token = self.config.exchanged(&account, id, secret);
        let token = token.ok_or_else(|| Refusal(401, "unknown client, or wrong secret".to_owned()))?;
        let text = self.tokens.issue(Caller { account, token }, self.config.token_seconds);
        // Seconds come as a string: protobuf's JSON for 64-bit integers.
        Ok(Answer::json(json!({ "accessToken": text, "expiresIn": self.config.token_seconds.to_string() })))
    }
}

fn check_permission(call: &Call, permission: Permission) -> Result<(), Refusal> {
    let is_permitted = if call.kind == CallKind::Get { permission.may_read() } else { permission.may_write() };
    match permission {
        _ if is_permitted => Ok(()),
        Permission::Hidden => Err(super::credentials::not_found(call)),
        _ => Err(Refusal(403, "the caller has no permission for this credential".to_owned())),
    }
}
