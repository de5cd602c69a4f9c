//! Whether a look finds a resource in order, so that no pass is needed: what a round decides for thousands at little cost.

use secrecy::ExposeSecret;
use tokio::time::Instant;

use crate::api::ConfidenceClientCredential;
use crate::api::spec::DriftPolicy;
use crate::confidence::wire::ClientCredential;
use crate::controller::Context;
use crate::controller::key::Key;
use crate::controller::memory::Digest;
use crate::controller::outcome::{Applied, Outcome};
use crate::controller::report::{Facts, next_status};
use crate::controller::resolve;
use crate::plan::{Knowledge, Look, plan};

/// Whether a credential is as it was when its resource was last found in order, and nothing else moved. Takes note of the
/// look where it is.
pub(super) fn is_as_left(key: &Key, credential: &ClientCredential, at: Instant, context: &Context) -> bool {
    if !context.memory.is_as_left(key, credential) {
        return false;
    }
    if let Some(known) = context.memory.secret(key) {
        let told = told(credential, context);
        let version = context.object(key).and_then(|object| version(key, &object, context));
        if told.is_some_and(|told| told != known.value) || version != Some(known.version) {
            return false;
        }
    }
    context.memory.seen_again(key, at);
    true
}

/// Whether a pass over a resource would find nothing to be done, given what its credential is now: nothing differs that is
/// to be written, and the status says all that there is to say.
pub(super) fn is_in_order(
    key: &Key,
    object: &ConfidenceClientCredential,
    credential: &ClientCredential,
    context: &Context,
) -> bool {
    let Ok(resolved) = resolve::without_secret(&object.spec) else { return false };
    let status = context.drafts.current(key, object);
    let report_only = resolved.policy == DriftPolicy::Report;
    let knowledge = Knowledge { look: Look::Read, policy: resolved.policy, written: None, same_value: false };
    let drift = plan(&resolved.desired, credential, knowledge).drift();
    if (!drift.is_empty() && !report_only) || !is_secret_in_order(key, object, &status, credential, context) {
        return false;
    }
    let applied = Applied {
        credential: credential.clone(),
        look: Look::Read,
        drifted: drift.clone(),
        differs: drift,
        written: None,
        report_only,
        secret: status.observed_secret.clone(),
    };
    let facts = Facts::of(object, context.settings.last_seen_resolution);
    next_status(&status, &facts, &Outcome::Applied(Box::new(applied))) == status
}

/// Whether nothing speaks for writing the secret: the server tells the one that is known, or the version that was written
/// is still the newest and nobody else wrote since. What is not known is for a pass to find out.
fn is_secret_in_order(
    key: &Key,
    object: &ConfidenceClientCredential,
    status: &crate::api::ConfidenceClientCredentialStatus,
    credential: &ClientCredential,
    context: &Context,
) -> bool {
    let Some(source) = &object.spec.client_secret else { return true };
    let Some(version) = context.index.secret_version(&key.namespace, &source.secret_key_ref.name) else { return false };
    if let Some(told) = told(credential, context) {
        let known = context.memory.secret(key);
        return known.is_some_and(|it| it.value == told && it.version == context.memory.digest(&version));
    }
    let Some(written) = &status.observed_secret else { return false };
    written.resource_version == version
        && written.key == source.secret_key_ref.key
        && written.update_time.is_none_or(|it| credential.update_time.is_none_or(|now| it.0 == now))
}

fn told(credential: &ClientCredential, context: &Context) -> Option<Digest> {
    credential.client_secret.as_ref().map(|it| context.memory.digest(it.expose_secret()))
}

fn version(key: &Key, object: &ConfidenceClientCredential, context: &Context) -> Option<Digest> {
    let reference = &object.spec.client_secret.as_ref()?.secret_key_ref;
    let version = context.index.secret_version(&key.namespace, &reference.name)?;
    Some(context.memory.digest(&version))
}
