//! Clients and credentials over the admin API.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post, put as put_method};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{Refusal, Scoped, found, merged};
use crate::simulator::Simulator;
use crate::store::{Client, Credential};

type Ids = Path<(String, String)>;

pub(super) fn router() -> Router<Simulator> {
    Router::new()
        .route("/clients/{client}", put_method(put_client))
        .route("/credentials", get(all))
        .route("/credentials/{client}/{credential}", get(read).put(put).patch(edit).delete(remove))
        .route("/credentials/{client}/{credential}/seen", post(seen))
        .route("/credentials/{client}/{credential}/copy", post(copy))
}

async fn put_client(Scoped(simulator): Scoped, Path(id): Path<String>, Json(client): Json<Client>) -> StatusCode {
    simulator.put_client(&id, client);
    StatusCode::NO_CONTENT
}

async fn all(Scoped(simulator): Scoped) -> Json<Value> {
    let all = simulator.all().into_iter();
    Json(all.map(|((client, id), it)| json!({ "client": client, "credential": id, "value": it })).collect())
}

async fn read(Scoped(simulator): Scoped, Path((client, id)): Ids) -> Result<Json<Credential>, StatusCode> {
    simulator.get(&client, &id).map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn put(Scoped(simulator): Scoped, Path((client, id)): Ids, Json(credential): Json<Credential>) -> StatusCode {
    simulator.put(&client, &id, credential);
    StatusCode::NO_CONTENT
}

/// An outsider sets the fields of the body.
async fn edit(
    Scoped(simulator): Scoped,
    Path((client, id)): Ids,
    Json(change): Json<Value>,
) -> Result<StatusCode, Refusal> {
    let before = simulator.get(&client, &id).ok_or((StatusCode::NOT_FOUND, String::new()))?;
    // Refused before anything moves.
    merged(&before, &change)?;
    let there = simulator.edit(&client, &id, |credential| {
        if let Ok(changed) = merged(credential, &change) {
            *credential = changed;
        }
    });
    found(there).map_err(|status| (status, String::new()))
}

async fn remove(Scoped(simulator): Scoped, Path((client, id)): Ids) -> Result<StatusCode, StatusCode> {
    found(simulator.delete(&client, &id).is_some())
}

async fn seen(Scoped(simulator): Scoped, Path((client, id)): Ids) -> Result<StatusCode, StatusCode> {
    found(simulator.touch(&client, &id))
}

async fn copy(Scoped(simulator): Scoped, Path((client, id)): Ids) -> Result<Json<Value>, StatusCode> {
    let copy = simulator.copy(&client, &id).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({ "credential": copy })))
}
