//! The HTTP client that everything of this program but Kubernetes goes through.

use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, Request, Response, redirect, retry};

use crate::confidence::settings::{SettingsError, is_loopback};

/// A part of the request's time: a request that failed by then was surely not sent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Shorter than what proxies and NAT gateways use: a connection that they dropped would cost a write its clear outcome.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections that are kept after a burst: each has its buffers.
const MAX_IDLE_CONNECTIONS: usize = 16;

/// HTTPS, with connections kept open between requests. There is no way to switch the verification of certificates off.
#[derive(Clone, Debug)]
pub struct HttpClient {
    by_environment: Client,
    direct: Client,
}

impl HttpClient {
    /// A client that trusts the system's authorities and those of `extra_ca`, a bundle in PEM.
    ///
    /// # Errors
    /// When the bundle cannot be read.
    pub fn new(extra_ca: Option<&[u8]>) -> Result<Self, SettingsError> {
        let failed = |error: reqwest::Error| SettingsError::new(super::fault::in_full(&error));
        let builder = || builder(extra_ca);
        Ok(Self {
            by_environment: builder()?.build().map_err(failed)?,
            direct: builder()?.no_proxy().build().map_err(failed)?,
        })
    }

    /// Sends a request: straight to this machine, else through the proxies of the environment. A proxy would see a request
    /// to `http://localhost` in the clear, and would not reach this machine with it.
    ///
    /// # Errors
    /// reqwest's.
    pub async fn execute(&self, request: Request) -> Result<Response, reqwest::Error> {
        let client = if is_loopback(request.url()) { &self.direct } else { &self.by_environment };
        client.execute(request).await
    }
}

fn builder(extra_ca: Option<&[u8]>) -> Result<ClientBuilder, SettingsError> {
    let builder = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
        // Over HTTP/2 hyper takes a body long before it sends it, and the last check of the lease would come too early.
        .http1_only()
        // Whoever calls decides about retries: reqwest knows neither the budget nor the lease.
        .retry(retry::never())
        // A redirect would carry the token to wherever it leads.
        .redirect(redirect::Policy::none())
        .user_agent(concat!("confidence-operator/", env!("CARGO_PKG_VERSION")));
    let Some(pem) = extra_ca else { return Ok(builder) };
    let certificates = Certificate::from_pem_bundle(pem).map_err(|error| SettingsError::new(error.to_string()))?;
    if certificates.is_empty() {
        return Err(SettingsError::new("there is no certificate in PEM in it"));
    }
    Ok(builder.tls_certs_merge(certificates))
}
