//! The published Secret at the API server: read, judged, applied, deleted. Whether it is written is decided in
//! [`crate::plan::lifecycle`].

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use secrecy::{ExposeSecret, SecretString};

use crate::api::ConfidenceClientCredential;
use crate::api::secret_annotations::{ATTEMPT, CREDENTIAL, INSTANCE, OWNER, PUBLISHED_AT};
use crate::api::spec::PublishedSecret;
use crate::confidence::name::CredentialName;
use crate::engine::{FIELD_MANAGER, Key};
use crate::plan::InvalidSpec;
use crate::plan::lifecycle::{
    ForeignSecret, OwnSecret, Publication, PublishedRecord, SecretState, SecretVersion, Value, ValueEvidence,
    is_restored,
};

/// Publishes the secret of one resource: reads, judges and applies its Secret.
pub(super) struct SecretPublisher<'a> {
    spec: &'a PublishedSecret,
    namespace: &'a str,
    owner: String,
    instance: &'a str,
}

/// What is known of values, to judge one by.
pub(super) trait KnownValues {
    /// Whether a value is the secret that the server returned for a credential; none where it returned none.
    fn equals_returned(&self, credential: &CredentialName, value: &str) -> Option<bool>;
    /// Whether a value is the one that this process published for a credential; none where it published none.
    fn equals_published(&self, credential: &CredentialName, value: &str) -> Option<bool>;
}

impl<'a> SecretPublisher<'a> {
    /// The publisher of a resource.
    ///
    /// # Errors
    /// When the spec asks for no Secret.
    pub(super) fn new(object: &'a ConfidenceClientCredential, instance: &'a str) -> Result<Self, InvalidSpec> {
        let spec = object.spec.published_secret.as_ref();
        let spec = spec.ok_or_else(|| InvalidSpec::new("spec.publishedSecret", "is missing"))?;
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        let uid = object.metadata.uid.as_deref().unwrap_or_default();
        let owner = format!("{namespace}/{}/{uid}", object.name_any());
        Ok(Self { spec, namespace, owner, instance })
    }

    fn secret_key(&self) -> &str {
        self.spec.keys.client_secret_key()
    }

    /// Reads a Secret by its name.
    pub(super) async fn read(
        &self,
        client: &Client,
        name: &str,
        recorded: Option<&PublishedRecord>,
        known: &impl KnownValues,
    ) -> kube::Result<(SecretState, Option<SecretString>)> {
        let api: Api<Secret> = Api::namespaced(client.clone(), self.namespace);
        let Some(secret) = api.get_opt(name).await? else { return Ok((SecretState::Absent, None)) };
        Ok(self.judge(&secret, recorded, known))
    }

    /// Whose a Secret is, and what it says.
    fn judge(
        &self,
        secret: &Secret,
        recorded: Option<&PublishedRecord>,
        known: &impl KnownValues,
    ) -> (SecretState, Option<SecretString>) {
        let annotation = |name: &str| secret.annotations().get(name).map(String::as_str);
        if let Some(foreign) = self.foreign(annotation(OWNER), annotation(INSTANCE)) {
            return (SecretState::Foreign(foreign), None);
        }
        let credential: Option<CredentialName> = annotation(CREDENTIAL).and_then(|name| name.parse().ok());
        let own_keys = own_keys(secret);
        let key = self.value_key(secret, own_keys.as_ref());
        let value = text_of(secret, key);
        let compare = |compare: &dyn Fn(&CredentialName, &str) -> Option<bool>| {
            compare(credential.as_ref()?, value.as_ref()?.expose_secret())
        };
        let version = SecretVersion {
            uid: secret.uid().unwrap_or_default(),
            resource_version: secret.resource_version().unwrap_or_default(),
        };
        let published_at = annotation(PUBLISHED_AT).and_then(|it| it.parse().ok());
        let evidence = ValueEvidence {
            is_present: value.is_some(),
            equals_returned: compare(&|name, value| known.equals_returned(name, value)),
            equals_published: compare(&|name, value| known.equals_published(name, value)),
            is_restored: is_restored(recorded, &secret.name_any(), &version, published_at),
            is_key_ours: own_keys.as_ref().map(|keys| keys.contains(key)),
        };
        let own = OwnSecret {
            name: secret.name_any(),
            version,
            attempt: annotation(ATTEMPT).and_then(|it| it.parse().ok()),
            published_at,
            value: evidence.judge(),
            in_shape: self.is_in_shape(secret, credential.as_ref()),
            credential,
        };
        // A value that nobody vouches for is never written again.
        let usable = value.filter(|_| own.value == Value::AsWritten);
        (SecretState::Own(own), usable)
    }

    fn foreign(&self, owner: Option<&str>, instance: Option<&str>) -> Option<ForeignSecret> {
        let Some(owner) = owner else { return Some(ForeignSecret::Stranger) };
        if instance != Some(self.instance) {
            return Some(ForeignSecret::OtherInstance);
        }
        if owner == self.owner {
            return None;
        }
        let without_uid = |text: &str| text.rsplit_once('/').map(|(name, _)| name.to_owned());
        let is_namesake = without_uid(owner) == without_uid(&self.owner);
        Some(if is_namesake { ForeignSecret::OlderResource } else { ForeignSecret::Stranger })
    }

    /// The key that holds the value: the one that the spec names, else the one that it named before. That one is ours, and
    /// holds neither of the names.
    fn value_key<'s>(&'s self, secret: &Secret, own_keys: Option<&'s BTreeSet<String>>) -> &'s str {
        let asked = self.secret_key();
        let is_name =
            |key: &&String| text_of(secret, key).is_none_or(|text| text.expose_secret().starts_with("clients/"));
        let mut former = own_keys.into_iter().flatten().filter(|key| !is_name(key));
        match (text_of(secret, asked), former.next(), former.next()) {
            (None, Some(only), None) => only,
            _ => asked,
        }
    }

    /// Whether labels, annotations and the keys beside the secret are as asked, and no key of ours is left over.
    fn is_in_shape(&self, secret: &Secret, credential: Option<&CredentialName>) -> bool {
        let Some(credential) = credential else { return false };
        let spec = self.spec;
        let has_all = |has: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>| {
            wanted.iter().all(|(key, value)| has.get(key) == Some(value))
        };
        let data = secret.data.clone().unwrap_or_default();
        let names = self.names(credential);
        let has_names = names.iter().all(|(key, name)| data.get(key).is_some_and(|it| it.0 == name.as_bytes()));
        let wanted: BTreeSet<String> = names.into_keys().chain([self.secret_key().to_owned()]).collect();
        let has_no_more = own_keys(secret).is_none_or(|keys| keys.is_subset(&wanted));
        has_all(secret.labels(), &spec.labels)
            && has_all(secret.annotations(), &spec.annotations)
            && has_names
            && has_no_more
            && text_of(secret, self.secret_key()).is_some()
    }

    /// The keys that hold names, if asked for.
    fn names(&self, credential: &CredentialName) -> BTreeMap<String, String> {
        let client = self.spec.keys.client.clone().map(|key| (key, format!("clients/{}", credential.client())));
        let name = self.spec.keys.credential.clone().map(|key| (key, credential.to_string()));
        client.into_iter().chain(name).collect()
    }

    /// Writes the Secret, over the one that the publication names.
    pub(super) async fn apply(
        &self,
        client: &Client,
        publication: &Publication,
        value: &SecretString,
        is_dry_run: bool,
    ) -> kube::Result<Secret> {
        let spec = self.spec;
        let mut annotations = spec.annotations.clone();
        annotations.insert(OWNER.to_owned(), self.owner.clone());
        annotations.insert(INSTANCE.to_owned(), self.instance.to_owned());
        annotations.insert(CREDENTIAL.to_owned(), publication.credential.to_string());
        annotations.insert(PUBLISHED_AT.to_owned(), publication.published_at.to_string());
        annotations.extend(publication.attempt.map(|it| (ATTEMPT.to_owned(), it.to_string())));
        let mut data: BTreeMap<String, ByteString> = self
            .names(&publication.credential)
            .into_iter()
            .map(|(key, name)| (key, ByteString(name.into_bytes())))
            .collect();
        data.insert(self.secret_key().to_owned(), ByteString(value.expose_secret().as_bytes().to_vec()));
        let over = publication.over.as_ref();
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(spec.name.clone()),
                namespace: Some(self.namespace.to_owned()),
                // Preconditions: whoever wrote meanwhile wins.
                uid: over.map(|it| it.uid.clone()),
                resource_version: over.map(|it| it.resource_version.clone()),
                labels: (!spec.labels.is_empty()).then(|| spec.labels.clone()),
                annotations: Some(annotations),
                ..ObjectMeta::default()
            },
            data: Some(data),
            ..Secret::default()
        };
        let api: Api<Secret> = Api::namespaced(client.clone(), self.namespace);
        let mut parameters = PatchParams::apply(FIELD_MANAGER);
        // Keys of ours that somebody edited are taken back; a Secret that appeared meanwhile is not taken over.
        parameters.force = over.is_some();
        parameters.dry_run = is_dry_run;
        api.patch(&spec.name, &parameters, &Patch::Apply(&secret)).await
    }
}

/// Deletes a Secret of ours, if it is still that version. One that is gone is deleted.
pub(super) async fn delete(client: &Client, user: &Key, name: &str, version: &SecretVersion) -> kube::Result<()> {
    let api: Api<Secret> = Api::namespaced(client.clone(), &user.namespace);
    let preconditions =
        Preconditions { uid: Some(version.uid.clone()), resource_version: Some(version.resource_version.clone()) };
    match api.delete(name, &DeleteParams::default().preconditions(preconditions)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
}

fn text_of(secret: &Secret, key: &str) -> Option<SecretString> {
    let bytes = secret.data.as_ref()?.get(key)?;
    let text = str::from_utf8(&bytes.0).ok().filter(|text| !text.is_empty())?;
    Some(text.into())
}

/// The keys of the data that our field manager owns by server-side apply; none where the API server does not say.
fn own_keys(secret: &Secret) -> Option<BTreeSet<String>> {
    let managed = secret.metadata.managed_fields.as_ref()?;
    let ours = managed
        .iter()
        .find(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER) && entry.operation.as_deref() == Some("Apply"));
    let data = ours.and_then(|entry| entry.fields_v1.as_ref()).and_then(|fields| fields.0.get("f:data").cloned());
    let keys = data.as_ref().and_then(serde_json::Value::as_object);
    Some(
        keys.into_iter()
            .flat_map(|keys| keys.keys())
            .filter_map(|key| key.strip_prefix("f:"))
            .map(str::to_owned)
            .collect(),
    )
}
