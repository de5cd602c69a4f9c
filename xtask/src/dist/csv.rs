//! The `ClusterServiceVersion` of the OLM bundle: the Deployment and the rules of the rendered chart, and words for people.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::bundle::of_kind;
use super::schemas::{parse, text};
use super::{HOME, VERSION, files, repository};

const SUMMARY: &str = "Keeps Confidence client credentials as Kubernetes manifests say";

const DESCRIPTION: &str = "\
A Kubernetes operator that manages client credentials of the Confidence feature-flag service from manifests.
It creates a credential, publishes its secret, rotates it and deletes it, or keeps an existing one in line.

Installed from here, the operator has no account of its own.
Create a ConfidenceAccount, or a ClusterConfidenceAccount whose Secret is in the operator's namespace, and name it in `accountRef`.

The operator is not by Spotify, who make Confidence, and not supported by them.
";

/// Makes it.
pub(super) fn csv(rendered: &[Value], image: &str) -> Result<Value, String> {
    Ok(json!({
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "ClusterServiceVersion",
        "metadata": {"name": format!("confidence-operator.v{VERSION}"), "annotations": annotations(image)?},
        "spec": {
            "displayName": "Confidence operator",
            "description": DESCRIPTION,
            "version": VERSION,
            "minKubeVersion": "1.31.0",
            "maturity": "alpha",
            "keywords": ["confidence", "feature flags", "credentials"],
            "provider": {"name": "confidence-operator", "url": HOME},
            "links": [{"name": "Documentation", "url": format!("{HOME}/tree/main/docs")}],
            "icon": [icon()?],
            // The operator looks at all namespaces; grants of the accounts say which may do what.
            "installModes": [
                {"type": "OwnNamespace", "supported": false},
                {"type": "SingleNamespace", "supported": false},
                {"type": "MultiNamespace", "supported": false},
                {"type": "AllNamespaces", "supported": true},
            ],
            "customresourcedefinitions": {"owned": owned()?},
            "relatedImages": [{"name": "confidence-operator", "image": image}],
            "install": {"strategy": "deployment", "spec": install(rendered, image)?},
        },
    }))
}

fn annotations(image: &str) -> Result<Value, String> {
    let examples = serde_json::to_string_pretty(&examples()?).map_err(|error| error.to_string())?;
    Ok(json!({
        "alm-examples": examples,
        "capabilities": "Deep Insights",
        "categories": "Security",
        "containerImage": image,
        "description": SUMMARY,
        "repository": HOME,
    }))
}

/// An example of each kind.
fn examples() -> Result<Vec<Value>, String> {
    let accounts = files::read(&repository("examples/account.yaml"))?;
    serde_saphyr::from_multiple(&accounts).map_err(|error| error.to_string())
}

fn icon() -> Result<Value, String> {
    let icon = files::read(&repository("docs/images/icon.svg"))?;
    Ok(json!({"base64data": BASE64_STANDARD.encode(icon), "mediatype": "image/svg+xml"}))
}

fn owned() -> Result<Vec<Value>, String> {
    let mut owned = Vec::new();
    for path in files::entries(&repository("crds"))? {
        let crd = parse(&path)?;
        let kind = text(&crd, "/spec/names/kind");
        for version in crd["spec"]["versions"].as_array().into_iter().flatten() {
            owned.push(json!({
                "name": crd["metadata"]["name"],
                "kind": kind,
                "version": version["name"],
                "displayName": spaced(kind),
                "description": version["schema"]["openAPIV3Schema"]["description"],
            }));
        }
    }
    Ok(owned)
}

/// A kind as words: `ConfidenceAccount` is *Confidence account*.
fn spaced(kind: &str) -> String {
    kind.chars().enumerate().fold(String::new(), |mut words, (at, letter)| {
        if at > 0 && letter.is_uppercase() {
            words.push(' ');
            words.push(letter.to_ascii_lowercase());
        } else {
            words.push(letter);
        }
        words
    })
}

/// What is installed. Rights in the operator's own namespace stay apart from those in the cluster.
fn install(rendered: &[Value], image: &str) -> Result<Value, String> {
    let deployment = of_kind(rendered, "Deployment")?;
    let mut spec = deployment["spec"].clone();
    let container = spec.pointer_mut("/template/spec/containers/0").ok_or("the Deployment has no container")?;
    container["image"] = json!(image);
    let account = spec.pointer("/template/spec/serviceAccountName").cloned().unwrap_or_default();
    let permissions = |kind: &str| -> Result<Value, String> {
        Ok(json!([{"serviceAccountName": account, "rules": of_kind(rendered, kind)?["rules"]}]))
    };
    Ok(json!({
        "clusterPermissions": permissions("ClusterRole")?,
        "permissions": permissions("Role")?,
        "deployments": [{
            "name": deployment["metadata"]["name"],
            "label": deployment["metadata"]["labels"],
            "spec": spec,
        }],
    }))
}
