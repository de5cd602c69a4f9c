//! What everybody wanted and saw so far: what the judge judges by.

use std::collections::{BTreeMap, BTreeSet};

use confidence_operator::api::spec::{DriftPolicy, SdkType};
use confidence_operator::api::{ConfidenceClientCredential, ConfidenceClientCredentialSpec};
use confidence_simulator::Credential;
use tokio::time::Instant;

/// The fields that can be managed, as paths of the update mask.
pub const FIELDS: [&str; 5] = ["display_name", "environments", "labels", "sdk_type", "client_secret"];

/// A field's value in a form that can be compared; none: the spec does not mention it.
pub fn wanted(spec: &ConfidenceClientCredentialSpec, field: &str) -> Option<String> {
    match field {
        "display_name" => Some(spec.display_name.clone()),
        "environments" => spec.environment_set().map(|it| format!("{it:?}")),
        "labels" => spec.labels.as_ref().map(|it| format!("{it:?}")),
        "sdk_type" => spec.sdk_type.map(|it| {
            match it {
                SdkType::Backend => "BACKEND",
                SdkType::Frontend => "FRONTEND",
                SdkType::Unspecified | SdkType::Unknown => "",
            }
            .to_owned()
        }),
        _ => None,
    }
}

/// The same of a credential at Confidence.
pub fn found(credential: &Credential, field: &str) -> Option<String> {
    match field {
        "display_name" => Some(credential.display_name.clone()),
        "environments" => {
            let set: std::collections::BTreeSet<_> = credential.environments.iter().collect();
            Some(format!("{set:?}"))
        }
        "labels" => Some(format!("{:?}", credential.labels)),
        "sdk_type" => Some(credential.sdk_type.clone()),
        _ => None,
    }
}

/// The fields, but for the secret, in which a credential is not as the spec says.
pub fn differing(spec: &ConfidenceClientCredentialSpec, credential: &Credential) -> Vec<&'static str> {
    let differs = |field: &&str| wanted(spec, field).is_some_and(|it| Some(it) != found(credential, field));
    FIELDS.into_iter().filter(differs).collect()
}

/// Whether a spec may be written to Confidence.
pub fn may_be_written(spec: &ConfidenceClientCredentialSpec) -> bool {
    !spec.suspend && spec.drift_policy == DriftPolicy::Correct
}

/// The name of a spec: how many resources of the name there were before, and its generation.
pub type Edition = (usize, i64);

/// What was wanted of the resources that had one name, one after the other.
#[derive(Debug, Default)]
pub struct Wishes {
    /// Their uids.
    uids: Vec<String>,
    /// Their specs, in the order in which they were wanted.
    pub specs: BTreeMap<Edition, ConfidenceClientCredentialSpec>,
    /// What was last written is of this edition, or of a newer one that says the same.
    pub written: Edition,
}

impl Wishes {
    /// The uid of the resource of an edition.
    pub fn uid(&self, edition: Edition) -> &str {
        &self.uids[edition.0]
    }

    /// The spec of a resource's generation.
    pub fn spec(
        &self,
        object: &ConfidenceClientCredential,
        generation: i64,
    ) -> Option<&ConfidenceClientCredentialSpec> {
        let uid = object.metadata.uid.as_ref().unwrap();
        let number = self.uids.iter().position(|it| it == uid)?;
        self.specs.get(&(number, generation))
    }
}

/// A version of a Secret.
#[derive(Clone, Debug)]
pub struct SecretVersion {
    pub version: String,
    pub value: String,
}

/// The claims to one credential, and which of the claimants may own it.
///
/// The first one owns it for as long as it claims it. Which of the others follows depends on what the processes saw, and
/// whether one ran at the time: all that claim it then may.
#[derive(Debug, Default)]
struct Contest {
    claimants: BTreeSet<String>,
    may_own: BTreeSet<String>,
    /// Who may have owned it, from when on.
    changes: Vec<(Instant, BTreeSet<String>)>,
}

impl Contest {
    fn begin(&mut self, name: &str) {
        self.claimants.insert(name.to_owned());
        // A process that saw neither the end nor the beginning of a resource takes two of one name for one.
        let is_ambiguous = self.may_own.len() != 1 || self.changes.last().is_some_and(|(_, last)| last.contains(name));
        if is_ambiguous {
            self.may_own.insert(name.to_owned());
        }
        self.changes.push((Instant::now(), self.may_own.clone()));
    }

    fn end(&mut self, name: &str) {
        self.claimants.remove(name);
        self.may_own.remove(name);
        if self.may_own.is_empty() {
            self.may_own.clone_from(&self.claimants);
        }
        // Who follows is not decided at once: until then nobody knows better than that the old one owned it.
        let mut may_own = self.may_own.clone();
        may_own.insert(name.to_owned());
        self.changes.push((Instant::now(), may_own));
    }

    /// A claimant was refused the credential: if it owned it, it gave way to another.
    fn refuse(&mut self, name: &str) {
        if self.claimants.contains(name) && self.claimants.len() > 1 {
            self.may_own.clone_from(&self.claimants);
            self.changes.push((Instant::now(), self.may_own.clone()));
        }
    }

    /// Who may have owned it at some time since then.
    fn owners_since(&self, since: Option<Instant>) -> BTreeSet<String> {
        let first = since.map_or(0, |since| self.changes.partition_point(|(at, _)| *at < since).saturating_sub(1));
        self.changes[first..].iter().flat_map(|(_, may_own)| may_own.clone()).collect()
    }
}

/// What was wanted, by name.
#[derive(Debug, Default)]
pub struct History {
    wishes: BTreeMap<String, Wishes>,
    /// By the id of the credential.
    contests: BTreeMap<String, Contest>,
    secrets: BTreeMap<String, Vec<SecretVersion>>,
}

impl History {
    /// A resource is as given now.
    pub fn note(&mut self, name: &str, object: &ConfidenceClientCredential) {
        let uid = object.metadata.uid.as_ref().unwrap();
        let wishes = self.wishes.entry(name.to_owned()).or_default();
        if wishes.uids.last() != Some(uid) {
            wishes.uids.push(uid.clone());
            let id = object.spec.name.as_deref().unwrap().rsplit('/').next().unwrap();
            self.contests.entry(id.to_owned()).or_default().begin(name);
        }
        wishes.specs.insert((wishes.uids.len() - 1, object.metadata.generation.unwrap()), object.spec.clone());
    }

    /// The resource of a name is gone.
    pub fn note_end(&mut self, name: &str) {
        for contest in self.contests.values_mut().filter(|it| it.claimants.contains(name)) {
            contest.end(name);
        }
    }

    /// Confidence refuses the resource of a name its credential, which it never had.
    pub fn note_refusal(&mut self, name: &str) {
        self.contests.values_mut().for_each(|it| it.refuse(name));
    }

    /// The names of the resources that may have owned a credential at some time since then.
    pub fn owners_since(&self, id: &str, since: Option<Instant>) -> BTreeSet<String> {
        self.contests.get(id).map(|it| it.owners_since(since)).unwrap_or_default()
    }

    /// The names of the resources that may own a credential now.
    pub fn owners(&self, id: &str) -> BTreeSet<String> {
        self.contests.get(id).map(|it| it.may_own.clone()).unwrap_or_default()
    }

    /// A Secret holds this now.
    pub fn note_secret(&mut self, name: &str, secret: SecretVersion) {
        self.secrets.entry(name.to_owned()).or_default().push(secret);
    }

    /// What a Secret held so far.
    pub fn secrets(&self, name: &str) -> &[SecretVersion] {
        self.secrets.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a spec of this edition or of a later one does not ask for the secret.
    pub fn left_out_secret(&self, name: &str, edition: Edition) -> bool {
        let specs = self.wishes.get(name).map(|it| it.specs.range(edition..));
        specs.is_some_and(|mut specs| specs.any(|(_, spec)| spec.client_secret.is_none()))
    }

    /// What was wanted of the resources of a name.
    pub fn wishes(&mut self, name: &str) -> Option<&mut Wishes> {
        self.wishes.get_mut(name)
    }
}
