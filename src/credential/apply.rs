//! Third stage: carries out the plan, with one update as a rule, and plans again from the response.

use secrecy::ExposeSecret;
use tokio::time::Instant;

use super::Calls;
use super::observations::{ObservationCache, ServedSecret};
use super::outcome::{Applied, Failure};
use super::resolve::Resolved;
use crate::api::ConfidenceClientCredentialStatus as Status;
use crate::api::spec::DriftPolicy;
use crate::api::status::ObservedSecret;
use crate::confidence::wire::Field;
use crate::confidence::{Error, Recovery};
use crate::engine::Key;
use crate::plan::{Method, Observation, Plan, PlannedUpdate, SecretKnowledge, SecretState, plan};

/// Updates in one reconcile: the response to the first may show drift that was not known when it was planned.
const MAX_UPDATES: usize = 2;

/// What is known of the secret at Confidence, from the status and from memory.
pub(super) fn secret_knowledge(
    resolved: &Resolved,
    key: &Key,
    status: &Status,
    cache: &ObservationCache,
) -> SecretKnowledge {
    let desired = resolved.desired.client_secret.as_ref();
    let digest = desired.map(|it| cache.digest(it.value.expose_secret()));
    SecretKnowledge {
        record: status.observed_secret.clone(),
        is_same_value: digest.is_some() && digest == cache.secret(key).map(|it| it.value),
        is_rewrite_unconfirmed: cache.is_rewrite_unconfirmed(key),
        updater: status.updater.clone(),
    }
}

/// Carries out a plan that was made from an observation.
pub(super) async fn apply(
    resolved: &Resolved,
    observed: Observation,
    first: Plan,
    known: &SecretKnowledge,
    calls: &Calls<'_>,
    cache: &ObservationCache,
) -> Result<Applied, Failure> {
    let is_report = resolved.policy == DriftPolicy::Report;
    let method = observed.method;
    let is_rewrite = is_rewrite(resolved, &observed, known);
    let record = observed_record(resolved, &observed, known, calls.key(), cache);
    let mut applied = Applied::observed(observed, &first, is_report, record);
    let mut next = first;
    for _ in 0..MAX_UPDATES {
        let Plan::Update(update) = &next else { break };
        if is_report {
            break;
        }
        let response = match send(resolved, update, calls, cache).await {
            Ok(response) => Observation { credential: response, method: Method::Update },
            Err(failure) => return Err(failure.after(applied)),
        };
        cache.set_rewrite_unconfirmed(calls.key(), is_rewrite && update.names(Field::ClientSecret));
        cache.put(calls.key(), Observation { method, ..response.clone() }, Instant::now());
        let known =
            SecretKnowledge { record: written_record(resolved, &response, update, &applied, method), ..known.clone() };
        let after = plan(&resolved.desired, &response, &known, resolved.policy);
        let is_news = after.fields().iter().any(|field| !update.names(*field));
        applied = applied.answered(response.credential, update, &after, known.record);
        next = if is_news { after } else { Plan::InSync };
    }
    remember_secret(resolved, &applied, calls.key(), cache);
    Ok(applied)
}

async fn send(
    resolved: &Resolved,
    update: &PlannedUpdate,
    calls: &Calls<'_>,
    cache: &ObservationCache,
) -> Result<crate::confidence::wire::ClientCredential, Failure> {
    let confidence = &resolved.account.confidence;
    let answer = confidence.update(&resolved.name, update.request(), &calls.requester, calls.still_wanted).await;
    let note = |error: &Error| {
        // A call that the account refused says nothing of the credential. Any other failure may have changed it.
        if error.outcome_unknown() || error.recovery() != Recovery::Account {
            cache.invalidate(calls.key());
        }
    };
    Ok(answer.inspect_err(note)?.value)
}

/// Whether a write of the secret is to undo somebody else's, which is only suspected.
fn is_rewrite(resolved: &Resolved, observed: &Observation, known: &SecretKnowledge) -> bool {
    let desired = resolved.desired.client_secret.as_ref();
    desired.is_some_and(|it| it.state(observed, known, resolved.policy) == SecretState::MayBeOverwritten)
}

/// The record of the secret after an observation, and what the observation confirms.
fn observed_record(
    resolved: &Resolved,
    observed: &Observation,
    known: &SecretKnowledge,
    key: &Key,
    cache: &ObservationCache,
) -> Option<ObservedSecret> {
    let desired = resolved.desired.client_secret.as_ref()?;
    let state = desired.state(observed, known, resolved.policy);
    if resolved.policy == DriftPolicy::Correct {
        // A write that is about to follow sets it again, once it has succeeded.
        cache.set_rewrite_unconfirmed(key, false);
    }
    desired.record_observed(observed, known, state)
}

/// The record of the secret after an update. An update of other fields moves `updateTime` too.
fn written_record(
    resolved: &Resolved,
    response: &Observation,
    update: &PlannedUpdate,
    applied: &Applied,
    method: Method,
) -> Option<ObservedSecret> {
    let desired = resolved.desired.client_secret.as_ref()?;
    let returned = response.credential.client_secret.as_ref();
    let is_refused = returned.is_some_and(|it| it.expose_secret() != desired.value.expose_secret());
    let is_known = update.names(Field::ClientSecret) || applied.secret().is_some() || returned.is_some();
    if is_refused || !is_known { applied.secret().cloned() } else { Some(desired.record_written(response, method)) }
}

/// Keeps which secret is known to be at Confidence, so that a Secret whose metadata alone moves is not written again.
fn remember_secret(resolved: &Resolved, applied: &Applied, key: &Key, cache: &ObservationCache) {
    let Some(desired) = &resolved.desired.client_secret else { return };
    let is_there = !applied.remaining().contains(&Field::ClientSecret);
    let returned = applied.credential().client_secret.as_ref();
    let is_known = returned.is_some() || applied.secret().is_some();
    if is_there && is_known {
        let value = cache.digest(desired.value.expose_secret());
        cache.set_secret(key, ServedSecret { value, version: cache.digest(&desired.resource_version) });
    }
}
