//! The published Secret: whose it is, which credential it names, and whether its value is as the operator wrote it.

use jiff::Timestamp;

use super::labels::Attempt;
use super::records::PublishedRecord;
use crate::confidence::name::CredentialName;

/// A version of a Secret, as the precondition of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretVersion {
    /// The uid.
    pub uid: String,
    /// The resourceVersion.
    pub resource_version: String,
}

/// What the API server shows of the Secret that the spec names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretState {
    /// There is none.
    Absent,
    /// There is one that the operator must not write.
    Foreign(ForeignSecret),
    /// Its annotations say that this resource and this instance published it.
    Own(OwnSecret),
}

/// Whose a Secret is that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignSecret {
    /// It carries no owner of ours, or another resource's.
    Stranger,
    /// An instance of the operator with another id wrote it: objects were copied from another cluster.
    OtherInstance,
    /// The owner has this namespace and name but another uid: this resource was deleted and created again.
    OlderResource,
}

/// A Secret that this resource published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnSecret {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: SecretVersion,
    /// The credential that its annotation names, if that is a name.
    pub credential: Option<CredentialName>,
    /// The attempt that its annotation names.
    pub attempt: Option<Attempt>,
    /// The server time of the switch to that credential.
    pub published_at: Option<Timestamp>,
    /// Whether its value may be relied on.
    pub value: Value,
    /// Whether keys, labels and annotations are as the spec asks, and the keys belong to our field manager.
    ///
    /// The second brings a Secret that was restored from a copy back into our hands: it is applied with its own value, so
    /// that a later change of the value can be told. Keys of others are never looked at.
    pub in_shape: bool,
}

/// Whether the value in a Secret is the one that the operator wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// It is, as far as anybody can tell.
    AsWritten,
    /// The key is missing, its value is empty, or somebody changed it.
    Changed,
}

/// What can be said about a value. Each `None` means that there is nothing to compare with.
#[derive(Clone, Copy, Debug, Default)]
pub struct ValueEvidence {
    /// Whether the key is there with a value that is not empty.
    pub is_present: bool,
    /// Whether it equals the secret that the server returned for the credential that the Secret names.
    pub equals_returned: Option<bool>,
    /// Whether its keyed digest equals that of the value that this process published for that credential.
    pub equals_published: Option<bool>,
    /// What [`is_restored`] says.
    pub is_restored: bool,
    /// Whether `managedFields` name the operator's field manager as an owner of the key.
    pub is_key_ours: Option<bool>,
}

/// Whether a Secret was restored from a copy: the status records another object of that name with the same or a later
/// switch. A status that merely lags behind records another name or an earlier switch.
pub fn is_restored(
    recorded: Option<&PublishedRecord>,
    name: &str,
    version: &SecretVersion,
    published_at: Option<Timestamp>,
) -> bool {
    recorded.is_some_and(|recorded| {
        recorded.name == name && recorded.uid != version.uid && published_at <= Some(recorded.published_at)
    })
}

impl ValueEvidence {
    /// Judges a value by the best evidence there is.
    ///
    /// After a restart, with a server that withholds secrets, only the API server remembers. It takes the key from our
    /// field manager when another one changes the value, so a Secret with a key that is no longer
    /// ours was edited. A Secret that was restored from a copy has no such history, which proves nothing about its value.
    /// Without evidence the value stands: ignorance must never rotate a credential.
    pub fn judge(self) -> Value {
        let edited_by_others = !self.is_restored && self.is_key_ours == Some(false);
        let stands = self.equals_returned.or(self.equals_published).unwrap_or(!edited_by_others);
        if self.is_present && stands { Value::AsWritten } else { Value::Changed }
    }
}
