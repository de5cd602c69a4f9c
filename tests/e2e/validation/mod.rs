//! A manifest that cannot work fails at `kubectl apply`, with a message for a person.
//!
//! Each table has the changes to a manifest that is good, and what the API server says to the result.

mod account;
mod credential;
mod upgrade;

use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use testbed::ControlPlane;

use crate::world::{PATIENCE, install_crd, run};

/// What the API server does with a manifest.
enum Answer {
    Accepted,
    /// Refused, with these words.
    Refused(&'static str),
}

use Answer::{Accepted, Refused};

/// A change to a manifest's spec, as a JSON merge patch, and the answer to the result.
struct Case(Value, Answer);

/// Objects of one kind on the API server that all tests share.
struct Objects {
    api: Api<DynamicObject>,
    resource: ApiResource,
}

impl Objects {
    /// The kind, once it is served. The objects of the cluster are told apart by their names.
    async fn of(kind: &str, plural: &str, is_namespaced: bool) -> Self {
        static CRDS: std::sync::Once = std::sync::Once::new();
        let plane = ControlPlane::shared();
        CRDS.call_once(|| install_crd(plane));
        let patience = format!("--timeout={}s", PATIENCE.as_secs());
        let crd = format!("crd/{plural}.iam.confidence.dev");
        run(plane, &["wait", "--for=condition=Established", &patience, &crd]);
        Self::served_by(plane.client().await.unwrap(), "iam.confidence.dev", kind, plural, is_namespaced)
    }

    fn served_by(client: Client, group: &str, kind: &str, plural: &str, is_namespaced: bool) -> Self {
        let resource = ApiResource {
            group: group.to_owned(),
            version: "v1alpha1".to_owned(),
            api_version: format!("{group}/v1alpha1"),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        };
        let api = if is_namespaced {
            Api::namespaced_with(client, "default", &resource)
        } else {
            Api::all_with(client, &resource)
        };
        Self { api, resource }
    }

    async fn apply(&self, name: &str, spec: &Value, is_dry_run: bool) -> kube::Result<DynamicObject> {
        let object = json!({
            "apiVersion": self.resource.api_version, "kind": self.resource.kind,
            "metadata": {"name": name}, "spec": spec,
        });
        let params = PatchParams { dry_run: is_dry_run, ..PatchParams::apply("a-person").force() };
        self.api.patch(name, &params, &Patch::Apply(object)).await
    }

    /// Holds each case against an object that does not exist yet; leaves nothing behind.
    async fn judge_creations(&self, base: &Value, cases: Vec<Case>) {
        self.judge("validated-creation", base, cases).await;
    }

    /// Holds each case against an object that exists as the base has it.
    async fn judge_updates(&self, name: &str, base: &Value, cases: Vec<Case>) {
        self.apply(name, base, false).await.unwrap();
        self.judge(name, base, cases).await;
        self.api.delete(name, &kube::api::DeleteParams::default()).await.unwrap();
    }

    async fn judge(&self, name: &str, base: &Value, cases: Vec<Case>) {
        for Case(change, answer) in cases {
            let answered = self.apply(name, &merged(base, &change), true).await.map_err(|error| error.to_string());
            match (answered, answer) {
                (Ok(_), Accepted) => {}
                (Err(error), Refused(words)) => assert!(error.contains(words), "{change}: not {words:?} but: {error}"),
                (Err(error), Accepted) => panic!("{change} is refused: {error}"),
                (Ok(_), Refused(words)) => panic!("{change} is accepted, not refused with {words:?}"),
            }
        }
    }
}

/// A JSON merge patch, except that the text `null` puts a null where a null would remove the field.
fn merged(base: &Value, change: &Value) -> Value {
    match (base, change) {
        (Value::Object(base), Value::Object(change)) => {
            let mut result = base.clone();
            for (name, value) in change {
                match value {
                    Value::Null => result.remove(name),
                    Value::String(text) if text == "null" => result.insert(name.clone(), Value::Null),
                    _ => result.insert(name.clone(), merged(base.get(name).unwrap_or(&Value::Null), value)),
                };
            }
            Value::Object(result)
        }
        _ => change.clone(),
    }
}
