//! Applications resolve flags with a credential's secret. This is another service than IAM: its calls need no token and meet
//! no fault. Each one is a [`Use`](crate::Use), not a [`Call`](crate::Call).

use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Json, extract::rejection::JsonRejection};
use serde_json::{Value, json};

use super::{Answer, Reply};
use crate::config::Contract;
use crate::simulator::Simulator;

/// Answers `POST /v1/flags:resolve`; of the body only `clientSecret` matters.
pub(crate) async fn resolve(
    Extract(simulator): Extract<Simulator>,
    body: Result<Json<Value>, JsonRejection>,
) -> Response {
    let error = |status, message: &str| Answer::error(Contract::Full, status, message);
    let answer = match body.as_ref().map(|Json(body)| body["clientSecret"].as_str()) {
        Ok(Some(secret)) => match simulator.resolve(secret) {
            Ok(_) => Answer::json(json!({ "resolvedFlags": [], "resolveToken": "" })),
            Err(unknown) => error(StatusCode::UNAUTHORIZED, &unknown.to_string()),
        },
        _ => error(StatusCode::BAD_REQUEST, "clientSecret is required"),
    };
    let now = simulator.state().now();
    Reply::Answer(answer).with_date(now).into_response().await
}
