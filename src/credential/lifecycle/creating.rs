//! The steps that create a credential and publish its secret, in the order in which a crash between two of them loses nothing.

use secrecy::{ExposeSecret, SecretString};

use super::published_secret::SecretPublisher;
use super::run::Run;
use super::stored::unwritable;
use super::writes::MetadataChange;
use crate::api::OWN_LABEL_PREFIX;
use crate::api::conditions::Reason;
use crate::confidence::Recovery;
use crate::confidence::name::CredentialName;
use crate::confidence::wire::{ClientCredential, NewCredential};
use crate::credential::outcome::Failure;
use crate::plan::Desired;
use crate::plan::lifecycle::{
    ATTEMPT_LABEL, Attempt, AttemptMemory, AttemptOutcome, CreateReason, Created, DryRun, OWNER_LABEL, Publication,
    RESOURCE_LABEL, SecretState, ValueSource, resource_label,
};

impl Run<'_> {
    pub(super) async fn dry_run(&mut self) -> Result<(), Failure> {
        let client = self.resource()?.client;
        let credential = format!("clients/{client}/credentials/dry-run").parse();
        let Ok(credential) = credential else {
            return Err(Failure::stalled(Reason::InvalidSpec, "spec.client: is not the name of a client"));
        };
        let over = if let SecretState::Own(own) = &self.secrets.current { Some(own.version.clone()) } else { None };
        let published_at = self.server_time.unwrap_or_else(jiff::Timestamp::now);
        let publication = Publication { credential, attempt: None, published_at, source: ValueSource::Held, over };
        let publisher = SecretPublisher::new(&self.object, self.instance)?;
        let value = SecretString::from("dry-run");
        self.memory.facts.dry_run = match publisher.apply(&self.life.client, &publication, &value, true).await {
            Ok(_) => DryRun::Accepted,
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 409 | 422) => {
                tracing::warn!(error = %status.message, "the API server refuses the Secret");
                DryRun::Refused
            }
            Err(error) => return Err(unwritable(&error)),
        };
        Ok(())
    }

    pub(super) async fn write_attempt(&mut self, attempt: Attempt, with_finalizer: bool) -> Result<(), Failure> {
        self.change(MetadataChange::Attempt { attempt, with_finalizer }).await?;
        self.memory.facts.attempt = Some(AttemptMemory {
            attempt,
            since: self.life.memories.clock(),
            generation: self.object.metadata.generation,
            outcome: AttemptOutcome::NotSent,
            lists: 0,
        });
        Ok(())
    }

    pub(super) async fn create(
        &mut self,
        attempt: Attempt,
        reason: CreateReason,
        replaces: Option<CredentialName>,
    ) -> Result<(), Failure> {
        let resource = self.resource()?;
        let key = self.calls.key();
        let own_labels = [
            (OWNER_LABEL, resource.owner.to_string()),
            (RESOURCE_LABEL, resource_label(&key.namespace, &key.name)),
            (ATTEMPT_LABEL, attempt.to_string()),
        ];
        let former = replaces.as_ref().and_then(|name| self.credential(name));
        let new = new_credential(&self.desired, former.as_ref(), own_labels);
        let posted = self.life.memories.clock();
        self.memory.facts.last_change = Some(posted);
        self.memory.facts.dry_run = DryRun::NotDone;
        let confidence = &self.account()?.confidence;
        let answer = confidence.create(&resource.client, &new, &self.calls.requester, self.calls.still_wanted).await;
        let created = match answer {
            Ok(created) => created,
            Err(error) => {
                match (error.outcome_unknown(), error.recovery()) {
                    (true, _) => self.memory.set_outcome(AttemptOutcome::Unknown),
                    // Nothing was sent: the attempt may still be used.
                    (false, Recovery::None) => {}
                    (false, _) => self.memory.set_outcome(AttemptOutcome::NothingCreated),
                }
                return Err(self.ended(error.into()));
            }
        };
        self.server_time = created.date.or(self.server_time);
        let mut credential = created.value;
        let Some(name) = credential.name.clone() else {
            // Without its name nobody can find it but by its label.
            self.memory.set_outcome(AttemptOutcome::Unknown);
            return Err(Failure::retry(self.under_way(), "the answer to the creation names no credential"));
        };
        self.memory.set_outcome(AttemptOutcome::Answered);
        let secret = credential.client_secret.take();
        let holds_secret = secret.is_some();
        self.memory.held = secret.map(|secret| (name.clone(), secret));
        self.memory.answer = Some(credential.clone());
        self.newest.insert(name.clone(), credential);
        let fact = self.newest.get(&name).and_then(|it| self.fact_of(it));
        self.memory.facts.created = fact.map(|credential| Created { credential, holds_secret, posted });
        self.life.metrics.created(reason);
        self.tell("Created", "Create", format!("Created {name} at Confidence ({})", reason_words(reason))).await;
        Ok(())
    }

    pub(super) async fn publish(&mut self, publication: Publication) -> Result<(), Failure> {
        let name = &publication.credential;
        let value = match publication.source {
            ValueSource::Held => self.memory.held.as_ref().filter(|(held, _)| held == name).map(|(_, it)| it.clone()),
            ValueSource::Returned => self.newest.get(name).and_then(|it| it.client_secret.clone()),
            ValueSource::Published => self.values.get(name).cloned(),
        };
        let Some(value) = value else {
            return Err(Failure::retry(
                self.under_way(),
                "the secret to publish is not at hand; it will be read again",
            ));
        };
        // Before the write, whose answer may be lost.
        self.memory.secrets.extend(self.object.spec.published_secret.as_ref().map(|it| it.name.clone()));
        let publisher = SecretPublisher::new(&self.object, self.instance)?;
        self.may_write()?;
        let written = publisher
            .apply(&self.life.client, &publication, &value, false)
            .await
            .map_err(|error| unpublished(&error))?;
        let digest = self.life.cache.digest(value.expose_secret());
        self.memory.published = Some((name.clone(), digest));
        // Acknowledged: only now the only copy of a withheld secret may go.
        if self.memory.held.as_ref().is_some_and(|(held, _)| held == name) {
            self.memory.held = None;
        }
        if let Some(created) = self.memory.facts.created.as_mut().filter(|it| it.credential.name == *name) {
            created.holds_secret = false;
        }
        let note = format!("Published the secret of {name} in Secret {}", kube::ResourceExt::name_any(&written));
        self.tell("Published", "Publish", note).await;
        self.read_secrets(false).await
    }
}

/// What is created: the managed fields, the others as the replaced credential has them, and our labels.
fn new_credential(
    desired: &Desired,
    replaced: Option<&ClientCredential>,
    own_labels: [(&str, String); 3],
) -> NewCredential {
    let labels = desired.labels.clone().or_else(|| Some(replaced?.labels.clone())).unwrap_or_default();
    let others = labels.into_iter().filter(|(key, _)| !key.starts_with(OWN_LABEL_PREFIX));
    NewCredential {
        display_name: desired.display_name.clone(),
        environments: desired.environments.clone().or_else(|| Some(replaced?.environments.clone())),
        labels: others.chain(own_labels.map(|(key, value)| (key.to_owned(), value))).collect(),
        sdk_type: desired.sdk_type.clone().or_else(|| Some(replaced?.sdk_type.clone())),
    }
}

fn reason_words(reason: CreateReason) -> &'static str {
    match reason {
        CreateReason::First => "the first of this resource",
        CreateReason::SecretLost => "SecretLost: the published secret was lost, and Confidence withholds it",
        CreateReason::CredentialGone => "CredentialGone: somebody deleted the one before",
        CreateReason::Rotated => "Rotated",
    }
}

/// A refusal of the Secret. The words of whoever refused are dropped, because they may repeat the secret: those of the dry run,
/// which holds none, are in the log.
fn unpublished(error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) if matches!(status.code, 403 | 422) => Failure::stalled(
            Reason::SecretUnwritable,
            format!(
                "spec.publishedSecret: the API server refuses the Secret ({} {}); grant the operator's ServiceAccount create and \
                 patch on Secrets, and check admission policies",
                status.code, status.reason
            ),
        ),
        kube::Error::Api(status) => Failure::retry(
            Reason::Creating,
            format!("the Secret could not be written ({} {}); the operator tries again", status.code, status.reason),
        ),
        _ => Failure::retry(
            Reason::Creating,
            "the Secret could not be written, because the API server did not answer; the operator tries again",
        ),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use kube::core::response::Status;

    use super::*;

    /// A rotation changes nothing that the manifest leaves out; labels of ours are those of the new credential.
    #[test]
    fn unmanaged_fields_are_carried_over() {
        let body = r#"{"displayName": "Before", "environments": ["theirs"], "sdkType": "BACKEND",
            "labels": {"team": "theirs", "confidence-operator-attempt": "1-old"}}"#;
        let replaced = ClientCredential::from_json(body.as_bytes()).unwrap();
        let own =
            || [(OWNER_LABEL, "o".to_owned()), (RESOURCE_LABEL, "r".to_owned()), (ATTEMPT_LABEL, "2-new".to_owned())];
        let desired = Desired {
            display_name: "After".into(),
            environments: None,
            labels: None,
            sdk_type: None,
            client_secret: None,
        };
        let new = new_credential(&desired, Some(&replaced), own());
        assert_eq!(new.display_name, "After");
        assert_eq!(
            (new.environments.as_ref(), new.sdk_type.as_ref()),
            (Some(&replaced.environments), Some(&replaced.sdk_type))
        );
        assert_eq!((new.labels["team"].as_str(), new.labels[ATTEMPT_LABEL].as_str()), ("theirs", "2-new"));
        let first = new_credential(&desired, None, own());
        assert_eq!((first.environments, first.sdk_type, first.labels.len()), (None, None, 3));
    }

    /// An admission webhook may say anything.
    #[test]
    fn refusal_of_secret_never_repeats_its_words() {
        for code in [403, 409, 422, 500] {
            let status = Status::failure("denied: data.clientSecret is s3cr3t", "Forbidden").with_code(code);
            let failure = unpublished(&kube::Error::Api(status.boxed()));
            assert!(failure.message.contains(&code.to_string()), "{}", failure.message);
            assert!(!failure.message.contains("s3cr3t"), "{}", failure.message);
        }
    }
}
