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

/// A resource's claim to a credential: the oldest one owns it.
#[derive(Debug)]
struct Claim {
    created: jiff::Timestamp,
    name: String,
    uid: String,
    id: String,
    /// From when on, and until when.
    time: (Instant, Option<Instant>),
}

impl Claim {
    fn stands_at(&self, at: Instant) -> bool {
        self.time.0 <= at && self.time.1.is_none_or(|end| at < end)
    }
}

/// What was wanted, by name.
#[derive(Debug, Default)]
pub struct History {
    wishes: BTreeMap<String, Wishes>,
    claims: Vec<Claim>,
    secrets: BTreeMap<String, Vec<SecretVersion>>,
}

impl History {
    /// A resource is as given now.
    pub fn note(&mut self, name: &str, object: &ConfidenceClientCredential) {
        let uid = object.metadata.uid.as_ref().unwrap();
        let wishes = self.wishes.entry(name.to_owned()).or_default();
        if wishes.uids.last() != Some(uid) {
            wishes.uids.push(uid.clone());
            let created = object.metadata.creation_timestamp.as_ref().unwrap().0;
            let id = object.spec.name.as_deref().unwrap().rsplit('/').next().unwrap().to_owned();
            let time = (Instant::now(), None);
            self.claims.push(Claim { created, name: name.to_owned(), uid: uid.clone(), id, time });
        }
        wishes.specs.insert((wishes.uids.len() - 1, object.metadata.generation.unwrap()), object.spec.clone());
    }

    /// The resource of a name is gone.
    pub fn note_end(&mut self, name: &str) {
        for claim in self.claims.iter_mut().filter(|it| it.name == name) {
            claim.time.1.get_or_insert_with(Instant::now);
        }
    }

    /// The names of the resources that have owned a credential at some time since then.
    pub fn owners_since(&self, id: &str, since: Option<Instant>) -> BTreeSet<String> {
        let claims: Vec<&Claim> = self.claims.iter().filter(|it| it.id == id).collect();
        let began = claims.iter().map(|it| it.time.0).min();
        let changes = claims.iter().flat_map(|it| [Some(it.time.0), it.time.1]).flatten();
        let moments = changes.filter(|at| since.is_none_or(|since| *at >= since)).chain(since).chain(began);
        let owner = |at| claims.iter().filter(|it| it.stands_at(at)).min_by_key(|it| (it.created, &it.name));
        moments.filter_map(owner).map(|it| it.name.clone()).collect()
    }

    /// The names of the resources, of now and of before, whose claim to a credential is older than that of a resource.
    pub fn older_claims(&self, id: &str, uid: &str) -> impl Iterator<Item = &str> {
        let own = self.claims.iter().find(|it| it.uid == uid).map(|it| (it.created, it.name.as_str()));
        let is_older = move |it: &&Claim| it.id == id && own.is_some_and(|own| (it.created, it.name.as_str()) < own);
        self.claims.iter().filter(is_older).map(|it| it.name.as_str())
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
