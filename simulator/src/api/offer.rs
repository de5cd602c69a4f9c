//! Which calls there are at all, by contract and configuration.

use axum::http::{StatusCode, header};

use super::{Answer, Asked};
use crate::config::{Contract, Reading};
use crate::record::CallKind;
use crate::state::State;

impl State {
    /// The answer to a call that is not offered.
    pub(super) fn not_offered(&self, asked: &Asked) -> Option<Answer> {
        match self.config.contract {
            Contract::Full => self.not_offered_in_full(asked.call.kind, asked.call.client.is_some()),
            Contract::Openapi => not_documented(asked.call.kind, asked.call.credential.is_some()),
        }
    }

    fn not_offered_in_full(&self, kind: CallKind, known_path: bool) -> Option<Answer> {
        let error = |status, message| Some(Answer::error(Contract::Full, status, message));
        match kind {
            CallKind::Get | CallKind::List => match self.config.reading {
                Reading::Offered => None,
                Reading::MethodNotAllowed => error(StatusCode::METHOD_NOT_ALLOWED, "reading is not allowed"),
                Reading::NotImplemented => error(StatusCode::NOT_IMPLEMENTED, "reading is not implemented"),
                Reading::Forbidden => error(StatusCode::FORBIDDEN, "reading is not permitted"),
                Reading::NotFoundHtml => Some(Answer::html(StatusCode::NOT_FOUND)),
            },
            CallKind::Other if known_path => error(StatusCode::METHOD_NOT_ALLOWED, "there is no such method here"),
            CallKind::Other => Some(Answer::html(StatusCode::NOT_FOUND)),
            CallKind::Create | CallKind::Update | CallKind::Delete | CallKind::Token => None,
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
