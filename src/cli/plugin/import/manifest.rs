//! Manifests of existing credentials. Pure.

use clap::ValueEnum;
use serde_json::{Value, json};

use super::names::resource_names;
use crate::api::OWN_LABEL_PREFIX;
use crate::cli::plugin::CommandError;
use crate::cli::plugin::error::one_line;
use crate::cli::plugin::output::counted;
use crate::confidence::name::CredentialName;
use crate::confidence::wire::{ClientCredential, SdkType};

/// Which fields a manifest manages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FieldChoice {
    /// The display name, which every manifest has.
    #[default]
    #[value(name = "displayName")]
    DisplayName,
    /// All but the secret.
    All,
}

/// How to write manifests.
pub(super) struct Form {
    pub(super) namespace: Option<String>,
    pub(super) fields: FieldChoice,
    pub(super) is_adopted: bool,
}

/// A manifest.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) name: String,
    pub(super) yaml: String,
}

/// The credentials to write manifests of, and what a person should know of the others.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) credentials: Vec<(CredentialName, ClientCredential)>,
    pub(super) remarks: Vec<String>,
}

/// Leaves out what no manifest should adopt: credentials that the operator created belong to the resource that asked for
/// them, and a blank display name is refused by the API server.
pub(super) fn choose(credentials: Vec<ClientCredential>, includes_created: bool) -> Chosen {
    let mut chosen = Chosen::default();
    let mut created = 0;
    for credential in credentials {
        let Some(name) = credential.name.clone() else { continue };
        if credential.display_name.trim().is_empty() {
            chosen.remarks.push(format!("{name} has no display name and is left out; give it one first"));
        } else if !includes_created && credential.labels.keys().any(|key| key.starts_with(OWN_LABEL_PREFIX)) {
            created += 1;
        } else {
            chosen.credentials.push((name, credential));
        }
    }
    if created > 0 {
        chosen.remarks.push(format!("left out, because the operator created them: {}", counted(created, "credential")));
    }
    chosen.credentials.sort_by(|(one, _), (other, _)| one.cmp(other));
    chosen.credentials.dedup_by(|(one, _), (other, _)| one == other);
    chosen
}

/// A manifest for each credential.
pub(super) fn manifests(
    credentials: &[(CredentialName, ClientCredential)],
    form: &Form,
) -> Result<Vec<Manifest>, CommandError> {
    let titles: Vec<_> = credentials.iter().map(|(name, it)| (name.clone(), it.display_name.clone())).collect();
    let names = resource_names(&titles);
    let manifest = |((credential_name, credential), name): (&(CredentialName, ClientCredential), String)| {
        let object = object(&name, credential_name, credential, form);
        let yaml = serde_saphyr::to_string(&object);
        let yaml =
            yaml.map_err(|error| CommandError::new(format!("{credential_name}: {}", one_line(&error.to_string()))))?;
        Ok(Manifest { name, yaml })
    };
    credentials.iter().zip(names).map(manifest).collect()
}

fn object(name: &str, credential_name: &CredentialName, credential: &ClientCredential, form: &Form) -> Value {
    let mut metadata = json!({"name": name});
    if let Some(namespace) = &form.namespace {
        metadata["namespace"] = json!(namespace);
    }
    let mut spec = json!({
        "name": credential_name.to_string(),
        "displayName": credential.display_name,
        "driftPolicy": if form.is_adopted { "Correct" } else { "Report" },
    });
    if form.fields == FieldChoice::All {
        let labels = credential.labels.iter().filter(|(key, _)| !key.starts_with(OWN_LABEL_PREFIX));
        spec["environments"] = json!(credential.environments);
        spec["labels"] = labels.map(|(key, value)| (key.clone(), json!(value))).collect();
        // A type that is newer than this program is not in the CRD either.
        if !matches!(credential.sdk_type, SdkType::Unknown(_)) {
            spec["sdkType"] = json!(credential.sdk_type.as_str());
        }
    }
    json!({
        "apiVersion": "iam.confidence.dev/v1alpha1", "kind": "ConfidenceClientCredential",
        "metadata": metadata, "spec": spec,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::api::ConfidenceClientCredential;
    use crate::plan::{Desired, Observation, Plan, SecretKnowledge, plan};

    fn credential(id: &str, fields: &Value) -> ClientCredential {
        let mut all = json!({"name": format!("clients/c/credentials/{id}"), "clientSecret": {"secret": "s3cr3t"}});
        all.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap());
        ClientCredential::from_json(all.to_string().as_bytes()).unwrap()
    }

    fn written(credentials: Vec<ClientCredential>, form: &Form) -> Vec<Manifest> {
        manifests(&choose(credentials, true).credentials, form).unwrap()
    }

    fn form(fields: FieldChoice, is_adopted: bool) -> Form {
        Form { namespace: None, fields, is_adopted }
    }

    /// The manifest as a person reads it.
    #[test]
    fn manifest_has_name_title_and_policy() {
        let existing = credential("k1", &json!({"displayName": "Checkout: web", "labels": {"team": "shop"}}));
        let written = written(vec![existing], &form(FieldChoice::DisplayName, false));
        assert_eq!(written[0].name, "checkout-web");
        let expected = json!({
            "apiVersion": "iam.confidence.dev/v1alpha1", "kind": "ConfidenceClientCredential",
            "metadata": {"name": "checkout-web"},
            "spec": {"name": "clients/c/credentials/k1", "displayName": "Checkout: web", "driftPolicy": "Report"},
        });
        assert_eq!(serde_saphyr::from_str::<Value>(&written[0].yaml).unwrap(), expected);
    }

    /// Whatever the credential is, its manifest asks for nothing that it does not have already: no write, ever.
    #[test]
    fn manifest_asks_for_no_change() {
        for (fields, is_adopted) in
            [(FieldChoice::DisplayName, true), (FieldChoice::All, true), (FieldChoice::All, false)]
        {
            for existing in [
                json!({"displayName": "yes"}),
                json!({"displayName": " \"odd\": #x ", "labels": {"a": "1", "confidence-operator-owner": "x"}}),
                json!({"displayName": "null", "environments": ["environments/b", "environments/a"], "sdkType": "BACKEND"}),
                json!({"displayName": "1.0", "sdkType": "EDGE"}),
            ] {
                let existing = credential("k1", &existing);
                let written = written(vec![existing.clone()], &form(fields, is_adopted));
                assert!(!written[0].yaml.contains("s3cr3t"));
                let resource: ConfidenceClientCredential = serde_saphyr::from_str(&written[0].yaml).unwrap();
                let desired = Desired::from_spec(&resource.spec).unwrap();
                let known = SecretKnowledge::default();
                let plan = plan(&desired, &Observation::read(existing), &known, resource.spec.drift_policy);
                assert!(matches!(plan, Plan::InSync), "{plan:?}");
            }
        }
    }

    /// What the operator created has a resource already; what has no name cannot have one.
    #[test]
    fn created_and_blank_credentials_are_left_out() {
        let created = credential("k1", &json!({"displayName": "x", "labels": {"confidence-operator-owner": "y"}}));
        let blank = credential("k2", &json!({"displayName": " "}));
        let chosen = choose(vec![created.clone(), blank], false);
        assert_eq!((chosen.credentials.len(), chosen.remarks.len()), (0, 2), "{:?}", chosen.remarks);
        assert_eq!(choose(vec![created], true).credentials.len(), 1);
    }
}
