//! One request, as it goes over the wire.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use tracing::field::Empty;

use super::client::StillWanted;
use super::error::{Cause, Effect, Error};

/// A request, but for the token. It may hold secrets in its body, so it has no `Debug`.
pub(super) struct Call<'a> {
    /// For metrics: `get`, `list`, `update`, `token`.
    pub(super) kind: &'static str,
    /// What it is about: the name of a credential, or of a client.
    pub(super) about: String,
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) body: Bytes,
    /// What the body holds that nobody is to read in an error, as the server may repeat it.
    pub(super) secrets: Vec<SecretString>,
    /// Which fields an update names, for the log.
    pub(super) update_mask: Option<String>,
    /// Asked when its turn comes.
    pub(super) still_wanted: StillWanted<'a>,
}

impl Call<'_> {
    pub(super) fn get(kind: &'static str, about: String, url: String) -> Self {
        Self {
            kind,
            about,
            method: Method::GET,
            url,
            body: Bytes::new(),
            secrets: Vec::new(),
            update_mask: None,
            still_wanted: &|| true,
        }
    }

    pub(super) fn effect(&self) -> Effect {
        if self.method == Method::PATCH { Effect::Write } else { Effect::Read }
    }

    /// The span of the request, with OpenTelemetry's names for what it says.
    pub(super) fn span(&self) -> tracing::Span {
        tracing::debug_span!(
            "request",
            otel.name = %format_args!("{} {}", self.method, self.kind),
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
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| Error::new(Cause::Unauthenticated, "the token is not one that a header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A body that may hold a secret: overwritten when the last holder lets go.
pub(super) fn sealed(body: Vec<u8>) -> Bytes {
    Bytes::from_owner(Zeroizing::new(body))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_into_a_header_that_debug_does_not_show() {
        let call = Call::get("get", "clients/c/credentials/k".to_owned(), "https://h/v1/x".to_owned());
        let request = call.request(Some(&"s3cr3t".into())).unwrap();
        assert_eq!(request.headers()["authorization"], "Bearer s3cr3t");
        assert!(!format!("{request:?}").contains("s3cr3t"));
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_the_accounts_trouble_and_not_repeated() {
        let call = Call::get("get", String::new(), "https://h/".to_owned());
        let error = call.request(Some(&"s3\ncr3t".into())).unwrap_err();
        assert_eq!(error.cause(), Cause::Unauthenticated);
        assert!(!error.to_string().contains("s3"));
    }
}
