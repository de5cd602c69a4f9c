//! What everything has to be like in the end, given what was wanted last.

use confidence_operator::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus, RECONCILE_REQUESTED_AT};
use confidence_simulator::{Credential, Reading, Secrets, Simulator};
use k8s_openapi::ByteString;
use serde_json::Value;

use crate::account::CLIENT;
use crate::api::{ApiServer, Kind};
use crate::history::{differing, may_be_written};
use crate::judge::Judge;
use crate::process::LAST_SEEN_RESOLUTION;

/// What is there, and how the replicas look at it.
pub struct Oracle<'a> {
    pub api: &'a ApiServer,
    pub simulator: &'a Simulator,
    pub judge: &'a Judge,
    /// Whether some process looks through updates.
    pub by_update: bool,
}

/// What a resource is to say of itself in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Suspended,
    Conflict,
    SecretNotFound,
    InSync,
    /// Drift, or that there is none, where the policy is to tell of it.
    Compared,
}

impl Oracle<'_> {
    /// What is still to be done for some resource.
    pub fn first_missing(&self) -> Option<String> {
        let all: Vec<Value> = self.api.with(|store| store.list(Kind::Resource).cloned().collect());
        let all: Vec<ConfidenceClientCredential> =
            all.into_iter().map(|it| serde_json::from_value(it).unwrap()).collect();
        all.iter().find_map(|object| self.missing(object, &all))
    }

    fn expected(&self, object: &ConfidenceClientCredential, all: &[ConfidenceClientCredential]) -> Expected {
        if object.spec.suspend {
            Expected::Suspended
        } else if self.is_rival(object, all) {
            Expected::Conflict
        } else if object.spec.client_secret.is_some() && self.secret(object).is_none() {
            Expected::SecretNotFound
        } else if may_be_written(&object.spec) {
            Expected::InSync
        } else {
            Expected::Compared
        }
    }

    /// Whether another resource owns the credential. Where several may own it, all but one have to say that they do not.
    fn is_rival(&self, object: &ConfidenceClientCredential, all: &[ConfidenceClientCredential]) -> bool {
        let name = |it: &ConfidenceClientCredential| it.metadata.name.clone().unwrap();
        let id = object.spec.name.as_deref().unwrap().rsplit('/').next().unwrap();
        let owners = self.judge.history(|history| history.owners(id));
        let says_conflict = |it: &ConfidenceClientCredential| {
            let conditions = it.status.iter().flat_map(|status| &status.conditions);
            conditions.into_iter().any(|it| it.type_ == "Ready" && it.reason == "Conflict")
        };
        let of_it = all.iter().filter(|it| it.spec.name == object.spec.name && name(it) != name(object));
        let mut others = of_it.filter(|it| owners.contains(&name(it)) && !says_conflict(it));
        // One that is suspended does not say whether it owns.
        !owners.contains(&name(object)) || others.any(|it| !it.spec.suspend || says_conflict(object))
    }

    fn secret(&self, object: &ConfidenceClientCredential) -> Option<Vec<u8>> {
        let name = format!("secret-{}", object.metadata.name.as_deref().unwrap());
        let secret = self.api.with(|store| store.get(Kind::Secret, &name).cloned())?;
        Some(serde_json::from_value::<ByteString>(secret["data"]["secret"].clone()).unwrap().0)
    }

    /// What is still to be done for a resource.
    fn missing(&self, object: &ConfidenceClientCredential, all: &[ConfidenceClientCredential]) -> Option<String> {
        let name = object.metadata.name.as_deref().unwrap();
        let id = object.spec.name.as_deref().unwrap().rsplit('/').next().unwrap();
        let credential = self.simulator.get(CLIENT, id).unwrap();
        let status = object.status.clone().unwrap_or_default();
        let expected = self.expected(object, all);
        let different = differing(&object.spec, &credential);
        if expected == Expected::InSync && !different.is_empty() {
            return Some(format!("{name} still differs in {different:?}"));
        }
        if expected == Expected::InSync && self.has_other_secret(object, &credential, &status) {
            return Some(format!("{name} still has another secret"));
        }
        let asked = object.metadata.annotations.as_ref().and_then(|it| it.get(RECONCILE_REQUESTED_AT));
        if expected != Expected::Suspended && asked.is_some() && asked != status.last_handled_reconcile_at.as_ref() {
            return Some(format!("nobody has looked at {name} as {asked:?} asks"));
        }
        let ready = status.conditions.iter().find(|it| it.type_ == "Ready");
        let reason = ready.map(|it| it.reason.as_str());
        if matches!(expected, Expected::InSync | Expected::Compared)
            && reason != Some("ReadNotAllowed")
            && !self.are_told(&credential, &status)
        {
            return Some(format!("the status of {name} tells other times than Confidence"));
        }
        let is_told = match expected {
            Expected::Suspended => reason == Some("Suspended"),
            Expected::Conflict => reason == Some("Conflict"),
            Expected::SecretNotFound => reason == Some("SecretNotFound"),
            Expected::InSync => reason == Some("InSync"),
            Expected::Compared if !self.may_compare() => reason == Some("ReadNotAllowed"),
            // Whether reading is still held to be refused depends on who was refused: one whose look was an update.
            Expected::Compared if self.by_update && reason == Some("ReadNotAllowed") => true,
            Expected::Compared => self.is_compared(object, !different.is_empty(), reason),
        };
        let generations = [status.observed_generation, ready.and_then(|it| it.observed_generation)];
        let is_current = generations.iter().all(|it| *it == object.metadata.generation);
        (!is_told || !is_current)
            .then(|| format!("the status of {name} says {reason:?} {generations:?} and not {expected:?}"))
    }

    /// Whether a policy that only tells can be served at all.
    fn may_compare(&self) -> bool {
        self.simulator.config().reading == Reading::Offered && !self.judge.looks_by_update()
    }

    /// Whether a reason is what a comparison of everything managed comes to.
    fn is_compared(&self, object: &ConfidenceClientCredential, is_different: bool, reason: Option<&str>) -> bool {
        let credential =
            self.simulator.get(CLIENT, object.spec.name.as_deref().unwrap().rsplit('/').next().unwrap()).unwrap();
        let is_told = self.simulator.config().secrets == Secrets::Returned && !credential.secret.is_empty();
        let is_other = self.secret(object).is_some_and(|it| it != credential.secret.as_bytes());
        let is_managed = object.spec.client_secret.is_some();
        if is_managed && !is_told && object.status.as_ref().is_some_and(|it| it.observed_secret.is_some()) {
            // A new version of the Secret counts as another secret, unless it is known to be the same.
            return matches!(reason, Some("InSync" | "DriftReported"));
        }
        let differs = is_different || (is_managed && is_told && is_other);
        reason == Some(if differs { "DriftReported" } else { "InSync" })
    }

    /// Whether the secret at Confidence is another, and somebody could know.
    fn has_other_secret(
        &self,
        object: &ConfidenceClientCredential,
        credential: &Credential,
        status: &ConfidenceClientCredentialStatus,
    ) -> bool {
        if object.spec.client_secret.is_none()
            || self.secret(object).is_none_or(|it| it == credential.secret.as_bytes())
        {
            return false;
        }
        let id = object.spec.name.as_deref().unwrap().rsplit('/').next().unwrap();
        let is_told = self.simulator.config().secrets == Secrets::Returned && !credential.secret.is_empty();
        let has_time = status.observed_secret.as_ref().is_some_and(|it| it.update_time.is_some());
        is_told || !self.judge.hides_secret(id, has_time)
    }

    /// Whether a status tells the times of a credential, as finely as the replicas are to tell them. Where they look through
    /// updates, what moves by that alone is not told.
    fn are_told(&self, credential: &Credential, status: &ConfidenceClientCredentialStatus) -> bool {
        let seen = match (credential.last_seen_time, &status.last_seen_time) {
            (Some(at), Some(told)) => at.duration_since(told.0).unsigned_abs() <= LAST_SEEN_RESOLUTION,
            (at, told) => at.is_none() == told.is_none(),
        };
        let update_time = status.update_time.as_ref().map(|it| it.0);
        seen && (credential.update_time == update_time || (self.by_update && update_time.is_some()))
    }
}
