//! The calls of the API.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::{Contract, READ, Reading, Token, UPDATE};
use crate::faults::FaultKind;
use crate::serve::ConnectionReset;
use crate::simulator::{Simulator, State as Inner};
use crate::store::{Credential, Ids};
use crate::wire;

/// A call that the server received. Holds the body as it came, secrets included.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Counts all calls from 0.
    pub index: usize,
    /// Which call of the API it is.
    pub kind: CallKind,
    /// The method and the path with its query, as they came.
    pub line: String,
    /// The id of the client.
    pub client: Option<String>,
    /// The id of the credential.
    pub credential: Option<String>,
    /// The paths of the update mask, in the order in which they came.
    pub mask: Vec<String>,
    /// The body.
    pub body: Value,
    /// The bearer token.
    pub token: Option<String>,
    /// When it came, in milliseconds since the server began.
    pub milliseconds: u64,
    /// The status of the answer; none while there is none, or where there never will be one.
    pub status: Option<u16>,
}

/// Which call of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallKind {
    /// GET of a credential.
    Get,
    /// GET of the credentials of a client.
    List,
    /// POST.
    Create,
    /// PATCH.
    Update,
    /// DELETE.
    Delete,
    /// POST for a token.
    Token,
    /// Anything else.
    Other,
}

/// A request, taken apart.
struct Asked {
    call: Call,
    query: Vec<(String, String)>,
    json: bool,
    body: Bytes,
}

type Answer = Result<Value, Refusal>;

/// A refusal: the status, and what `google.rpc.Status` says.
struct Refusal(u16, String);

/// Answers one call: records it, lets it meet its fault, carries it out.
pub(crate) async fn answer(State(simulator): State<Simulator>, request: Request<Body>) -> Response {
    let asked = match take_apart(request).await {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    let (index, fault, latency) = simulator.received(&asked.call);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let response = match fault {
        None => simulator.carry_out(&asked, &[]),
        Some(fault) => meet(&simulator, &asked, fault).await,
    };
    let reset = response.extensions().get::<ConnectionReset>().is_some();
    simulator.answered(index, (!reset).then(|| response.status().as_u16()));
    response
}

async fn take_apart(request: Request<Body>) -> Result<Asked, Box<Response>> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await;
    let body = body.map_err(|error| Box::new((StatusCode::PAYLOAD_TOO_LARGE, error.to_string()).into_response()))?;
    let (kind, client, credential) = kind_of(&parts.method, parts.uri.path());
    let query = parts.uri.query().unwrap_or_default();
    let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let mask = value(&query, "updateMask").map(|mask| mask.split(',').map(str::to_owned).collect());
    let call = Call {
        index: 0,
        kind,
        line: format!("{} {}", parts.method, parts.uri),
        client,
        credential,
        mask: mask.unwrap_or_default(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        token: bearer(&parts.headers),
        milliseconds: 0,
        status: None,
    };
    let json = parts.headers.get(header::CONTENT_TYPE).is_some_and(|it| it.as_bytes().starts_with(b"application/json"));
    Ok(Asked { call, query, json, body })
}

fn kind_of(method: &Method, path: &str) -> (CallKind, Option<String>, Option<String>) {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method.as_str(), segments.as_slice()) {
        ("POST", ["v1", "oauth", "token"]) => (CallKind::Token, None, None),
        (method, ["v1", "clients", client, "credentials"]) => {
            let kind = match method {
                "GET" => CallKind::List,
                "POST" => CallKind::Create,
                _ => CallKind::Other,
            };
            (kind, Some((*client).to_owned()), None)
        }
        (method, ["v1", "clients", client, "credentials", credential]) => {
            let kind = match method {
                "GET" => CallKind::Get,
                "PATCH" => CallKind::Update,
                "DELETE" => CallKind::Delete,
                _ => CallKind::Other,
            };
            (kind, Some((*client).to_owned()), Some((*credential).to_owned()))
        }
        _ => (CallKind::Other, None, None),
    }
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::to_owned)
}

fn value(query: &[(String, String)], name: &str) -> Option<String> {
    query.iter().find(|(it, _)| it == name).map(|(_, value)| value.clone())
}

async fn meet(simulator: &Simulator, asked: &Asked, fault: FaultKind) -> Response {
    let carry_out = || simulator.carry_out(asked, &[]);
    match fault {
        FaultKind::Status { code, retry_after } => {
            with_retry_after(rpc_status(code, "injected"), retry_after.as_deref())
        }
        FaultKind::Reset => reset(),
        FaultKind::ResetAfter => {
            carry_out();
            reset()
        }
        FaultKind::Hang => std::future::pending().await,
        FaultKind::HangAfter => {
            carry_out();
            std::future::pending().await
        }
        FaultKind::Html { code } => html(code),
        FaultKind::Empty { code } => status(code).into_response(),
        FaultKind::BrokenJson => {
            carry_out();
            with_body(r#"{"displayName":"brok"#.to_owned())
        }
        FaultKind::WrongShape => {
            carry_out();
            with_body("[]".to_owned())
        }
        FaultKind::Huge { bytes } => {
            carry_out();
            with_body("x".repeat(bytes))
        }
        FaultKind::Unknown => {
            with_fields(carry_out(), &json!({"sdkType": "SDK_TYPE_OF_TOMORROW", "tier": {"x": [1]}})).await
        }
        FaultKind::BadName => with_fields(carry_out(), &json!({"name": "string"})).await,
        FaultKind::NotTaken { fields } => simulator.carry_out(asked, &fields),
        FaultKind::Slow { milliseconds } => {
            tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
            carry_out()
        }
    }
}

fn reset() -> Response {
    let mut response = StatusCode::OK.into_response();
    response.extensions_mut().insert(ConnectionReset);
    response
}

async fn with_fields(response: Response, fields: &Value) -> Response {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let mut value: Value = serde_json::from_slice(&body).unwrap_or_default();
    if let (Some(value), Some(fields)) = (value.as_object_mut(), fields.as_object()) {
        value.extend(fields.clone());
    }
    let mut response = with_body(value.to_string());
    *response.status_mut() = parts.status;
    response
}

fn with_body(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn html(code: u16) -> Response {
    let page = "<html><body>This is not the page that you look for.</body></html>";
    (status(code), [(header::CONTENT_TYPE, "text/html")], page).into_response()
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The codes of `google.rpc.Code` for HTTP's.
fn rpc_status(code: u16, message: &str) -> Response {
    let rpc = match code {
        400 | 422 => 3,
        401 => 16,
        403 => 7,
        404 => 5,
        409 => 6,
        429 => 8,
        501 => 12,
        503 => 14,
        504 => 4,
        _ => 13,
    };
    let body = json!({"code": rpc, "message": message, "details": []}).to_string();
    let mut response = with_body(body);
    *response.status_mut() = status(code);
    response
}

fn with_retry_after(mut response: Response, value: Option<&str>) -> Response {
    if let Some(value) = value.and_then(|it| it.parse().ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

impl Simulator {
    /// Carries a call out, but for the fields that are not to be taken.
    fn carry_out(&self, asked: &Asked, not_taken: &[String]) -> Response {
        let mut state = self.state();
        if let Some(refusal) = not_offered(&state, asked) {
            return refusal;
        }
        if state.over_quota() {
            let retry_after = state.config.quota_retry_after.clone();
            return with_retry_after(rpc_status(429, "the account is over its quota"), retry_after.as_deref());
        }
        match state.call(asked, not_taken) {
            Ok(value) => with_body(value.to_string()),
            Err(Refusal(code, message)) => rpc_status(code, &message),
        }
    }
}

/// What the contract, or the configuration, does not offer at all.
fn not_offered(state: &Inner, asked: &Asked) -> Option<Response> {
    let config = &state.config;
    let openapi = config.contract == Contract::Openapi;
    match asked.call.kind {
        CallKind::Update => None,
        CallKind::Token if !openapi => None,
        _ if openapi && asked.call.credential.is_some() => {
            let body = json!({"type": "about:blank", "title": "Route resolved, but no path matched", "status": 405});
            let headers = [(header::CONTENT_TYPE, "application/problem+json"), (header::ALLOW, "PATCH")];
            Some((StatusCode::METHOD_NOT_ALLOWED, headers, body.to_string()).into_response())
        }
        CallKind::Get | CallKind::List if !openapi => match config.reading {
            Reading::Offered => None,
            Reading::MethodNotAllowed => Some(rpc_status(405, "method not allowed")),
            Reading::NotImplemented => Some(rpc_status(501, "not implemented")),
            Reading::NotFoundHtml => Some(html(404)),
        },
        CallKind::Create | CallKind::Delete if !openapi => None,
        _ => Some(html(404)),
    }
}

impl Inner {
    fn call(&mut self, asked: &Asked, not_taken: &[String]) -> Answer {
        if asked.call.kind == CallKind::Token {
            return self.issue_token(&asked.body);
        }
        let token = asked.call.token.as_deref().and_then(|token| self.token(token));
        let token = token.ok_or_else(|| Refusal(401, "the request has no valid bearer token".to_owned()))?;
        let scope = if matches!(asked.call.kind, CallKind::Get | CallKind::List) { READ } else { UPDATE };
        if !token.allows(scope) {
            return Err(Refusal(403, format!("the token lacks the scope {scope}")));
        }
        let ids = (asked.call.client.clone().unwrap_or_default(), asked.call.credential.clone().unwrap_or_default());
        match asked.call.kind {
            CallKind::Get => self.get(&ids),
            CallKind::List => self.list(&ids.0, &asked.query),
            CallKind::Create => self.create(ids.0, asked, &token),
            CallKind::Update => self.update(&ids, asked, &token, not_taken),
            _ => self.store.delete(&ids).map(|_| json!({})).ok_or_else(|| not_found(&ids)),
        }
    }

    fn issue_token(&mut self, body: &[u8]) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("grantType") != "client_credentials" {
            return Err(Refusal(400, "grantType is not client_credentials".to_owned()));
        }
        if self.config.clients.get(text("clientId")).is_none_or(|secret| secret != text("clientSecret")) {
            return Err(Refusal(401, "unknown client, or wrong secret".to_owned()));
        }
        Ok(json!({"accessToken": self.new_token(), "expiresIn": self.config.token_seconds.to_string()}))
    }

    fn get(&self, ids: &Ids) -> Answer {
        let credential = self.store.get(ids).ok_or_else(|| not_found(ids))?;
        Ok(wire::render(ids, credential, &self.config, false))
    }

    fn list(&self, client: &str, query: &[(String, String)]) -> Answer {
        let number =
            |name: &str| value(query, name).filter(|it| !it.is_empty()).map(|it| it.parse::<usize>()).transpose();
        let size = number("pageSize").map_err(|_| Refusal(400, "pageSize is not a number".to_owned()))?;
        let size = size.filter(|it| *it > 0).unwrap_or(50).min(self.config.max_page_size);
        let start = number("pageToken").map_err(|_| Refusal(400, "pageToken is none".to_owned()))?.unwrap_or(0);
        let all = self.store.of_client(client);
        let page = all.iter().skip(start).take(size);
        let credentials: Vec<Value> = page.map(|(ids, it)| wire::render(ids, it, &self.config, false)).collect();
        let next = if start + size < all.len() { (start + size).to_string() } else { String::new() };
        Ok(json!({"clientCredentials": credentials, "nextPageToken": next}))
    }

    fn create(&mut self, client: String, asked: &Asked, token: &Token) -> Answer {
        let values = self.body(asked)?;
        let mut credential = Credential { creator: token.identity.clone(), ..Credential::default() };
        credential.update(&values, &wire::brought(&values), &[]);
        credential.updater.clone_from(&token.identity);
        if credential.secret.is_empty() {
            credential.secret = format!("secret-{}", self.store.new_id());
        }
        let ids = (client, self.store.new_id());
        let now = self.now();
        self.store.put(ids.clone(), credential, now);
        let credential = self.store.get(&ids).ok_or_else(|| not_found(&ids))?;
        Ok(wire::render(&ids, credential, &self.config, true))
    }

    fn update(&mut self, ids: &Ids, asked: &Asked, token: &Token, not_taken: &[String]) -> Answer {
        let values = self.body(asked)?;
        let mask = wire::mask(value(&asked.query, "updateMask").as_deref(), &values);
        let mask = mask.map_err(|error| Refusal(400, error))?;
        let brought = wire::brought(&values);
        if let Some(stray) = brought.iter().find(|path| *path != "display_name" && !mask.contains(path)) {
            return Err(Refusal(400, format!("the body has {stray}, which the mask does not name")));
        }
        if self.store.get(ids).is_none() {
            return Err(not_found(ids));
        }
        let now = self.now();
        let now = self.store.tick(now);
        let credential = self.store.get_mut(ids).ok_or_else(|| not_found(ids))?;
        credential.update(&values, &mask, not_taken);
        credential.update_time = Some(now);
        credential.updater.clone_from(&token.identity);
        Ok(wire::render(ids, credential, &self.config, false))
    }

    fn body(&self, asked: &Asked) -> Result<crate::store::Values, Refusal> {
        // A server generated from the OpenAPI validates against the schema, and says so with 422.
        let code = if self.config.contract == Contract::Openapi { 422 } else { 400 };
        if !asked.json {
            return Err(Refusal(415, "the body is not said to be application/json".to_owned()));
        }
        wire::values(&asked.body, &self.config).map_err(|error| Refusal(code, error))
    }
}

fn not_found(ids: &Ids) -> Refusal {
    Refusal(404, format!("clients/{}/credentials/{} does not exist", ids.0, ids.1))
}
