//! The steps, carried out one by one: what each does, or which file does it.

use std::sync::Arc;

use super::published_secret::{self};
use super::report::{stalled, waiting};
use super::run::{End, ListingState, Run, until};
use super::stored::unwritable;
use super::writes::MetadataChange;
use crate::confidence::Cause;
use crate::confidence::name::CredentialName;
use crate::confidence::wire::CredentialUpdate;
use crate::credential::apply;
use crate::credential::outcome::Failure;
use crate::credential::resolve::Resolved;
use crate::plan::lifecycle::{
    Answer, Created, Disclosure, Fetched, OWNER_LABEL, RESOURCE_LABEL, Step, Until, resource_label,
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
        // Another reconcile may have listed since; what began before our last change shows what is gone, and whoever asks to
        // reconcile now wants to see what is there now.
        let changed_at = self.memory.facts.last_change.map(|clock| self.life.memories.instant(clock));
        let listed_at = match &self.listing {
            ListingState::Complete(listed) => Some(listed.began()),
            ListingState::None | ListingState::Forbidden => None,
        };
        let after = changed_at.max(listed_at).max(self.is_requested().then_some(self.began));
        let account = Arc::clone(self.account()?);
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

    async fn correct(&mut self, name: CredentialName) -> Result<(), Failure> {
        let Some(credential) = self.credential(&name) else {
            return Err(Failure::retry(self.under_way(), "the credential is not at hand; it will be read again"));
        };
        let resolved = Resolved {
            account: Arc::clone(self.account()?),
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
}
