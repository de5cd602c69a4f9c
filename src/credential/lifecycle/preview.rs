//! What comes next in the life of a created credential, found by reading alone: for the command line.
//!
//! The decision is that of a reconcile. A step that reads is carried out, and one that only records is carried out on the
//! facts. The first one that would write to Confidence or to a Secret is the answer.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::facts::{concerns, fact_of};
use super::memory::Remembered;
use super::published_secret::{KnownValues, SecretPublisher};
use super::records::resource_of;
use super::report::{stalled, waiting};
use super::run::{AT_REST, MAX_STEPS, until};
use crate::api::ConfidenceClientCredential;
use crate::api::conditions::Reason;
use crate::confidence::name::CredentialName;
use crate::confidence::wire::ClientCredential;
use crate::confidence::{Cause, Confidence, Error, Requester};
use crate::credential::outcome::Failure;
use crate::plan::lifecycle::{
    Answer, AttemptMemory, AttemptOutcome, Disclosure, DryRun, Facts, Fetched, Listing, Resource, RotationState,
    SecretState, Secrets, Step, Until, is_resolved, next_step,
};
use crate::plan::{Desired, InvalidSpec, Observation, Plan, SecretKnowledge, plan};

/// When the LIST began, after everything that is known from before.
const LISTED_AT: Duration = Duration::from_secs(1);

/// What comes next.
#[derive(Debug)]
pub(crate) enum Upcoming {
    /// A step that writes to Confidence or to a Secret.
    Write(Step),
    /// Nothing before a time comes or a person acts, in the words of the status.
    Blocked(Failure),
    /// Nothing: all is as asked.
    Rest(RotationState, Option<Timestamp>),
    /// Nothing: the resource is suspended.
    Suspended,
    /// The resource goes, and nothing with it.
    Released,
}

/// What comes next, and what becomes of the fields that differ.
#[derive(Debug)]
pub(crate) struct Outlook {
    pub(crate) upcoming: Upcoming,
    /// Whether the managed fields of the recorded credential are brought in line, and not those of one that replaces it.
    pub(crate) corrects: bool,
}

/// Why it cannot be told what comes next.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// The spec has a value that this version does not know.
    #[error(transparent)]
    Spec(#[from] InvalidSpec),
    /// The published Secret was not read.
    #[error("spec.publishedSecret: {0}")]
    Secret(#[from] kube::Error),
    /// A credential was not read.
    #[error(transparent)]
    Credential(#[from] Error),
}

/// What a preview is made from.
pub(crate) struct Inputs<'a> {
    pub(crate) object: &'a ConfidenceClientCredential,
    /// The id of the installation.
    pub(crate) instance: &'a str,
    /// None: there is no cluster to read the Secret from, so there is no Secret.
    pub(crate) client: Option<&'a kube::Client>,
    pub(crate) confidence: &'a Confidence,
    pub(crate) requester: &'a Requester,
    /// The credentials of the client; none where the account may not list.
    pub(crate) listed: Option<&'a [ClientCredential]>,
    /// The server's time when it listed.
    pub(crate) server_time: Timestamp,
}

struct Preview<'a> {
    inputs: &'a Inputs<'a>,
    desired: Desired,
    resource: Resource,
    secrets: Secrets,
    memory: Remembered,
    newest: HashMap<CredentialName, ClientCredential>,
    corrected: HashSet<CredentialName>,
}

/// Finds what the operator would do next.
///
/// # Errors
/// When something could not be read.
pub(crate) async fn preview(inputs: &Inputs<'_>) -> Result<Outlook, Unread> {
    let status = inputs.object.status.clone().unwrap_or_default();
    let mut preview = Preview {
        inputs,
        desired: Desired::from_spec(&inputs.object.spec)?,
        resource: resource_of(inputs.object, &status, inputs.instance, &HashMap::new(), inputs.server_time)?,
        secrets: Secrets { current: SecretState::Absent, former: None, is_fresh: false },
        memory: Remembered::default(),
        newest: HashMap::new(),
        corrected: HashSet::new(),
    };
    preview.memory.see_attempt(preview.resource.attempt, Duration::ZERO);
    preview.read_secrets().await?;
    for _ in 0..MAX_STEPS {
        let step = preview.decide();
        if let Some(upcoming) = preview.take(step).await? {
            let corrects = !preview.corrected.is_empty() || comes_before_correction(&upcoming);
            return Ok(Outlook { upcoming, corrects });
        }
    }
    let failure = Failure::retry(Reason::Creating, "there is more to do than one reconcile does");
    Ok(Outlook { upcoming: Upcoming::Blocked(failure), corrects: false })
}

/// Whether the current credential stays current after it, so that its fields have their turn.
fn comes_before_correction(upcoming: &Upcoming) -> bool {
    match upcoming {
        Upcoming::Write(step) => matches!(step, Step::Publish(_) | Step::DeleteSecret { .. } | Step::Relabel(_)),
        Upcoming::Suspended => true,
        Upcoming::Blocked(_) | Upcoming::Rest(..) | Upcoming::Released => false,
    }
}

impl Preview<'_> {
    async fn read_secrets(&mut self) -> Result<(), Unread> {
        let Some(client) = self.inputs.client else { return Ok(()) };
        let publisher = SecretPublisher::new(self.inputs.object, self.inputs.instance)?;
        let recorded = self.resource.records.published.clone();
        let (current, _) = publisher.read(client, &self.resource.secret_name, recorded.as_ref(), self).await?;
        let mut former = None;
        if let Some(record) = recorded.as_ref().filter(|it| it.name != self.resource.secret_name)
            && let (SecretState::Own(own), _) = publisher.read(client, &record.name, recorded.as_ref(), self).await?
        {
            former = Some(own);
        }
        self.secrets = Secrets { current, former, ..self.secrets };
        Ok(())
    }

    fn decide(&mut self) -> Step {
        let listing = self.listing();
        let facts = Facts {
            resource: &self.resource,
            secrets: &self.secrets,
            listing: &listing,
            memory: &self.memory.facts,
            surroundings: AT_REST,
            server_time: Some(self.inputs.server_time),
            clock: LISTED_AT,
            nonce: 0,
        };
        let is_resolved = self.resource.attempt.is_some_and(|attempt| is_resolved(&facts, attempt));
        let step = next_step(&facts);
        self.memory.note_resolved(is_resolved);
        step
    }

    fn listing(&self) -> Listing {
        let Some(listed) = self.inputs.listed else { return Listing::Forbidden };
        let fact = |it: &ClientCredential| {
            let name = it.name.clone()?;
            let credential = self.newest.get(&name).unwrap_or(it);
            let is_in_sync = self.is_in_sync(&name, credential);
            Some(fact_of(name, credential, is_in_sync))
        };
        let credentials = listed.iter().filter_map(fact).filter(|it| concerns(&self.resource, it)).collect();
        Listing::Complete { began: LISTED_AT, credentials }
    }

    fn is_in_sync(&self, name: &CredentialName, credential: &ClientCredential) -> bool {
        let observed = Observation::read(credential.clone());
        let known = SecretKnowledge::default();
        self.corrected.contains(name)
            || matches!(plan(&self.desired, &observed, &known, self.inputs.object.spec.drift_policy), Plan::InSync)
    }

    /// Takes a step as far as it writes nothing. Returns what comes next, if it does write.
    async fn take(&mut self, step: Step) -> Result<Option<Upcoming>, Unread> {
        match step {
            Step::Get { name, .. } => self.get(name).await?,
            Step::Record { records, stall: None } => self.resource.records = records,
            Step::AddFinalizer => self.resource.has_finalizer = true,
            Step::RemoveFinalizer(_) if !self.resource.is_being_deleted => self.resource.has_finalizer = false,
            Step::DryRunSecret => self.memory.facts.dry_run = DryRun::Accepted,
            Step::WriteAttempt { attempt, .. } => {
                self.resource.attempt = Some(attempt);
                let generation = Some(self.resource.generation);
                let outcome = AttemptOutcome::NotSent;
                self.memory.facts.attempt =
                    Some(AttemptMemory { attempt, since: LISTED_AT, generation, outcome, lists: 0 });
            }
            // The fields that differ are told by themselves.
            Step::Correct(name) => {
                self.corrected.insert(name);
            }
            // What the policy forbids is told all the same: as the step and a remark.
            Step::Report(_) => self.resource.reports_only = false,
            step => return Ok(Some(self.end(step))),
        }
        Ok(None)
    }

    fn end(&self, step: Step) -> Upcoming {
        match step {
            Step::Wait { until: end, reason } => {
                let after = end.map(|end| match end {
                    Until::Clock(clock) => clock.saturating_sub(LISTED_AT),
                    Until::Server(time) => until(time, Some(self.inputs.server_time)),
                });
                Upcoming::Blocked(waiting(reason, Reason::Creating, after))
            }
            Step::Stall(reason) | Step::Record { stall: Some(reason), .. } => {
                Upcoming::Blocked(stalled(reason, self.inputs.object))
            }
            Step::List => {
                Upcoming::Blocked(Failure::retry(Reason::Creating, "the operator lists the credentials again"))
            }
            Step::Rest { rotation, next_rotation, .. } => Upcoming::Rest(rotation, next_rotation),
            Step::Suspended => Upcoming::Suspended,
            Step::RemoveFinalizer(_) => Upcoming::Released,
            step => Upcoming::Write(step),
        }
    }

    async fn get(&mut self, name: CredentialName) -> Result<(), Unread> {
        let answer = match self.inputs.confidence.get(&name, self.inputs.requester).await {
            Ok(read) => {
                let secret = &read.value.client_secret;
                let disclosure = if secret.is_some() { Disclosure::Returned } else { Disclosure::Withheld };
                let fact = fact_of(name.clone(), &read.value, self.is_in_sync(&name, &read.value));
                self.newest.insert(name.clone(), read.value);
                Answer::Found(fact, disclosure)
            }
            Err(error) if error.cause() == Cause::NotFound => Answer::NotFound,
            Err(error) => return Err(error.into()),
        };
        let fetched = &mut self.memory.facts.fetched;
        fetched.retain(|fetched| fetched.name != name);
        fetched.push(Fetched { name, answer });
        self.secrets.is_fresh = true;
        self.read_secrets().await
    }
}

impl KnownValues for Preview<'_> {
    fn equals_returned(&self, credential: &CredentialName, value: &str) -> Option<bool> {
        let listed = || self.inputs.listed?.iter().find(|it| it.name.as_ref() == Some(credential));
        let secret = self.newest.get(credential).or_else(listed)?.client_secret.as_ref()?;
        Some(secret.expose_secret() == value)
    }

    /// This process publishes nothing.
    fn equals_published(&self, _: &CredentialName, _: &str) -> Option<bool> {
        None
    }
}
