//! What the status tells of a created credential, and in which words.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::records::put_records;
use super::run::Run;
use crate::api::conditions::{Reason, Truth, Type, Verdict};
use crate::api::status::Origin;
use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus as Status};
use crate::confidence::name::CredentialName;
use crate::credential::outcome::{Failure, Outcome};
use crate::credential::report::{Facts, next_status};
use crate::plan::lifecycle::{Records, RotationState, StallReason, Step, WaitReason};

/// How a created credential stands.
#[derive(Clone, Debug)]
pub(in crate::credential) struct Life {
    pub(super) records: Records,
    pub(super) rotation: RotationState,
    pub(super) next_rotation: Option<Timestamp>,
    /// After how long to ask again, beside the interval.
    pub(in crate::credential) look_again: Option<Duration>,
    /// When the superseded credentials were last used.
    pub(super) last_seen: HashMap<CredentialName, Timestamp>,
}

impl Life {
    /// Whether every check has to look closer than at what moved: superseded credentials may be used.
    pub(in crate::credential) fn needs_checks(&self) -> bool {
        self.rotation != RotationState::None
    }

    /// Puts what is recorded into a status.
    pub(in crate::credential) fn put(&self, status: &mut Status) {
        put_records(status, &self.records, self.next_rotation, |name| self.last_seen.get(name).copied());
        status.origin = Some(Origin::Created);
    }

    /// The conditions that only a created credential has.
    pub(in crate::credential) fn verdicts(&self) -> Vec<Verdict> {
        let published = self.records.published.as_ref().map(|published| Verdict {
            r#type: Type::Published,
            truth: Truth::True,
            reason: Reason::Published,
            message: format!("Secret {} holds the secret of {}", published.name, published.credential),
        });
        published.into_iter().chain(self.rotating()).collect()
    }

    fn rotating(&self) -> Option<Verdict> {
        let old = self.records.superseded.first().map(|it| it.name.to_string()).unwrap_or_default();
        let (reason, message) = match self.rotation {
            RotationState::None => return None,
            RotationState::Rotated => (
                Reason::Rotating,
                format!("{old} is superseded; the operator deletes it when the overlap is over and nobody uses it"),
            ),
            RotationState::OldStillInUse { last_seen } => (
                Reason::OldStillInUse,
                format!(
                    "{old} was last used at {last_seen}; restart the applications that still use it, or let it be deleted \
                     with the annotation iam.confidence.dev/retire: {old}"
                ),
            ),
            RotationState::NewNotSeen => (
                Reason::NewNotSeen,
                format!(
                    "nobody has used the new credential yet, so {old} stays; check that the applications read the new \
                     secret, or let the old one be deleted with the annotation iam.confidence.dev/retire: {old}"
                ),
            ),
        };
        Some(Verdict { r#type: Type::Rotating, truth: Truth::True, reason, message })
    }
}

impl Run<'_> {
    /// The status with these records and this failure, to be stored before the reconcile goes on.
    pub(super) fn status_with(&self, records: &Records, failure: &Failure) -> Status {
        let facts = Facts::of(&self.object, Duration::ZERO, false);
        let mut status = next_status(&self.status, &facts, &Outcome::Failed(failure.clone()));
        put_records(&mut status, records, None, |name| self.credential(name).and_then(|it| it.last_seen_time));
        status.origin = Some(Origin::Created);
        status
    }
}

/// What a wait tells.
pub(super) fn waiting(reason: WaitReason, under_way: Reason, after: Option<Duration>) -> Failure {
    let message = match reason {
        WaitReason::ListFailed => "the credentials could not be listed; the operator tries again",
        WaitReason::GetFailed => "the credential could not be read; the operator tries again",
        WaitReason::AttemptOutstanding => {
            "the answer to a creation was lost; the operator waits until it is certain whether a credential was created"
        }
        WaitReason::TooYoungToReplace => "the credential to be replaced is younger than a minute; the operator waits",
    };
    Failure { retry_after: after, ..Failure::retry(under_way, message) }
}

/// What nothing but a person can change.
pub(super) fn stalled(reason: StallReason, object: &ConfidenceClientCredential) -> Failure {
    let secret = object.spec.published_secret.as_ref().map(|it| it.name.as_str()).unwrap_or_default();
    match reason {
        StallReason::OwnedElsewhere => Failure::stalled(
            Reason::OwnedElsewhere,
            "the credential carries the label of another resource or installation; remove the published Secret and the \
             status of this resource if they were copied, or delete this resource",
        ),
        StallReason::TooManyLive => Failure::stalled(
            Reason::TooManyLive,
            "too many credentials of this resource exist at Confidence; delete those that nobody uses \
             (status.rotation.superseded names them)",
        ),
        StallReason::CannotList => Failure::stalled(
            Reason::CannotList,
            "the account may not list credentials, and without that a lost answer would leave credentials behind; grant it \
             the scope to read client credentials",
        ),
        StallReason::LabelsNotKept => Failure::stalled(
            Reason::LabelsNotKept,
            "Confidence did not keep the labels of the created credential, so the operator could not find it again and gave \
             it back; to try again, change the annotation iam.confidence.dev/reconcile-requested-at",
        ),
        StallReason::SecretNotReturned => Failure::stalled(
            Reason::SecretNotReturned,
            "Confidence returned no secret for the created credential, so the operator gave it back; to try again, change \
             the annotation iam.confidence.dev/reconcile-requested-at",
        ),
        StallReason::SecretNotOurs => Failure::stalled(
            Reason::SecretNotOurs,
            format!(
                "Secret {secret} exists and was not published by this resource, so the operator leaves it alone; name \
                 another Secret in spec.publishedSecret, or delete that one"
            ),
        ),
        StallReason::SecretNotWritable => Failure::stalled(
            Reason::SecretUnwritable,
            format!(
                "the API server refuses Secret {secret}, so nothing was created at Confidence; grant the operator's \
                 ServiceAccount create and patch on Secrets, and check admission policies"
            ),
        ),
        StallReason::AccountGone => Failure::stalled(
            Reason::AccountNotFound,
            "this resource has no account any more that it may use, so its credential cannot be deleted; create the account or \
             its grant again, or set deletionPolicy to Orphan to let the credential be",
        ),
    }
}

/// What the policy Report tells instead of doing it.
pub(super) fn would(step: &Step) -> Failure {
    let what = match step {
        Step::Create { .. } | Step::DryRunSecret | Step::WriteAttempt { .. } => {
            "create a credential and publish its secret"
        }
        Step::Publish(_) => "write the published Secret",
        Step::Delete(_) => "delete a superseded credential",
        Step::DeleteSecret { .. } => "delete the Secret of the former name",
        Step::Relabel(_) => "put its labels back on the credential",
        _ => "change something",
    };
    Failure::stalled(
        Reason::WouldCreate,
        format!("driftPolicy Report: the operator would {what}; set driftPolicy to Correct to let it"),
    )
}
