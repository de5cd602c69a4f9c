//! What the controller does next, and what it tells of it.

use std::time::Duration;

use jiff::Timestamp;

use super::evidence::Evidence;
use super::labels::Attempt;
use super::records::{Records, StallReason};
use super::secret::SecretVersion;
use crate::confidence::name::CredentialName;

/// One step. After carrying it out, the controller records what came of it and asks again.
///
/// A step that comes back within one reconcile without a change of the facts is repeated no sooner than after a backoff.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Set our finalizer.
    AddFinalizer,
    /// Take our finalizer away, which ends a deletion. With a reason, something may stay at Confidence: tell it.
    RemoveFinalizer(Option<ReleaseReason>),
    /// Make a complete LIST.
    List,
    /// GET the credential, then read the Secrets from the API server.
    Get {
        /// Which credential.
        name: CredentialName,
        /// What for.
        purpose: GetPurpose,
    },
    /// Store these records in the status, over the version of the resource that the facts are from.
    Record {
        /// The records.
        records: Records,
        /// The condition to store with them, because no POST may follow until the user changes something.
        stall: Option<StallReason>,
    },
    /// Dry-run the apply of the Secret.
    DryRunSecret,
    /// Store the attempt in the annotation with one metadata patch over the version that the facts are from.
    WriteAttempt {
        /// The attempt.
        attempt: Attempt,
        /// Whether the same patch sets the finalizer.
        with_finalizer: bool,
    },
    /// POST, with this attempt in the labels.
    Create {
        /// The attempt that the annotation names.
        attempt: Attempt,
        /// Why.
        reason: CreateReason,
        /// The credential whose unmanaged fields the new one takes.
        replaces: Option<CredentialName>,
    },
    /// Apply the Secret that the spec names.
    Publish(Publication),
    /// PATCH the managed fields that differ.
    Correct(CredentialName),
    /// PATCH the labels, with ours put back among the others.
    Relabel(CredentialName),
    /// DELETE the credential that the evidence names.
    Delete(Evidence),
    /// Delete a Secret of ours.
    DeleteSecret {
        /// Its name.
        name: String,
        /// The precondition.
        version: SecretVersion,
    },
    /// Ask again at this time; nothing is wrong with the resource itself.
    Wait {
        /// Until when; none means that the controller's backoff decides.
        until: Option<Until>,
        /// For what.
        reason: WaitReason,
    },
    /// Nothing can be done until a user acts. Ask again at the interval.
    Stall(StallReason),
    /// The resource is as asked.
    Rest {
        /// What to tell of a rotation.
        rotation: RotationState,
        /// When a rotation is due.
        next_rotation: Option<Timestamp>,
        /// When to ask again, by the server's time, beside the interval.
        look_again: Option<Timestamp>,
    },
    /// The resource is suspended.
    Suspended,
    /// The policy `Report` forbids this step: tell what would be done.
    Report(Box<Step>),
}

/// A write of the Secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// The credential that the Secret will name.
    pub credential: CredentialName,
    /// Its attempt.
    pub attempt: Option<Attempt>,
    /// The time of the switch to it.
    pub published_at: Timestamp,
    /// Where the value comes from.
    pub source: ValueSource,
    /// The Secret that is written over; none means that there must be none.
    pub over: Option<SecretVersion>,
}

/// Where a published value comes from. There is no source without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// The answer to our POST, in memory.
    Held,
    /// The newest GET.
    Returned,
    /// The Secret that names the credential now.
    Published,
}

/// What a GET is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GetPurpose {
    /// A record names the credential and the LIST does not show it.
    Missing,
    /// Its secret is needed.
    ReadSecret,
    /// The answer to a POST lacked our labels or the secret.
    VerifyCreated,
    /// It is to be deleted, or to be gone.
    Delete,
}

/// Why a credential is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateReason {
    /// There was none.
    First,
    /// The published value is lost and the server withholds it.
    SecretLost,
    /// Somebody deleted the credential.
    CredentialGone,
    /// A rotation is due or was requested.
    Rotated,
}

impl CreateReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::First, Self::SecretLost, Self::CredentialGone, Self::Rotated];

    /// The label of metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::SecretLost => "secret_lost",
            Self::CredentialGone => "credential_gone",
            Self::Rotated => "rotated",
        }
    }
}

/// The end of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// By the clock of this process.
    Clock(Duration),
    /// By the server's time.
    Server(Timestamp),
}

/// What a wait is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// The LIST failed.
    ListFailed,
    /// A GET failed.
    GetFailed,
    /// The outcome of a POST is unknown.
    AttemptOutstanding,
    /// A credential is not replaced in its first minute.
    TooYoungToReplace,
}

/// Why a resource is let go although a credential may stay at Confidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseReason {
    /// The policy is `Orphan`, or nothing may be written.
    Kept,
    /// The CRD is being deleted.
    CrdDeleted,
    /// The Secret or the credential belongs to another instance.
    OwnedElsewhere,
    /// The account is gone, and the namespace is terminating.
    AccountGone,
}

/// How far a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationState {
    /// Nothing is superseded.
    None,
    /// Old and new overlap as asked.
    Rotated,
    /// The old one is in use.
    OldStillInUse {
        /// Its last use.
        last_seen: Timestamp,
    },
    /// The old one is silent, and the new one was never seen.
    NewNotSeen,
}

impl Step {
    /// Whether a step is about another credential than the current one, and its failure leaves that one as it is.
    pub fn is_about_others(&self) -> bool {
        match self {
            Self::Get { purpose, .. } => matches!(purpose, GetPurpose::VerifyCreated | GetPurpose::Delete),
            Self::DryRunSecret
            | Self::WriteAttempt { .. }
            | Self::Create { .. }
            | Self::Delete(_)
            | Self::Wait { .. }
            | Self::Stall(_) => true,
            _ => false,
        }
    }

    /// Replaces a step that writes to Confidence or a Secret where the policy is `Report`.
    pub(super) fn unless_forbidden(self, reports_only: bool) -> Self {
        if reports_only && self.is_write() { Self::Report(Box::new(self)) } else { self }
    }

    /// Whether the step writes to Confidence or a Secret, or prepares that.
    fn is_write(&self) -> bool {
        match self {
            Self::DryRunSecret
            | Self::WriteAttempt { .. }
            | Self::Create { .. }
            | Self::Publish(_)
            | Self::Correct(_)
            | Self::Relabel(_)
            | Self::Delete(_)
            | Self::DeleteSecret { .. } => true,
            Self::AddFinalizer
            | Self::RemoveFinalizer(_)
            | Self::List
            | Self::Get { .. }
            | Self::Record { .. }
            | Self::Wait { .. }
            | Self::Stall(_)
            | Self::Rest { .. }
            | Self::Suspended
            | Self::Report(_) => false,
        }
    }

    pub(super) fn get(name: &CredentialName, purpose: GetPurpose) -> Self {
        Self::Get { name: name.clone(), purpose }
    }

    pub(super) fn wait(reason: WaitReason) -> Self {
        Self::Wait { until: None, reason }
    }
}
