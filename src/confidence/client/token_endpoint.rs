//! The token call.

use std::sync::Arc;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::call::{Call, CallKind};
use super::executor::Executor;
use crate::confidence::admission::{AdmittedCall, Requester};
use crate::confidence::auth::{ExchangeToken, IssuedToken, exchange_body};
use crate::confidence::error::{Cause, Error};
use crate::confidence::metrics::TokenSource;

/// The token calls within another call: they are part of it, so they go out on its admission.
pub(super) struct TokenEndpoint<'a> {
    pub(super) executor: &'a Executor,
    pub(super) admitted: &'a AdmittedCall,
    pub(super) flow: &'a Arc<str>,
}

impl ExchangeToken for TokenEndpoint<'_> {
    async fn exchange(&self, id: &SecretString, secret: &SecretString) -> Result<IssuedToken, Error> {
        let body = exchange_body(id, secret).map_err(|error| Error::new(Cause::InvalidRequest, error.to_string()))?;
        let call = Call {
            method: Method::POST,
            body,
            has_secret: true,
            ..Call::read(CallKind::Token, "the token".to_owned(), self.executor.token_url.clone())
        };
        // Every other call of the account waits for it.
        let by = Requester::interactive(Arc::clone(self.flow));
        let issued = self.executor.send(&call, self.admitted, &by, None, IssuedToken::from_json).await?.value;
        let life = issued.life.and_then(|life| SignedDuration::try_from(life).ok());
        let end = life.and_then(|life| Timestamp::now().checked_add(life).ok());
        self.executor.metrics.token_expiry(TokenSource::Exchanged, end);
        Ok(issued)
    }
}
