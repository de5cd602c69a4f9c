//! The controls over HTTP, for a person with curl and for tests of other processes: below `/admin/`, without
//! authentication. These calls are not recorded and meet no fault.
//!
//! | path | methods |
//! |---|---|
//! | `/admin/credentials` | GET all |
//! | `/admin/credentials/{client}/{credential}` | GET; PUT; PATCH (JSON merge patch, by somebody else); DELETE |
//! | `/admin/credentials/{client}/{credential}/seen` | POST: it is known to have been used now |
//! | `/admin/credentials/{client}/{credential}/copy` | POST: somebody else copies it, answers the copy's id |
//! | `/admin/clients/{client}` | PUT |
//! | `/admin/uses` | GET the uses by `POST /v1/flags:resolve` |
//! | `/admin/calls?from=N` | GET; DELETE forgets |
//! | `/admin/stats` | GET |
//! | `/admin/faults` | GET; POST one, answers its id; DELETE all |
//! | `/admin/faults/{id}` | DELETE |
//! | `/admin/config` | GET; PUT; PATCH (JSON merge patch) |
//! | `/admin/tokens` | DELETE all that were issued |
//! | `/admin/tokens/{token}` | PUT; DELETE |
//!
//! Credentials, clients and tokens are those of the default account, or of the one that `?account=` names.

mod credentials;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::{Config, Token};
use crate::faults::{Fault, FaultId};
use crate::record::{Call, Stats};
use crate::simulator::Simulator;
use crate::uses::Use;

type Handle = State<Simulator>;
type Refusal = (StatusCode, String);

pub(crate) fn router() -> Router<Simulator> {
    Router::new()
        .merge(credentials::router())
        .route("/uses", get(uses))
        .route("/calls", get(calls).delete(clear_calls))
        .route("/stats", get(stats))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/config", get(config).put(set_config).patch(change_config))
        .route("/tokens", delete(revoke_issued))
        .route("/tokens/{token}", axum::routing::put(add_token).delete(revoke))
}

/// The simulator with the controls of the account that the query names.
struct Scoped(Simulator);

#[derive(Deserialize)]
struct Account {
    account: Option<String>,
}

impl FromRequestParts<Simulator> for Scoped {
    type Rejection = QueryRejection;

    async fn from_request_parts(parts: &mut Parts, simulator: &Simulator) -> Result<Self, QueryRejection> {
        let Query(Account { account }) = Query::from_request_parts(parts, simulator).await?;
        Ok(Self(account.map_or_else(|| simulator.clone(), |account| simulator.account(&account))))
    }
}

#[derive(Deserialize)]
struct From {
    #[serde(default)]
    from: usize,
}

async fn calls(State(simulator): Handle, Query(From { from }): Query<From>) -> Json<Vec<Call>> {
    Json(simulator.calls_since(from))
}

async fn clear_calls(State(simulator): Handle) -> StatusCode {
    simulator.clear_calls();
    StatusCode::NO_CONTENT
}

async fn uses(State(simulator): Handle) -> Json<Vec<Use>> {
    Json(simulator.uses())
}

async fn stats(State(simulator): Handle) -> Json<Stats> {
    Json(simulator.stats())
}

async fn faults(State(simulator): Handle) -> Json<Value> {
    Json(simulator.faults().into_iter().map(|(id, fault)| json!({ "id": id, "fault": fault })).collect())
}

async fn add_fault(State(simulator): Handle, Json(fault): Json<Fault>) -> Json<Value> {
    Json(json!({ "id": simulator.fault(fault) }))
}

async fn clear_faults(State(simulator): Handle) -> StatusCode {
    simulator.clear_faults();
    StatusCode::NO_CONTENT
}

async fn remove_fault(State(simulator): Handle, Path(id): Path<u64>) -> Result<StatusCode, StatusCode> {
    found(simulator.remove_fault(FaultId(id)))
}

async fn config(State(simulator): Handle) -> Json<Config> {
    Json(simulator.config())
}

async fn set_config(State(simulator): Handle, Json(config): Json<Config>) -> StatusCode {
    simulator.reconfigure(|it| *it = config);
    StatusCode::NO_CONTENT
}

async fn change_config(State(simulator): Handle, Json(change): Json<Value>) -> Result<StatusCode, Refusal> {
    let mut outcome = Ok(StatusCode::NO_CONTENT);
    simulator.reconfigure(|config| match merged(config, &change) {
        Ok(changed) => *config = changed,
        Err(refusal) => outcome = Err(refusal),
    });
    outcome
}

async fn add_token(Scoped(simulator): Scoped, Path(text): Path<String>, Json(token): Json<Token>) -> StatusCode {
    simulator.add_token(&text, token);
    StatusCode::NO_CONTENT
}

async fn revoke(Scoped(simulator): Scoped, Path(text): Path<String>) -> Result<StatusCode, StatusCode> {
    found(simulator.revoke_token(&text))
}

async fn revoke_issued(Scoped(simulator): Scoped) -> StatusCode {
    simulator.revoke_issued_tokens();
    StatusCode::NO_CONTENT
}

fn found(there: bool) -> Result<StatusCode, StatusCode> {
    if there { Ok(StatusCode::NO_CONTENT) } else { Err(StatusCode::NOT_FOUND) }
}

/// The value with the changes of a JSON merge patch (RFC 7396).
fn merged<T: Serialize + DeserializeOwned>(value: &T, change: &Value) -> Result<T, Refusal> {
    let bad = |error: serde_json::Error| (StatusCode::BAD_REQUEST, format!("{error}\n"));
    let mut json = serde_json::to_value(value).map_err(bad)?;
    merge(&mut json, change);
    serde_json::from_value(json).map_err(bad)
}

fn merge(target: &mut Value, change: &Value) {
    let Value::Object(changes) = change else {
        *target = change.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    if let Value::Object(map) = target {
        for (key, change) in changes {
            if change.is_null() {
                map.remove(key);
            } else {
                merge(map.entry(key.clone()).or_insert(Value::Null), change);
            }
        }
    }
}
