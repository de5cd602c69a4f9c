//! What a decision is made from: plain data that the controller gathers. No secret is among it.

use std::time::Duration;

use jiff::Timestamp;

use super::labels::{Attempt, OwnerLabel};
use super::records::{Records, StallReason};
use super::secret::{OwnSecret, SecretState};
use crate::confidence::name::CredentialName;

/// Everything that [`next_step`](super::next_step) may know.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The resource as the watch or the last write shows it.
    pub resource: &'a Resource,
    /// Its Secrets.
    pub secrets: &'a Secrets,
    /// What a LIST showed.
    pub listing: &'a Listing,
    /// What only this process knows.
    pub memory: &'a Memory,
    /// What surrounds the resource.
    pub surroundings: Surroundings,
    /// The `Date` header of the newest answer at hand; none before the first.
    pub server_time: Option<Timestamp>,
    /// How long this process has run, by a clock that never goes back. Only for waits.
    pub clock: Duration,
    /// A fresh random number, for an attempt that may be begun.
    pub nonce: u64,
}

/// The resource: what is asked for, and the records in its annotations and status.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the object by itself")]
pub struct Resource {
    /// The uid.
    pub uid: String,
    /// The generation.
    pub generation: i64,
    /// The label that its credentials carry.
    pub owner: OwnerLabel,
    /// The id of the client under which credentials are created.
    pub client: String,
    /// The name of the Secret that the spec asks for.
    pub secret_name: String,
    /// When to rotate, and how long old and new overlap.
    pub rotation: Rotation,
    /// Whether the credential is to be deleted with the resource.
    pub deletes_credential: bool,
    /// Whether the operator may only report: `driftPolicy: Report`.
    pub reports_only: bool,
    /// Whether it is suspended.
    pub is_suspended: bool,
    /// Whether it has a deletion timestamp.
    pub is_being_deleted: bool,
    /// Whether our finalizer is set.
    pub has_finalizer: bool,
    /// The annotation `attempt`.
    pub attempt: Option<Attempt>,
    /// The annotation `rotate-requested-at`; a value of more than 128 characters counts as absent.
    pub rotate_requested_at: Option<String>,
    /// The annotation `retire`, if it is the name of a credential.
    pub retire: Option<CredentialName>,
    /// The records in the status.
    pub records: Records,
    /// Why no POST may be sent, as the status says for this generation, account and reconcile annotation.
    pub bar: Option<StallReason>,
}

/// The times of a rotation, with their defaults filled in.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// After how long a credential is replaced; none means on request only.
    pub every: Option<Duration>,
    /// How long old and new overlap at least.
    pub at_least: Duration,
    /// How long the old one has to be unused.
    pub until_unused_for: Duration,
    /// After how long the old one is deleted although it is in use; none means never.
    pub at_most: Option<Duration>,
}

/// The Secrets of the resource.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// The one that the spec names.
    pub current: SecretState,
    /// Another one that carries our owner annotation: the one that the status names, else one that this process wrote and
    /// did not delete, else one that a watch shows. Without the second, a name that is changed between the POST and the
    /// status hides the Secret that was just written.
    pub former: Option<OwnSecret>,
    /// Whether both were read from the API server after the newest entry of [`Memory::fetched`].
    pub is_fresh: bool,
}

/// A credential as an answer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its name.
    pub name: CredentialName,
    /// Its owner label.
    pub owner: Option<OwnerLabel>,
    /// Its attempt label.
    pub attempt: Option<Attempt>,
    /// Who created it.
    pub creator: Option<String>,
    /// When it was created.
    pub create_time: Option<Timestamp>,
    /// When it was last used.
    pub last_seen_time: Option<Timestamp>,
    /// Whether its managed fields are as asked, or nothing more can be done about them in this reconcile.
    pub is_in_sync: bool,
}

/// The listing of the client's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// This process has no complete LIST yet.
    None,
    /// The last LIST failed, and nothing older may be relied on.
    Failed,
    /// This account may not list.
    Forbidden,
    /// A complete LIST.
    Complete {
        /// When it began, by [`Facts::clock`].
        began: Duration,
        /// The credentials that carry the owner label of this resource, or the attempt in its annotation, or a name in
        /// its records. More does no harm.
        credentials: Vec<Credential>,
    },
}

/// What only this process knows of the resource. Losing it costs time, never a credential.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// The attempt that the annotation names, since this process wrote or first saw it.
    pub attempt: Option<AttemptMemory>,
    /// The answer to the last POST, until a LIST that began later shows the credential or its deletion is confirmed.
    pub created: Option<Created>,
    /// What the dry run of the Secret said, since the last POST and for this spec.
    pub dry_run: DryRun,
    /// When the last POST or DELETE was sent, by [`Facts::clock`].
    pub last_change: Option<Duration>,
    /// The GETs of this reconcile, newest last, one a name. A write to a credential removes its entry.
    pub fetched: Vec<Fetched>,
}

/// What this process knows of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptMemory {
    /// Which one.
    pub attempt: Attempt,
    /// When this process wrote or first saw it, by [`Facts::clock`].
    pub since: Duration,
    /// The generation of the spec that it was written for; none for one that this process did not write.
    pub generation: Option<i64>,
    /// How it went.
    pub outcome: AttemptOutcome,
    /// How many complete LISTs began since.
    pub lists: u32,
}

/// How an attempt went, as far as this process knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The annotation was stored and this process has not sent the POST.
    NotSent,
    /// Whether a POST created something is unknown: the answer was lost, or another process began the attempt.
    Unknown,
    /// The POST was refused or surely not sent.
    NothingCreated,
    /// The answer to the POST came.
    Answered,
    /// The answer was lost, and then [`is_resolved`](super::is_resolved) found what became of it.
    Found,
}

/// The answer to a POST.
#[derive(Clone, Debug)]
pub struct Created {
    /// The credential.
    pub credential: Credential,
    /// Whether this process holds its secret: until a Secret with it is acknowledged or its deletion is confirmed.
    pub holds_secret: bool,
    /// When the POST was sent, by [`Facts::clock`].
    pub posted: Duration,
}

/// The result of a dry run of the server-side apply of the Secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DryRun {
    /// Not done.
    #[default]
    NotDone,
    /// The API server would take it.
    Accepted,
    /// The API server refuses it.
    Refused,
}

/// The answer to a GET.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Which credential was asked for.
    pub name: CredentialName,
    /// The answer.
    pub answer: Answer,
}

/// What a GET said.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The credential, and whether the answer returned its secret.
    Found(Credential, Disclosure),
    /// A 404 in Confidence's own words. A proxy's page is a failure.
    NotFound,
    /// Nothing that can be relied on.
    Failed,
}

/// Whether an answer carried the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disclosure {
    /// It did.
    Returned,
    /// It did not.
    Withheld,
}

/// What surrounds the resource.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// Whether the CRD is being deleted.
    pub is_crd_deleted: bool,
    /// Whether the namespace is terminating.
    pub is_namespace_terminating: bool,
    /// Whether the account of the resource is gone.
    pub is_account_gone: bool,
    /// How long one request to Confidence may take.
    pub request_timeout: Duration,
}
