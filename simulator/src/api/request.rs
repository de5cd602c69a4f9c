//! Requests, taken apart.

use axum::body::{self, Body};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Request, header};
use bytes::Bytes;
use serde_json::Value;

use crate::record::{Call, CallKind};
use crate::store::Ids;

const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A request of the API.
pub(crate) struct ApiRequest {
    /// What goes on record.
    pub call: Call,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// Whether the body is said to be JSON.
    pub says_json: bool,
    /// The body, if it is JSON.
    pub json: Option<Value>,
    /// Whether the body could be read.
    pub is_readable: bool,
}

impl ApiRequest {
    /// Reads a request whole.
    pub async fn read(request: Request<Body>) -> Self {
        let (head, body) = request.into_parts();
        let mut request = Self::from_head(&head);
        match body::to_bytes(body, MAX_BODY_BYTES).await {
            Ok(body) => request.set_body(&body),
            Err(_) => request.is_readable = false,
        }
        request
    }

    fn from_head(head: &Parts) -> Self {
        let (method, path) = (&head.method, head.uri.path());
        let (kind, client, credential) = kind_of(method, path);
        let query = head.uri.query().unwrap_or_default();
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mask = query.iter().filter(|(key, _)| key == "updateMask");
        let mask = mask.flat_map(|(_, value)| value.split(',')).map(str::to_owned).collect();
        let call = Call {
            kind,
            line: format!("{method} {}", head.uri),
            method: method.to_string(),
            path: path.to_owned(),
            client,
            credential,
            mask,
            token: text(&head.headers, header::AUTHORIZATION)
                .and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned)),
            user_agent: text(&head.headers, header::USER_AGENT),
            ..Call::default()
        };
        Self { call, query, says_json: says_json(&head.headers), json: None, is_readable: true }
    }

    fn set_body(&mut self, body: &Bytes) {
        self.json = serde_json::from_slice(body).ok();
        self.call.body = match &self.json {
            Some(json) => json.clone(),
            None if body.is_empty() => Value::Null,
            None => String::from_utf8_lossy(body).into(),
        };
    }

    /// The ids in the path; empty where it has none.
    pub fn ids(&self) -> Ids {
        (self.call.client.clone().unwrap_or_default(), self.call.credential.clone().unwrap_or_default())
    }

    /// A text in the body; empty where it has none.
    pub fn text(&self, key: &str) -> &str {
        self.json.as_ref().and_then(|body| body.get(key)).and_then(Value::as_str).unwrap_or_default()
    }

    /// The only value of a parameter of the query.
    ///
    /// # Errors
    /// It is there more than once.
    pub fn parameter(&self, name: &str) -> Result<Option<&str>, String> {
        let mut values = self.query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(format!("{name} is there more than once")),
            (value, None) => Ok(value),
        }
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn says_json(headers: &HeaderMap) -> bool {
    let said = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    said.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Which call it is, and of which client and credential.
fn kind_of(method: &Method, path: &str) -> (CallKind, Option<String>, Option<String>) {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts[..] {
        ["v1", "clients", client, "credentials", id] if !client.is_empty() && !id.is_empty() => {
            let kind = match *method {
                Method::GET => CallKind::Get,
                Method::PATCH => CallKind::Update,
                Method::DELETE => CallKind::Delete,
                _ => CallKind::Other,
            };
            (kind, Some(client.to_owned()), Some(id.to_owned()))
        }
        ["v1", "clients", client, "credentials"] if !client.is_empty() => {
            let kind = match *method {
                Method::GET => CallKind::List,
                Method::POST => CallKind::Create,
                _ => CallKind::Other,
            };
            (kind, Some(client.to_owned()), None)
        }
        ["v1", "clients"] if *method == Method::GET => (CallKind::ListClients, None, None),
        ["v1", "oauth", "token"] if *method == Method::POST => (CallKind::Token, None, None),
        _ => (CallKind::Other, None, None),
    }
}
