//! What happens, done to the world.

use confidence_operator::api::{ConfidenceClientCredential, RECONCILE_REQUESTED_AT};
use confidence_simulator::Credential;
use serde_json::{Value, json};

use super::World;
use crate::account::CLIENT;
use crate::api::Kind;
use crate::history::SecretVersion;
use crate::schedule::{Action, name};

impl World {
    pub(super) fn act(&mut self, action: &Action) {
        match action {
            Action::Apply(resource, spec) => self.apply(&name(*resource), spec),
            Action::Delete(resource) => self.delete(&name(*resource)),
            Action::Recreate(resource, spec) => {
                self.delete(&name(*resource));
                self.apply(&name(*resource), spec);
            }
            Action::Suspend(resource, suspend) => {
                let object = self.api.with(|store| store.get(Kind::Resource, &name(*resource)).cloned());
                if let Some(mut spec) = object.map(|it| it["spec"].clone()) {
                    spec["suspend"] = json!(suspend);
                    self.apply(&name(*resource), &spec);
                }
            }
            Action::Annotate(resource) => self.annotate(&name(*resource)),
            Action::PutSecret(resource, secret) => self.put_secret(*resource, secret),
            Action::DeleteSecret(resource) => {
                self.api.with(|store| store.delete(Kind::Secret, &format!("secret-{}", name(*resource))));
            }
            Action::Edit(resource, fields) => {
                let spec: Credential = serde_json::from_value(fields.clone()).unwrap();
                self.simulator.edit(CLIENT, &name(*resource), |it| {
                    it.display_name = spec.display_name;
                    it.environments = spec.environments;
                    it.labels = spec.labels;
                    it.sdk_type = spec.sdk_type;
                });
            }
            Action::EditSecret(resource, secret) => {
                self.judge.is_foreign_secret(&name(*resource));
                self.simulator.edit(CLIENT, &name(*resource), |it| it.secret.clone_from(secret));
            }
            Action::BackUp => self.backup = self.simulator.all(),
            Action::Restore => {
                self.vanished.retain(|(resource, _)| !self.backup.contains_key(&(CLIENT.to_owned(), name(*resource))));
                for ((client, id), credential) in self.backup.clone() {
                    self.judge.is_foreign_secret(&id);
                    self.simulator.put(&client, &id, credential);
                }
            }
            Action::Vanish(resource) => {
                let gone = self.simulator.delete(CLIENT, &name(*resource));
                self.vanished.extend(gone.map(|it| (*resource, it)));
            }
            Action::Return(resource) => self.put_back(Some(*resource)),
            Action::Touch(resource) => drop(self.simulator.touch(CLIENT, &name(*resource))),
            Action::Revoke => self.simulator.revoke_issued_tokens(),
            Action::Rotate => {
                if let Some(files) = &mut self.files {
                    let secret = files.rotate();
                    self.simulator.reconfigure(|config| drop(config.clients.insert("test-client".to_owned(), secret)));
                }
            }
            Action::Deliver => self.deliver(),
            Action::Disturb(it) => it.happen(&self.simulator, &self.api, &mut self.replicas),
        }
    }

    fn delete(&self, name: &str) {
        self.api.with(|store| store.delete(Kind::Resource, name));
        self.judge.history(|history| history.note_end(name));
    }

    /// The replicas are given the client secret that Confidence accepts.
    pub(super) fn deliver(&self) {
        if let Some(files) = &self.files {
            files.deliver();
        }
    }

    fn apply(&self, name: &str, spec: &Value) {
        let object = self.api.with(|store| {
            let mut spec = spec.clone();
            if let Some(there) = store.get(Kind::Resource, name) {
                spec["name"] = there["spec"]["name"].clone();
            }
            store.put(Kind::Resource, name, &json!({"spec": spec}));
            store.get(Kind::Resource, name).cloned().unwrap()
        });
        let object: ConfidenceClientCredential = serde_json::from_value(object).unwrap();
        self.judge.history(|history| history.note(name, &object));
    }

    fn annotate(&mut self, name: &str) {
        let value = self.random.u32(..).to_string();
        self.api.with(|store| {
            if let Some(mut object) = store.get(Kind::Resource, name).cloned() {
                object["metadata"]["annotations"] = json!({RECONCILE_REQUESTED_AT: value});
                store.replace(Kind::Resource, name, object);
            }
        });
    }

    fn put_secret(&self, resource: usize, secret: &str) {
        let id = format!("secret-{}", name(resource));
        let data = json!({"data": {"secret": k8s_openapi::ByteString(secret.as_bytes().to_vec())}});
        let version = self.api.with(|store| {
            store.put(Kind::Secret, &id, &data);
            let object = store.get(Kind::Secret, &id).unwrap();
            object["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
        });
        let version = SecretVersion { version, value: secret.to_owned() };
        self.judge.history(|history| history.note_secret(&id, version));
    }

    pub(super) fn put_back(&mut self, which: Option<usize>) {
        for (resource, credential) in std::mem::take(&mut self.vanished) {
            if which.is_none_or(|it| it == resource) {
                self.simulator.put(CLIENT, &name(resource), credential);
            } else {
                self.vanished.push((resource, credential));
            }
        }
    }
}
