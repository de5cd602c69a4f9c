//! What is read from and written to the API server: the published Secrets, the status, the resource itself.

use std::collections::HashMap;
use std::sync::Arc;

use secrecy::SecretString;

use super::published_secret::SecretPublisher;
use super::records::put_records;
use super::run::Run;
use super::writes::{self, MetadataChange};
use crate::api::ConfidenceClientCredentialStatus as Status;
use crate::api::conditions::Reason;
use crate::confidence::name::CredentialName;
use crate::credential::attempt_id;
use crate::credential::outcome::Failure;
use crate::engine::PendingStatus;
use crate::plan::lifecycle::{OwnSecret, PublishedRecord, SecretState, Secrets};

impl Run<'_> {
    /// Reads the Secret that the spec names, and the one that the status names if it is another.
    pub(super) async fn read_secrets(&mut self, is_fresh: bool) -> Result<(), Failure> {
        let publisher = SecretPublisher::new(&self.object, self.instance)?;
        let recorded = self.resource()?.records.published;
        let Some(spec) = &self.object.spec.published_secret else { return Ok(()) };
        let read = publisher.read(&self.life.client, &spec.name, recorded.as_ref(), &*self);
        let (current, value) = read.await.map_err(|error| unreadable(&error))?;
        let former = self.read_former(&publisher, &spec.name, recorded.as_ref()).await?;
        let name = spec.name.clone();
        let former_value = former.iter().filter_map(|(own, value)| own.credential.clone().zip(value.clone()));
        let mut values: HashMap<_, _> = former_value.collect();
        // Where both name one credential, the value is that of the Secret that counts.
        values.extend(named(&current).zip(value));
        if former.is_none() {
            self.memory.secrets.retain(|written| *written == name);
        }
        let former = former.map(|(own, _)| own);
        if let (SecretState::Own(own), Some(secret)) = (&current, self.life.versions.of(self.calls.key())) {
            self.life.versions.served(self.calls.key(), &secret, Some(&own.version.resource_version));
        }
        self.secrets = Secrets { current, former, is_fresh };
        self.values = values;
        Ok(())
    }

    /// Reads the Secret of ours that has another name: the one that the status names, else one that this process wrote. A
    /// name that is changed twice before the status is written leaves one that no status ever named.
    pub(super) async fn read_former(
        &self,
        publisher: &SecretPublisher<'_>,
        current: &str,
        recorded: Option<&PublishedRecord>,
    ) -> Result<Option<(OwnSecret, Option<SecretString>)>, Failure> {
        let names = recorded.map(|it| &it.name).into_iter().chain(&self.memory.secrets);
        for name in names.filter(|name| *name != current) {
            let read = publisher.read(&self.life.client, name, recorded, self).await;
            let (state, value) = read.map_err(|error| unreadable(&error))?;
            if let SecretState::Own(own) = state {
                return Ok(Some((own, value)));
            }
        }
        Ok(None)
    }

    /// Stores the records that are still to be stored, before something relies on them.
    pub(super) async fn flush(&mut self) -> Result<(), Failure> {
        let Some(records) = self.records.take() else { return Ok(()) };
        let mut status = self.status.clone();
        put_records(&mut status, &records, None, |name| self.credential(name).and_then(|it| it.last_seen_time));
        self.store(status).await
    }

    /// Writes a status at once, and goes on from the version that came of it.
    pub(super) async fn store(&mut self, status: Status) -> Result<(), Failure> {
        let key = self.calls.key();
        let pending =
            PendingStatus { status: status.clone(), events: Vec::new(), attempt: attempt_id(self.calls.attempt) };
        self.life.statuses.put(key, &self.object, pending);
        self.life.statuses.settled(key).await;
        self.status = status;
        self.is_whole = false;
        Ok(())
    }

    /// Changes the metadata of the resource.
    pub(super) async fn change(&mut self, change: MetadataChange) -> Result<(), Failure> {
        self.may_write()?;
        let object = writes::change(&self.life.client, &self.object, change).await;
        self.object = Arc::new(object.map_err(|error| unwritable(&error))?);
        Ok(())
    }

    /// Reads the resource whole. Returns whether it is still there.
    pub(super) async fn read_whole(&mut self) -> Result<bool, Failure> {
        let Some(object) = writes::read(&self.life.client, &self.object).await.map_err(|error| unwritable(&error))?
        else {
            return Ok(false);
        };
        self.status = object.status.clone().unwrap_or_default();
        self.object = Arc::new(object);
        self.is_whole = true;
        Ok(true)
    }
}

fn named(state: &SecretState) -> Option<CredentialName> {
    if let SecretState::Own(own) = state { own.credential.clone() } else { None }
}

fn unreadable(error: &kube::Error) -> Failure {
    let forbidden = matches!(error, kube::Error::Api(status) if status.code == 403);
    let message = format!("spec.publishedSecret: the Secret could not be read: {}", words(error));
    if forbidden {
        Failure::stalled(Reason::SecretUnreadable, format!("{message}; grant the operator's ServiceAccount get on it"))
    } else {
        Failure::retry(Reason::SecretUnreadable, message)
    }
}

pub(super) fn unwritable(error: &kube::Error) -> Failure {
    Failure::retry(Reason::Creating, format!("the API server refused a write to the resource: {}", words(error)))
}

/// The words of the API server. An answer that cannot be decoded may hold a secret, and is not repeated.
pub(super) fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::SerdeError(_) => "its answer cannot be decoded".to_owned(),
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        error => error.to_string(),
    }
}
