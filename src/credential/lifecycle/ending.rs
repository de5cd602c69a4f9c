//! The steps that delete a credential, and the ways in which a reconcile ends.

use super::report::{Life, stalled, would};
use super::run::{End, Run};
use super::writes::MetadataChange;
use crate::confidence::Cause;
use crate::credential::outcome::{Applied, Failure};
use crate::engine::EventDraft;
use crate::plan::Observation;
use crate::plan::lifecycle::{Evidence, Records, ReleaseReason, RotationState, StallReason, Step};

impl Run<'_> {
    pub(super) async fn delete(&mut self, evidence: Evidence) -> Result<(), Failure> {
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

    pub(super) async fn release(&mut self, reason: Option<ReleaseReason>) -> Result<Option<End>, Failure> {
        self.change(MetadataChange::RemoveFinalizer).await?;
        if let Some(note) = reason.and_then(release_words) {
            self.warn("Released", note).await;
        }
        Ok(self.object.metadata.deletion_timestamp.is_some().then_some(End::Released))
    }

    pub(super) fn rest(
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

    pub(super) fn report_only(&mut self, step: &Step) -> Result<End, Failure> {
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

    pub(super) fn life(
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

    pub(super) async fn bar(&mut self, records: Records, reason: StallReason) -> Result<(), Failure> {
        let failure = stalled(reason, &self.object);
        let status = self.status_with(&records, &failure);
        self.store(status).await
    }

    /// A failure, after what was observed and written before it.
    pub(super) fn ended(&mut self, failure: Failure) -> Failure {
        match self.applied.take() {
            Some(applied) if failure.before.is_none() => failure.after(applied),
            _ => failure,
        }
    }

    pub(super) async fn tell(&self, reason: &str, action: &'static str, note: String) {
        let draft = EventDraft { warning: false, reason: reason.to_owned(), action, note };
        self.life.events.record(&kube::Resource::object_ref(self.object.as_ref(), &()), vec![draft]).await;
    }

    pub(super) async fn warn(&self, reason: &str, note: &str) {
        let draft = EventDraft { warning: true, reason: reason.to_owned(), action: "Release", note: note.to_owned() };
        self.life.events.record(&kube::Resource::object_ref(self.object.as_ref(), &()), vec![draft]).await;
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
