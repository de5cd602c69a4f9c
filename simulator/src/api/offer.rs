//! Which calls there are at all, by contract and configuration.

use axum::http::{StatusCode, header};

use super::{Answer, ApiRequest};
use crate::config::{Contract, Reading};
use crate::record::CallKind;
use crate::state::State;

impl State {
    /// The answer to a call that is not offered.
    pub(super) fn not_offered(&self, request: &ApiRequest) -> Option<Answer> {
        match self.config.contract {
            Contract::Full => self.not_offered_in_full(request),
            Contract::Openapi => not_documented(request.call.kind, request.call.credential.is_some()),
        }
    }

    fn not_offered_in_full(&self, request: &ApiRequest) -> Option<Answer> {
        let is_known_path = request.call.client.is_some() || request.call.path == "/v1/clients";
        let error = |status, message| Some(Answer::error(Contract::Full, status, message));
        match request.call.kind {
            CallKind::Get | CallKind::List => match self.config.reading {
                Reading::Offered => None,
                Reading::MethodNotAllowed => error(StatusCode::METHOD_NOT_ALLOWED, "reading is not allowed"),
                Reading::NotImplemented => error(StatusCode::NOT_IMPLEMENTED, "reading is not implemented"),
                Reading::Forbidden => error(StatusCode::FORBIDDEN, "reading is not permitted"),
                Reading::NotFoundHtml => Some(Answer::html(StatusCode::NOT_FOUND)),
            },
            CallKind::Other if is_known_path => error(StatusCode::METHOD_NOT_ALLOWED, "there is no such method here"),
            CallKind::Other => Some(Answer::html(StatusCode::NOT_FOUND)),
            CallKind::Create | CallKind::Update | CallKind::Delete | CallKind::ListClients | CallKind::Token => None,
        }
    }
}

/// The document knows one path, and one method on it.
fn not_documented(kind: CallKind, known_path: bool) -> Option<Answer> {
    match kind {
        CallKind::Update => None,
        _ if known_path => {
            let message = "there is no such method on this path";
            let answer = Answer::error(Contract::Openapi, StatusCode::METHOD_NOT_ALLOWED, message);
            Some(answer.with_header(header::ALLOW, "PATCH"))
        }
        _ => Some(Answer::error(Contract::Openapi, StatusCode::NOT_FOUND, "there is no such path")),
    }
}
