//! Answers, before they become HTTP.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Value, json};

use crate::config::Contract;
use crate::serve::ConnectionReset;

/// The response to a caller.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer(Answer),
    /// The connection is closed without an answer.
    Reset,
    /// There is no answer until the caller leaves.
    Hang,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: Vec<(header::HeaderName, String)>,
    pub body: Payload,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Payload {
    Json(Value),
    Problem(Value),
    Text { content_type: &'static str, text: String },
    Huge(usize),
    Nothing,
}

impl Reply {
    /// The status that is answered, if any is.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answer(answer) => Some(answer.status.as_u16()),
            Self::Reset | Self::Hang => None,
        }
    }

    /// The JSON that is answered, if any is.
    pub fn json(&self) -> Option<&Value> {
        match self {
            Self::Answer(Answer { body: Payload::Json(value), .. }) => Some(value),
            _ => None,
        }
    }

    /// The answer with the time at which it was decided on.
    pub fn with_date(self, now: Timestamp) -> Self {
        match (self, DateTimePrinter::new().timestamp_to_rfc9110_string(&now)) {
            (Self::Answer(answer), Ok(date)) => Self::Answer(answer.with_header(header::DATE, date)),
            (reply, _) => reply,
        }
    }

    /// The response. A hang never resolves.
    pub async fn into_response(self) -> Response {
        match self {
            Self::Answer(answer) => answer.into_response(),
            Self::Reset => {
                let mut response = Answer::empty(StatusCode::INTERNAL_SERVER_ERROR).into_response();
                response.extensions_mut().insert(ConnectionReset);
                response
            }
            Self::Hang => std::future::pending().await,
        }
    }
}

impl Answer {
    pub fn json(value: Value) -> Self {
        Self { status: StatusCode::OK, headers: Vec::new(), body: Payload::Json(value) }
    }

    pub fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Payload::Nothing }
    }

    pub fn html(status: StatusCode) -> Self {
        let text = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n");
        Self { status, headers: Vec::new(), body: Payload::Text { content_type: "text/html; charset=utf-8", text } }
    }

    /// An error in the words of the contract: a `google.rpc.Status`, or a problem of RFC 9457 as servers generated from
    /// an `OpenAPI` document answer.
    pub fn error(contract: Contract, status: StatusCode, message: &str) -> Self {
        let body = match contract {
            Contract::Full => Payload::Json(json!({ "code": rpc_code(status), "message": message, "details": [] })),
            Contract::Openapi => Payload::Problem(json!({
                "type": "about:blank",
                "title": status.canonical_reason().unwrap_or("Error"),
                "status": status.as_u16(),
                "detail": message,
            })),
        };
        Self { status, headers: Vec::new(), body }
    }

    pub fn with_header(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn with_retry_after(self, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with_header(header::RETRY_AFTER, value),
            None => self,
        }
    }

    fn into_response(self) -> Response {
        let (content_type, body) = match self.body {
            Payload::Json(value) => (Some("application/json"), Body::from(value.to_string())),
            Payload::Problem(value) => (Some("application/problem+json"), Body::from(value.to_string())),
            Payload::Text { content_type, text } => (Some(content_type), Body::from(text)),
            Payload::Huge(bytes) => (Some("application/json"), huge(bytes)),
            Payload::Nothing => (None, Body::empty()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        if let Some(content_type) = content_type {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// A body that is made as it is sent: it need not fit into memory, here or there.
fn huge(bytes: usize) -> Body {
    static CHUNK: [u8; 16 * 1024] = [b'x'; 16 * 1024];
    let chunks = stream::unfold(bytes, |left| async move {
        let size = left.min(CHUNK.len());
        (size > 0).then(|| (Ok::<_, Infallible>(Bytes::from_static(&CHUNK[..size])), left - size))
    });
    Body::from_stream(chunks)
}

/// The code of `google.rpc.Code` that goes with an HTTP status.
fn rpc_code(status: StatusCode) -> i32 {
    match status.as_u16() {
        400 => 3,
        401 => 16,
        403 => 7,
        404 => 5,
        409 => 10,
        429 => 8,
        405 | 501 => 12,
        503 => 14,
        504 => 4,
        500..=599 => 13,
        _ => 2,
    }
}
