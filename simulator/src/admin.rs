//! The controls over HTTP, for a person with curl and for a demo: below `/admin/`, without authentication. These calls
//! are not recorded and meet no fault.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::Call;
use crate::config::Config;
use crate::faults::Fault;
use crate::simulator::Simulator;
use crate::store::Credential;

pub(crate) fn router() -> Router<Simulator> {
    Router::new()
        .route("/credentials", get(all))
        .route("/credentials/{client}/{credential}", get(read).put(put).patch(edit).delete(delete))
        .route("/calls", get(calls))
        .route("/faults", post(add_fault).delete(clear_faults))
        .route("/config", get(config).put(set_config))
}

async fn all(State(simulator): State<Simulator>) -> Json<Value> {
    let all = simulator.all().into_iter();
    Json(all.map(|((client, id), it)| json!({"client": client, "credential": id, "value": it})).collect())
}

async fn read(
    State(simulator): State<Simulator>,
    Path((client, id)): Path<(String, String)>,
) -> Result<Json<Credential>, StatusCode> {
    simulator.get(&client, &id).map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn put(
    State(simulator): State<Simulator>,
    Path((client, id)): Path<(String, String)>,
    Json(credential): Json<Credential>,
) -> StatusCode {
    simulator.put(&client, &id, credential);
    StatusCode::NO_CONTENT
}

/// Somebody else changes the fields that the body brings.
async fn edit(
    State(simulator): State<Simulator>,
    Path((client, id)): Path<(String, String)>,
    Json(change): Json<serde_json::Map<String, Value>>,
) -> Result<StatusCode, (StatusCode, String)> {
    let before = simulator.get(&client, &id).ok_or((StatusCode::NOT_FOUND, String::new()))?;
    let bad = |error: serde_json::Error| (StatusCode::BAD_REQUEST, format!("{error}\n"));
    let mut value = serde_json::to_value(&before).map_err(bad)?;
    if let Some(map) = value.as_object_mut() {
        map.extend(change.clone());
    }
    let after: Credential = serde_json::from_value(value).map_err(bad)?;
    simulator.edit(&client, &id, |credential| {
        let (updater, update_time) = (credential.updater.clone(), credential.update_time);
        *credential = after;
        if !change.contains_key("updater") {
            credential.updater = updater;
        }
        if !change.contains_key("updateTime") {
            credential.update_time = update_time;
        }
    });
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(State(simulator): State<Simulator>, Path((client, id)): Path<(String, String)>) -> StatusCode {
    if simulator.delete(&client, &id).is_some() { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

#[derive(Deserialize)]
struct From {
    #[serde(default)]
    from: usize,
}

async fn calls(State(simulator): State<Simulator>, Query(From { from }): Query<From>) -> Json<Vec<Call>> {
    Json(simulator.calls().into_iter().skip(from).collect())
}

async fn add_fault(State(simulator): State<Simulator>, Json(fault): Json<Fault>) -> StatusCode {
    simulator.fault(fault);
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(simulator): State<Simulator>) -> StatusCode {
    simulator.clear_faults();
    StatusCode::NO_CONTENT
}

async fn config(State(simulator): State<Simulator>) -> Json<Config> {
    Json(simulator.state().config.clone())
}

async fn set_config(State(simulator): State<Simulator>, Json(config): Json<Config>) -> StatusCode {
    simulator.reconfigure(|it| *it = config);
    StatusCode::NO_CONTENT
}
