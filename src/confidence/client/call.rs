//! One call, as it goes over the wire.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use tracing::field::Empty;

use super::StillWanted;
use crate::confidence::error::{Cause, Effect, Error};

/// Which call of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::confidence) enum CallKind {
    Get,
    List,
    ListClients,
    Update,
    Create,
    Delete,
    Token,
}

impl CallKind {
    pub(in crate::confidence) const ALL: [Self; 7] =
        [Self::Get, Self::List, Self::ListClients, Self::Update, Self::Create, Self::Delete, Self::Token];

    /// The label for metrics, logs and traces.
    pub(in crate::confidence) fn label(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::ListClients => "list_clients",
            Self::Update => "update",
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Token => "token",
        }
    }
}

/// A call, but for the token. It may hold secrets in its body, so it has no `Debug`.
#[derive(Clone)]
pub(super) struct Call<'a> {
    pub(super) kind: CallKind,
    /// What it is about: the name of a credential, or of a client.
    pub(super) about: String,
    pub(super) method: Method,
    /// What it does at Confidence. A write passes the lease guard and `still_wanted`; a POST need not be one.
    pub(super) effect: Effect,
    pub(super) url: String,
    pub(super) body: Bytes,
    /// Whether the body holds a secret.
    pub(super) has_secret: bool,
    /// Which fields an update names, for the log.
    pub(super) update_mask: Option<String>,
    /// Asked when the call has its permit.
    pub(super) still_wanted: StillWanted<'a>,
}

impl Call<'static> {
    pub(super) fn read(kind: CallKind, about: String, url: String) -> Self {
        Self {
            kind,
            about,
            method: Method::GET,
            effect: Effect::Read,
            url,
            body: Bytes::new(),
            has_secret: false,
            update_mask: None,
            still_wanted: &|| true,
        }
    }
}

impl Call<'_> {
    /// The span of the request, with OpenTelemetry's names for what it says.
    pub(super) fn span(&self) -> tracing::Span {
        tracing::debug_span!(
            "request",
            otel.name = %format_args!("{} {}", self.method, self.kind.label()),
            otel.kind = "client",
            otel.status_code = Empty,
            http.request.method = self.method.as_str(),
            http.response.status_code = Empty,
            error.r#type = Empty,
            about = self.about,
            update_mask = self.update_mask,
        )
    }

    pub(super) fn request(&self, token: Option<&SecretString>) -> Result<Request<Bytes>, Error> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.url)
            .header(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, bearer(token)?);
        }
        if !self.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        request.body(self.body.clone()).map_err(|error| Error::new(Cause::InvalidRequest, error.to_string()))
    }
}

fn bearer(token: &SecretString) -> Result<HeaderValue, Error> {
    let text = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        Error::new(Cause::Unauthenticated, "the token is not one that a header can carry").account_wide()
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// A body that may hold a secret: overwritten when the last holder lets go.
pub(in crate::confidence) fn sealed(body: Vec<u8>) -> Bytes {
    Bytes::from_owner(Zeroizing::new(body))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn call() -> Call<'static> {
        Call::read(CallKind::Get, "clients/c/credentials/k".to_owned(), "https://h/v1/x".to_owned())
    }

    #[test]
    fn debug_of_a_request_shows_no_token() {
        let request = call().request(Some(&"s3cr3t".into())).unwrap();
        assert_eq!(request.headers()["authorization"], "Bearer s3cr3t");
        assert!(!format!("{request:?}").contains("s3cr3t"));
    }

    #[test]
    fn token_that_no_header_can_carry_is_unauthenticated() {
        let error = call().request(Some(&"s3\ncr3t".into())).unwrap_err();
        assert_eq!(error.cause(), Cause::Unauthenticated);
        assert!(!error.to_string().contains("s3"));
    }
}
