//! Who may call: bearer tokens, and the exchange that issues them.

use serde_json::{Value, json};

use super::{Answer, Asked, Refusal};
use crate::config::{READ, Token, UPDATE};
use crate::record::{Call, CallKind};
use crate::state::State;

impl State {
    /// The token of a call, if it is there, valid, and for that.
    pub(super) fn authorize(&self, call: &Call) -> Result<Token, Refusal> {
        let text = call.token.as_deref().ok_or_else(|| Refusal(401, "there is no bearer token".to_owned()))?;
        let token = self.tokens.find(text, &self.config).ok_or_else(|| Refusal(401, "invalid token".to_owned()))?;
        let scope = if matches!(call.kind, CallKind::Get | CallKind::List) { READ } else { UPDATE };
        if token.allows(scope) { Ok(token) } else { Err(Refusal(403, format!("the token lacks the scope {scope}"))) }
    }

    /// Exchanges an id and a secret for a token.
    pub(super) fn exchange(&mut self, asked: &Asked) -> Result<Answer, Refusal> {
        let invalid = |message: &str| Refusal(400, message.to_owned());
        if !asked.says_json {
            return Err(invalid("the body is not said to be application/json"));
        }
        let body = asked.json.as_ref().and_then(Value::as_object).ok_or_else(|| invalid("the body is no object"))?;
        if let Some(key) = body.keys().find(|key| !["grantType", "clientId", "clientSecret"].contains(&key.as_str())) {
            return Err(invalid(&format!("unknown field `{key}`")));
        }
        let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
        if text("grantType") != "client_credentials" {
            return Err(invalid("grantType is not client_credentials"));
        }
        if self.config.clients.get(text("clientId")).is_none_or(|secret| secret != text("clientSecret")) {
            return Err(Refusal(401, "unknown client, or wrong secret".to_owned()));
        }
        let token = self.tokens.issue(self.config.token_seconds);
        // Seconds come as a string: protobuf's JSON for 64-bit integers.
        Ok(Answer::json(json!({ "accessToken": token, "expiresIn": self.config.token_seconds.to_string() })))
    }
}
