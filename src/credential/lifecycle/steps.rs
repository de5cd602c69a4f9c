//! The steps, carried out one by one.

use secrecy::SecretString;

use super::published_secret::{self, SecretPublisher};
use super::report::{Life, stalled, waiting, would};
use super::run::{End, ListingState, Run, until, unwritable};
use super::writes::{self, MetadataChange};
use crate::api::conditions::Reason;
use crate::confidence::name::CredentialName;
use crate::confidence::wire::{CredentialUpdate, NewCredential};
use crate::confidence::{Cause, Recovery};
use crate::credential::apply;
use crate::credential::outcome::{Applied, Failure};
use crate::credential::resolve::Resolved;
use crate::engine::EventDraft;
use crate::plan::lifecycle::{
    ATTEMPT_LABEL, Answer, Attempt, AttemptMemory, AttemptOutcome, CreateReason, Created, Disclosure, DryRun, Evidence,
    Fetched, OWNER_LABEL, Publication, RESOURCE_LABEL, ReleaseReason, RotationState, SecretState, Step, Until,
    ValueSource, resource_label,
};
use crate::plan::{Observation, SecretKnowledge};

impl Run<'_> {
    /// Carries out a step. Returns how the reconcile ends, if it does.
    pub(super) async fn carry_out(&mut self, step: Step) -> Result<Option<End>, Failure> {
        match step {
            Step::List => self.list().await?,
            Step::Get { name, .. } => self.get(name).await?,
            Step::Record { records, stall: None } => self.records = Some(records),
            Step::Record { records, stall: Some(reason) } => self.bar(records, reason).await?,
            Step::DryRunSecret => self.dry_run().await?,
            Step::WriteAttempt { attempt, with_finalizer } => self.write_attempt(attempt, with_finalizer).await?,
            Step::Create { attempt, reason, replaces } => self.create(attempt, reason, replaces).await?,
            Step::Publish(publication) => self.publish(publication).await?,
            Step::Correct(name) => self.correct(name).await?,
            Step::Relabel(name) => self.relabel(name).await?,
            Step::Delete(evidence) => self.delete(evidence).await?,
            Step::DeleteSecret { name, version } => {
                self.flush().await?;
                self.may_write()?;
                let deleted = published_secret::delete(&self.life.client, self.calls.key(), &name, &version).await;
                deleted.map_err(|error| unwritable(&error))?;
                self.read_secrets(false).await?;
            }
            Step::AddFinalizer => self.change(MetadataChange::AddFinalizer).await?,
            Step::RemoveFinalizer(reason) => return self.release(reason).await,
            Step::Wait { until: end, reason } => {
                let after = end.map(|end| match end {
                    Until::Clock(clock) => clock.saturating_sub(self.life.memories.clock()),
                    Until::Server(time) => until(time, self.server_time),
                });
                let failure = waiting(reason, self.under_way(), after);
                return Err(self.ended(failure));
            }
            Step::Stall(reason) => return Err(self.ended(stalled(reason, &self.object))),
            Step::Rest { rotation, next_rotation, look_again } => {
                let look_again = look_again.map(|time| until(time, self.server_time));
                return self.rest(rotation, next_rotation, look_again).map(Some);
            }
            Step::Suspended => return Ok(Some(End::Suspended)),
            Step::Report(step) => return self.report_only(&step).map(Some),
        }
        Ok(None)
    }

    async fn list(&mut self) -> Result<(), Failure> {
        let client = self.resource()?.client;
        // Another reconcile may have listed since; what began before our last change shows what is gone.
        let changed_at = self.memory.facts.last_change.map(|clock| self.life.memories.instant(clock));
        let listed_at = match &self.listing {
            ListingState::Complete(listed) => Some(listed.began()),
            ListingState::None | ListingState::Forbidden => None,
        };
        let after = changed_at.max(listed_at);
        let account = std::sync::Arc::clone(self.account()?);
        let listed = self.life.listings.newer(&account, &client, after, &self.calls.requester).await;
        self.listing = match listed {
            Ok(listed) => {
                self.note_listing(&listed);
                ListingState::Complete(listed)
            }
            Err(error) if matches!(error.cause(), Cause::Forbidden | Cause::Unsupported) => ListingState::Forbidden,
            Err(error) => return Err(self.ended(error.into())),
        };
        if matches!(self.listing, ListingState::Forbidden) && self.server_time.is_none() {
            self.server_time = Some(jiff::Timestamp::now());
        }
        Ok(())
    }

    /// Notes what a complete listing tells of our own attempt.
    fn note_listing(&mut self, listed: &crate::credential::listing::Listing) {
        let began = self.life.memories.at(listed.began());
        self.server_time = listed.date().or(self.server_time);
        if let Some(attempt) = self.memory.facts.attempt.as_mut().filter(|it| it.since < began) {
            attempt.lists += 1;
        }
        let is_shown = |created: &Created| listed.entry(created.credential.name.credential()).is_some();
        if self.memory.facts.created.as_ref().is_some_and(|it| !it.holds_secret && is_shown(it)) {
            self.memory.forget_answer();
        }
    }

    async fn get(&mut self, name: CredentialName) -> Result<(), Failure> {
        let answer = match self.account()?.confidence.get(&name, &self.calls.requester).await {
            Ok(read) => {
                self.server_time = read.date.or(self.server_time);
                let is_returned = read.value.client_secret.is_some();
                self.newest.insert(name.clone(), read.value);
                let fact = self.newest.get(&name).and_then(|it| self.fact_of(it));
                let disclosure = if is_returned { Disclosure::Returned } else { Disclosure::Withheld };
                fact.map_or(Answer::Failed, |fact| Answer::Found(fact, disclosure))
            }
            Err(error) if error.cause() == Cause::NotFound => {
                self.newest.remove(&name);
                if self.memory.facts.created.as_ref().is_some_and(|it| it.credential.name == name) {
                    self.memory.forget_answer();
                    self.memory.held = None;
                }
                Answer::NotFound
            }
            Err(error) => return Err(self.ended(error.into())),
        };
        self.memory.facts.fetched.retain(|fetched| fetched.name != name);
        self.memory.facts.fetched.push(Fetched { name, answer });
        self.read_secrets(true).await
    }

    async fn dry_run(&mut self) -> Result<(), Failure> {
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

    async fn write_attempt(&mut self, attempt: Attempt, with_finalizer: bool) -> Result<(), Failure> {
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

    async fn change(&mut self, change: MetadataChange) -> Result<(), Failure> {
        self.may_write()?;
        let object = writes::change(&self.life.client, &self.object, change).await;
        self.object = std::sync::Arc::new(object.map_err(|error| unwritable(&error))?);
        Ok(())
    }

    async fn create(
        &mut self,
        attempt: Attempt,
        reason: CreateReason,
        replaces: Option<CredentialName>,
    ) -> Result<(), Failure> {
        let resource = self.resource()?;
        let new = self.new_credential(attempt, &resource.owner.to_string(), replaces.as_ref());
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
        self.life.metrics.created(reason_label(reason));
        self.tell("Created", "Create", format!("Created {name} at Confidence ({})", reason_words(reason))).await;
        Ok(())
    }

    /// What is created: the managed fields, the others as the replaced credential has them, and our labels.
    fn new_credential(&self, attempt: Attempt, owner: &str, replaces: Option<&CredentialName>) -> NewCredential {
        let model = replaces.and_then(|name| self.credential(name));
        let is_own = |key: &String| key.starts_with(crate::api::OWN_LABEL_PREFIX);
        let asked = self.desired.labels.clone().or_else(|| model.as_ref().map(|it| it.labels.clone()));
        let mut labels: std::collections::BTreeMap<_, _> =
            asked.into_iter().flatten().filter(|(key, _)| !is_own(key)).collect();
        let key = self.calls.key();
        labels.insert(OWNER_LABEL.to_owned(), owner.to_owned());
        labels.insert(RESOURCE_LABEL.to_owned(), resource_label(&key.namespace, &key.name));
        labels.insert(ATTEMPT_LABEL.to_owned(), attempt.to_string());
        NewCredential {
            display_name: self.desired.display_name.clone(),
            environments: self.desired.environments.clone().or_else(|| Some(model.as_ref()?.environments.clone())),
            labels,
            sdk_type: self.desired.sdk_type.clone().or_else(|| Some(model.as_ref()?.sdk_type.clone())),
        }
    }

    async fn publish(&mut self, publication: Publication) -> Result<(), Failure> {
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
        let digest = self.life.cache.digest(secrecy::ExposeSecret::expose_secret(&value));
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

    async fn correct(&mut self, name: CredentialName) -> Result<(), Failure> {
        let Some(credential) = self.credential(&name) else {
            return Err(Failure::retry(self.under_way(), "the credential is not at hand; it will be read again"));
        };
        let resolved = Resolved {
            account: std::sync::Arc::clone(self.account()?),
            name: name.clone(),
            desired: self.desired.clone(),
            policy: self.policy(),
        };
        let planned = self.plan(&credential);
        let observed = Observation::read(credential);
        let known = SecretKnowledge::default();
        let applied = apply::apply(&resolved, observed, planned, &known, self.calls, &self.life.cache).await;
        let applied = applied.map_err(|failure| self.ended(failure))?;
        self.newest.insert(name.clone(), applied.credential().clone());
        self.corrected.insert(name);
        self.applied = Some(applied);
        Ok(())
    }

    async fn relabel(&mut self, name: CredentialName) -> Result<(), Failure> {
        let Some(credential) = self.credential(&name) else {
            return Err(Failure::retry(self.under_way(), "the credential is not at hand; it will be read again"));
        };
        let resource = self.resource()?;
        let key = self.calls.key();
        let mut labels = credential.labels.clone();
        labels.insert(OWNER_LABEL.to_owned(), resource.owner.to_string());
        labels.insert(RESOURCE_LABEL.to_owned(), resource_label(&key.namespace, &key.name));
        let update = CredentialUpdate { labels: Some(labels), ..CredentialUpdate::nothing(credential.display_name) };
        let confidence = &self.account()?.confidence;
        let answer = confidence.update(&name, &update, &self.calls.requester, self.calls.still_wanted).await;
        let answer = answer.map_err(|error| self.ended(error.into()))?;
        self.memory.facts.fetched.retain(|fetched| fetched.name != name);
        self.server_time = answer.date.or(self.server_time);
        self.newest.insert(name, answer.value);
        Ok(())
    }

    async fn delete(&mut self, evidence: Evidence) -> Result<(), Failure> {
        self.flush().await?;
        let name = evidence.name().clone();
        self.memory.facts.last_change = Some(self.life.memories.clock());
        self.memory.facts.fetched.retain(|fetched| fetched.name != name);
        let confidence = &self.account()?.confidence;
        match confidence.delete(&name, &self.calls.requester, self.calls.still_wanted).await {
            Ok(answer) => self.server_time = answer.date.or(self.server_time),
            // The GET that follows confirms it.
            Err(error) if error.cause() == Cause::NotFound => {}
            Err(error) => return Err(self.ended(error.into())),
        }
        self.life.metrics.deleted();
        self.tell("Deleted", "Delete", format!("Deleted {name} at Confidence")).await;
        Ok(())
    }

    async fn release(&mut self, reason: Option<ReleaseReason>) -> Result<Option<End>, Failure> {
        self.change(MetadataChange::RemoveFinalizer).await?;
        if let Some(note) = reason.and_then(release_words) {
            self.warn("Released", note).await;
        }
        Ok(self.object.metadata.deletion_timestamp.is_some().then_some(End::Released))
    }

    fn rest(
        &mut self,
        rotation: RotationState,
        next_rotation: Option<jiff::Timestamp>,
        look_again: Option<std::time::Duration>,
    ) -> Result<End, Failure> {
        let resource = self.resource()?;
        let current = resource.records.name.as_ref().and_then(|name| self.credential(name));
        let Some(current) = current else {
            return Err(Failure::retry(self.under_way(), "the credential is not at hand; it will be read again"));
        };
        let observed = Observation::read(current.clone());
        self.life.cache.put(self.calls.key(), observed, self.observed_at(&current));
        let applied = self.applied.take().unwrap_or_else(|| {
            let planned = self.plan(&current);
            Applied::observed(Observation::read(current), &planned, false, None)
        });
        let life = self.life(rotation, next_rotation, look_again)?;
        Ok(End::Rest(Box::new(life), Box::new(applied)))
    }

    fn report_only(&mut self, step: &Step) -> Result<End, Failure> {
        if let Step::Correct(name) = step
            && let Some(credential) = self.credential(name)
        {
            let planned = self.plan(&credential);
            let applied = Applied::observed(Observation::read(credential), &planned, true, None);
            let life = self.life(RotationState::None, None, None)?;
            return Ok(End::Rest(Box::new(life), Box::new(applied)));
        }
        Err(self.ended(would(step)))
    }

    fn life(
        &self,
        rotation: RotationState,
        next_rotation: Option<jiff::Timestamp>,
        look_again: Option<std::time::Duration>,
    ) -> Result<Life, Failure> {
        let records = self.resource()?.records;
        let last_seen = records
            .superseded
            .iter()
            .filter_map(|it| Some((it.name.clone(), self.credential(&it.name)?.last_seen_time?)));
        Ok(Life { last_seen: last_seen.collect(), records, rotation, next_rotation, look_again })
    }

    async fn bar(
        &mut self,
        records: crate::plan::lifecycle::Records,
        reason: crate::plan::lifecycle::StallReason,
    ) -> Result<(), Failure> {
        let failure = stalled(reason, &self.object);
        let status = self.status_with(&records, &failure);
        self.store(status).await
    }

    /// A failure, after what was observed and written before it.
    fn ended(&mut self, failure: Failure) -> Failure {
        match self.applied.take() {
            Some(applied) if failure.before.is_none() => failure.after(applied),
            _ => failure,
        }
    }

    async fn tell(&self, reason: &str, action: &'static str, note: String) {
        let draft = EventDraft { warning: false, reason: reason.to_owned(), action, note };
        self.life.events.record(&kube::Resource::object_ref(self.object.as_ref(), &()), vec![draft]).await;
    }

    async fn warn(&self, reason: &str, note: &str) {
        let draft = EventDraft { warning: true, reason: reason.to_owned(), action: "Release", note: note.to_owned() };
        self.life.events.record(&kube::Resource::object_ref(self.object.as_ref(), &()), vec![draft]).await;
    }
}

fn reason_label(reason: CreateReason) -> &'static str {
    match reason {
        CreateReason::First => "first",
        CreateReason::SecretLost => "secret_lost",
        CreateReason::CredentialGone => "credential_gone",
        CreateReason::Rotated => "rotated",
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

fn release_words(reason: ReleaseReason) -> Option<&'static str> {
    match reason {
        ReleaseReason::Kept => None,
        ReleaseReason::CrdDeleted => Some("the CRD is being deleted: the credential and its Secret stay as they are"),
        ReleaseReason::OwnedElsewhere => Some(
            "another instance of the operator published the Secret: the credential and its Secret stay as they are",
        ),
        ReleaseReason::AccountGone => {
            Some("the account is gone, so the credential could not be deleted: delete it in Confidence")
        }
    }
}

/// The words of the API server. An answer that cannot be decoded may hold a secret, and is not repeated.
pub(super) fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::SerdeError(_) => "its answer cannot be decoded".to_owned(),
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        error => error.to_string(),
    }
}

fn unpublished(error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) if matches!(status.code, 403 | 422) => Failure::stalled(
            Reason::SecretUnwritable,
            format!("spec.publishedSecret: the API server refuses the Secret: {}", words(error)),
        ),
        _ => Failure::retry(Reason::Creating, format!("the Secret could not be written: {}", words(error))),
    }
}
