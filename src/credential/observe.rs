//! Second stage: what the credential is at Confidence.
//!
//! A cached observation is used while it is young enough. Else the credential is read, in a listing shared with others or by
//! itself. Where reading is not offered or not allowed, an update of `display_name`, which is managed anyway, answers with
//! the whole credential.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::listing::{Listing, Listings};
use super::observations::ObservationCache;
use super::resolve::Resolved;
use super::watched::CredentialClaims;
use super::{Calls, Failure};
use crate::account::Account;
use crate::api::conditions::Reason;
use crate::api::spec::DriftPolicy;
use crate::confidence::wire::CredentialUpdate;
use crate::confidence::{Cause, Error};
use crate::plan::{Method, Observation};

/// For so many intervals an observation is young enough to plan from.
const OBSERVATION_LASTS: u32 = 2;

/// How credentials are observed (`--observe`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ObserveMode {
    /// Read; where reading is not offered or not allowed, through an update of the display name.
    #[default]
    Auto,
    /// Only ever read.
    Read,
    /// Only ever through an update of the display name.
    Update,
}

/// What observing uses.
pub(super) struct Observer {
    pub(super) mode: ObserveMode,
    pub(super) cache: Arc<ObservationCache>,
    pub(super) listings: Arc<Listings>,
    pub(super) claims: Arc<CredentialClaims>,
}

impl Observer {
    pub(super) fn new(
        mode: ObserveMode,
        cache: &Arc<ObservationCache>,
        listings: &Arc<Listings>,
        claims: &Arc<CredentialClaims>,
    ) -> Self {
        Self { mode, cache: Arc::clone(cache), listings: Arc::clone(listings), claims: Arc::clone(claims) }
    }

    /// Whether credentials of an account are listed.
    pub(super) fn may_list(&self, account: &Account) -> bool {
        self.may_read(account)
    }

    fn may_read(&self, account: &Account) -> bool {
        match self.mode {
            ObserveMode::Read => true,
            ObserveMode::Update => false,
            ObserveMode::Auto => !account.read_access.is_refused(),
        }
    }

    /// Observes a credential; a cached observation will do.
    pub(super) async fn observe(
        &self,
        resolved: &Resolved,
        calls: &Calls<'_>,
        interval: Duration,
    ) -> Result<Observation, Failure> {
        let max_age = OBSERVATION_LASTS * interval;
        let cached = self.cache.get(calls.key(), max_age).and_then(|(cached, had_secret)| {
            let lacks_secret = had_secret && resolved.desired.client_secret.is_some();
            (!lacks_secret && is_of(&cached, resolved)).then_some(cached)
        });
        if let Some(cached) = cached {
            return Ok(cached);
        }
        let is_missing = self.cache.is_missing(calls.key());
        if !is_missing && self.may_list(&resolved.account) {
            let client = resolved.name.client();
            if let Some(shared) = self.listings.share(&resolved.account, client, &calls.requester).await? {
                if shared.is_reader {
                    self.take_in(&resolved.account, client, &shared.listing);
                }
                if let Some((credential, at)) = shared.listing.get(resolved.name.credential()) {
                    return Ok(self.keep(calls, Observation::read(credential), at));
                }
            }
        }
        self.observe_alone(resolved, calls, interval).await
    }

    /// Observes a credential by a call of its own.
    pub(super) async fn observe_alone(
        &self,
        resolved: &Resolved,
        calls: &Calls<'_>,
        interval: Duration,
    ) -> Result<Observation, Failure> {
        let account = &resolved.account;
        if !self.may_read(account) {
            return self.observe_by_update(resolved, calls, None).await;
        }
        let at = Instant::now();
        match account.confidence.get(&resolved.name, &calls.requester).await {
            Ok(read) => {
                account.read_access.note_success();
                Ok(self.keep(calls, Observation::read(read.value), at))
            }
            Err(error) if self.mode == ObserveMode::Auto && is_reading_refused(&error) => {
                let observed = self.observe_by_update(resolved, calls, Some(&error)).await?;
                // Only now: where the update is refused as well, reading is not what is refused.
                account.read_access.note_refusal(&resolved.name, interval);
                Ok(observed)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn observe_by_update(
        &self,
        resolved: &Resolved,
        calls: &Calls<'_>,
        refusal: Option<&Error>,
    ) -> Result<Observation, Failure> {
        if resolved.policy == DriftPolicy::Report {
            return Err(read_not_allowed(refusal));
        }
        let rename = CredentialUpdate::rename(resolved.desired.display_name.clone());
        let confidence = &resolved.account.confidence;
        let answer = confidence.update(&resolved.name, &rename, &calls.requester, calls.still_wanted).await;
        let answer = answer.inspect_err(|error| {
            // It may have renamed the credential.
            if error.outcome_unknown() {
                self.cache.invalidate(calls.key());
            }
        })?;
        let observed = Observation { credential: answer.value, method: Method::Update };
        Ok(self.keep(calls, observed, Instant::now()))
    }

    /// Keeps what a listing shows of the credentials that nobody has observed yet: their reconciles need not list again.
    fn take_in(&self, account: &Account, client: &str, listing: &Listing) {
        for (id, key) in self.claims.owners_in(&(Arc::clone(&account.url), client.into())) {
            if let Some((credential, at)) = listing.entry(&id).filter(|_| !self.cache.has_one(&key)) {
                self.cache.put(&key, Observation::read(credential.clone()), *at);
            }
        }
    }

    fn keep(&self, calls: &Calls<'_>, observed: Observation, at: Instant) -> Observation {
        self.cache.put(calls.key(), observed.clone(), at);
        observed
    }
}

/// Whether an observation is of the credential that is asked for: a resource that was made anew under its name may name
/// another. A name that is none (a mock's) tells nothing.
fn is_of(observed: &Observation, resolved: &Resolved) -> bool {
    observed.credential.name.as_ref().is_none_or(|name| *name == resolved.name)
}

fn is_reading_refused(error: &Error) -> bool {
    matches!(error.cause(), Cause::Unsupported | Cause::Forbidden)
}

fn read_not_allowed(refusal: Option<&Error>) -> Failure {
    let why = refusal.map_or_else(|| "--observe=update rules reading out".to_owned(), ToString::to_string);
    Failure::stalled(
        Reason::ReadNotAllowed,
        format!(
            "driftPolicy Report needs to read the credential ({why}); grant the operator's account the scope to read \
             client credentials, or set driftPolicy to Correct"
        ),
    )
}
