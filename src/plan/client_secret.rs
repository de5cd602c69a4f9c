//! The rules of the client secret: when it is written, and what is recorded of it.
//!
//! Confidence is documented to return the secret once, on create, and is seen to return it on reads too. A secret that is
//! returned is compared. A withheld one is written again when the Secret changed, or when somebody else wrote the
//! credential since. What was written is recorded by its version, never by its value.

use secrecy::{ExposeSecret, SecretString};

use super::{Method, Observation};
use crate::api::spec::DriftPolicy;
use crate::api::status::{ObservedSecret, Time};
use crate::confidence::wire::same_time;

/// A secret to be at Confidence, and the version of the Secret that holds it.
#[derive(Clone, Debug)]
pub struct DesiredSecret {
    /// The secret itself.
    pub value: SecretString,
    /// The uid of the Secret.
    pub uid: String,
    /// The resourceVersion of the Secret.
    pub resource_version: String,
    /// The key within the Secret.
    pub key: String,
}

/// What is known of the secret at Confidence beside the observation.
#[derive(Clone, Debug, Default)]
pub struct SecretKnowledge {
    /// The version that was last written, from the status.
    pub record: Option<ObservedSecret>,
    /// Whether the value is known to be the one last written, although the version of the Secret moved.
    pub is_same_value: bool,
    /// Whether the secret was written again because of another writer, and no observation has confirmed that write yet.
    pub is_rewrite_unconfirmed: bool,
    /// Who last wrote the credential, as the status says.
    pub updater: Option<String>,
}

/// How the secret at Confidence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretState {
    /// Nothing has to be written.
    InSync,
    /// The server returned another secret.
    Differs,
    /// The server withholds the secret, and this version was never written.
    NotWritten,
    /// The server withholds the secret, and somebody else wrote the credential since it was written.
    MayBeOverwritten,
    /// As before, but the same was concluded a moment ago: this server shows our own writes late.
    ShownLate,
}

impl SecretState {
    /// Whether the secret has to be written.
    pub fn needs_write(self) -> bool {
        matches!(self, Self::Differs | Self::NotWritten | Self::MayBeOverwritten)
    }
}

impl DesiredSecret {
    /// How the secret at Confidence stands. Under `Report`, a secret that was never compared does not count as different.
    pub fn state(&self, observed: &Observation, known: &SecretKnowledge, policy: DriftPolicy) -> SecretState {
        if let Some(returned) = &observed.credential.client_secret {
            let is_same = returned.expose_secret() == self.value.expose_secret();
            return if is_same { SecretState::InSync } else { SecretState::Differs };
        }
        let may_write = policy == DriftPolicy::Correct;
        let Some(record) = &known.record else {
            return if may_write { SecretState::NotWritten } else { SecretState::InSync };
        };
        if !self.is_version(record) && !known.is_same_value {
            return SecretState::NotWritten;
        }
        if !may_write || !observed.tells_of_others() || !written_since(record, observed) {
            return SecretState::InSync;
        }
        let is_same_writer = known.updater == observed.credential.updater;
        if known.is_rewrite_unconfirmed && is_same_writer {
            SecretState::ShownLate
        } else {
            SecretState::MayBeOverwritten
        }
    }

    /// The record after an observation that needs no write.
    pub(crate) fn record_observed(
        &self,
        observed: &Observation,
        known: &SecretKnowledge,
        state: SecretState,
    ) -> Option<ObservedSecret> {
        let record = known.record.as_ref()?;
        if state.needs_write() || observed.credential.client_secret.is_some() {
            return Some(record.clone());
        }
        let update_time = match (observed.method, state) {
            (Method::Update, _) => None,
            (_, SecretState::ShownLate) => observed.credential.update_time.map(Time),
            _ => record.update_time,
        };
        Some(self.record(update_time))
    }

    /// The record after a write whose response is at hand. `method` is how the credential is observed between writes: where
    /// that is itself an update, `updateTime` would tell of others what is not so.
    pub(crate) fn record_written(&self, response: &Observation, method: Method) -> ObservedSecret {
        let is_ours_alone = method == Method::Update;
        self.record(response.credential.update_time.filter(|_| !is_ours_alone).map(Time))
    }

    /// Whether the Secret may have another value than the one that was last written or seen to be at Confidence.
    pub(crate) fn is_rotated(&self, known: &SecretKnowledge) -> bool {
        !known.is_same_value && known.record.as_ref().is_none_or(|record| !self.is_version(record))
    }

    fn is_version(&self, record: &ObservedSecret) -> bool {
        (&self.uid, &self.resource_version, &self.key) == (&record.uid, &record.resource_version, &record.key)
    }

    fn record(&self, update_time: Option<Time>) -> ObservedSecret {
        ObservedSecret {
            uid: self.uid.clone(),
            resource_version: self.resource_version.clone(),
            key: self.key.clone(),
            update_time,
        }
    }
}

fn written_since(record: &ObservedSecret, observed: &Observation) -> bool {
    match (observed.credential.update_time, record.update_time) {
        (Some(now), Some(Time(then))) => !same_time(now, then),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desired(version: &str) -> DesiredSecret {
        let text = str::to_owned;
        DesiredSecret { value: "s".into(), uid: text("u"), resource_version: text(version), key: text("k") }
    }

    /// A secret that differs while the Secret is as it was served is somebody else's doing, and no other is.
    #[test]
    fn changed_secret_is_the_users_own_doing() {
        let record = Some(desired("1").record(None));
        for (version, record, is_same_value, is_rotated) in [
            ("1", record.clone(), false, false),
            ("2", record.clone(), false, true),
            ("2", record, true, false),
            ("1", None, true, false),
            ("1", None, false, true),
        ] {
            let known = SecretKnowledge { record, is_same_value, ..SecretKnowledge::default() };
            assert_eq!(desired(version).is_rotated(&known), is_rotated, "{version} {known:?}");
        }
    }
}
