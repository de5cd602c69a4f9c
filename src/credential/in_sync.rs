//! Whether a resource is in sync without a reconcile: what a resync decides for thousands at little cost.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::observations::{Digest, ObservationCache};
use super::outcome::{Applied, Outcome};
use super::report::{Facts, next_status};
use super::{Objects, Statuses};
use crate::api::ConfidenceClientCredential;
use crate::api::spec::DriftPolicy;
use crate::confidence::wire::ClientCredential;
use crate::engine::{Key, SecretName, SecretVersions, WorkQueue};
use crate::plan::{Desired, DesiredSecret, Observation, Plan, SecretKnowledge, plan};

/// What the comparison uses.
pub(super) struct InSync {
    pub(super) objects: Objects,
    pub(super) queue: WorkQueue,
    pub(super) cache: Arc<ObservationCache>,
    pub(super) versions: Arc<SecretVersions>,
    pub(super) statuses: Statuses,
    pub(super) last_seen_resolution: Duration,
}

impl InSync {
    /// Whether a credential is as it was when its resource was last in sync, and neither its secret nor the Secret moved.
    pub(super) fn is_unchanged(&self, key: &Key, credential: &ClientCredential) -> bool {
        if !self.queue.is_converged(key) || !self.cache.is_unchanged(key, credential) {
            return false;
        }
        let Some(served) = self.cache.secret(key) else { return true };
        let version = self.objects.get(key).and_then(|object| self.version(key, &object));
        let is_same_version = version.is_some_and(|version| self.cache.digest(&version) == served.version);
        is_same_version && self.returned(credential).is_none_or(|returned| returned == served.value)
    }

    /// Whether a reconcile would find nothing to be done, given what the credential is now: nothing differs that is to be
    /// written, and the status says all that there is to say.
    pub(super) fn is_in_sync(
        &self,
        key: &Key,
        object: &ConfidenceClientCredential,
        credential: &ClientCredential,
    ) -> bool {
        if object.spec.client.is_some() {
            // The life of a created credential has more to it than a comparison.
            return false;
        }
        let Ok(desired) = Desired::from_spec(&object.spec) else { return false };
        let status = self.statuses.current(key, object);
        let is_report = object.spec.drift_policy == DriftPolicy::Report;
        let observed = Observation::read(credential.clone());
        let plan = plan(&desired, &observed, &SecretKnowledge::default(), object.spec.drift_policy);
        let is_as_asked = matches!(plan, Plan::InSync) || is_report;
        if !is_as_asked || !self.is_secret_in_sync(key, object, &status, &observed) {
            return false;
        }
        let applied = Applied::observed(observed, &plan, is_report, status.observed_secret.clone());
        let facts = Facts::of(object, self.last_seen_resolution, self.cache.has_reported_failure(key));
        next_status(&status, &facts, &Outcome::Applied(Box::new(applied))) == status
    }

    /// Notes that a resource is in sync with the version of its Secret that is known.
    pub(super) fn note_served(&self, key: &Key, object: &ConfidenceClientCredential) {
        if let (Some(secret), Some(version)) = (secret_of(key, object), self.version(key, object)) {
            self.versions.served(key, &secret, Some(&version));
        }
    }

    /// Whether nothing speaks for writing the secret. What is not known is for a reconcile to find out.
    fn is_secret_in_sync(
        &self,
        key: &Key,
        object: &ConfidenceClientCredential,
        status: &crate::api::ConfidenceClientCredentialStatus,
        observed: &Observation,
    ) -> bool {
        let Some(source) = &object.spec.client_secret else { return true };
        let Some(version) = self.version(key, object) else { return false };
        if let Some(returned) = self.returned(&observed.credential) {
            let served = self.cache.secret(key);
            return served.is_some_and(|it| it.value == returned && it.version == self.cache.digest(&version));
        }
        let Some(record) = &status.observed_secret else { return false };
        // The value is not known here, and is not needed: a withheld secret is judged by its version.
        let desired = DesiredSecret {
            value: String::new().into(),
            uid: record.uid.clone(),
            resource_version: version.to_string(),
            key: source.secret_key_ref.key.clone(),
        };
        let known = SecretKnowledge { record: Some(record.clone()), ..SecretKnowledge::default() };
        !desired.state(observed, &known, object.spec.drift_policy).needs_write()
    }

    fn returned(&self, credential: &ClientCredential) -> Option<Digest> {
        credential.client_secret.as_ref().map(|it| self.cache.digest(it.expose_secret()))
    }

    fn version(&self, key: &Key, object: &ConfidenceClientCredential) -> Option<Arc<str>> {
        self.versions.seen_version(&secret_of(key, object)?)
    }
}

/// The Secret that a resource reads, or publishes.
pub(super) fn secret_of(key: &Key, object: &ConfidenceClientCredential) -> Option<SecretName> {
    let read = object.spec.client_secret.as_ref().map(|it| it.secret_key_ref.name.as_str());
    let published = || object.spec.published_secret.as_ref().map(|it| it.name.as_str());
    let name = read.or_else(published)?;
    Some(SecretName { namespace: Arc::clone(&key.namespace), name: name.into() })
}
