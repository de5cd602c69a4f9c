//! What happens, done to the world.

use std::collections::BTreeMap;

use confidence_operator::api::{RECONCILE_REQUESTED_AT, RETIRE, ROTATE_REQUESTED_AT};
use serde_json::{Value, json};

use super::history::{Event, published, value_of};
use super::play::World;
use super::schedule::{Action, name, spec};
use crate::account::CLIENT;
use crate::api::{Kind, merge, owned_update};

/// Who writes at the API server beside the operator.
const SOMEBODY: &str = "kubectl-edit";

impl World {
    pub(super) fn act(&mut self, action: &Action) {
        match action {
            Action::Apply(resource, fields) => self.apply(*resource, fields),
            Action::Delete(resource) => self.delete(*resource),
            Action::Recreate(resource) => {
                let fields = spec(*resource, &mut self.random);
                self.apply(*resource, &fields);
            }
            Action::Rotate(resource) => self.annotate(*resource, ROTATE_REQUESTED_AT, None),
            Action::Reconcile(resource) => self.annotate(*resource, RECONCILE_REQUESTED_AT, None),
            Action::Retire(resource) => self.retire(*resource),
            Action::DeleteSecret(_) | Action::EditSecret(_) | Action::AddKey(_) | Action::ReplaceSecret(_) => {
                self.act_on_secret(action);
            }
            Action::DeleteCredential(_) | Action::EditCredential(_) | Action::Copy(_) | Action::Relabel(_) => {
                self.act_on_credential(action);
            }
            Action::Use(resource) => self.use_published(*resource),
            Action::UseAny => {
                let all = self.simulator.all();
                if let Some(credential) = self.random.choice(all.values()) {
                    drop(self.simulator.resolve(&credential.secret));
                }
            }
            Action::Jump(minutes) => self.jump(*minutes),
            Action::Disturb(it) => it.happen(&self.simulator, &self.api, &mut self.replicas),
        }
    }

    fn object(&self, resource: usize) -> Option<Value> {
        self.api.with(|store| store.get(Kind::Resource, &name(resource)).cloned())
    }

    /// Changes some fields of a resource, or creates it if the fields are those of a whole spec.
    pub(super) fn apply(&self, resource: usize, fields: &Value) {
        let mut spec = match self.object(resource) {
            Some(object) => object["spec"].clone(),
            None if fields["client"].is_string() => json!({}),
            None => return,
        };
        merge(&mut spec, fields);
        self.api.with(|store| store.put(Kind::Resource, &name(resource), &json!({"spec": spec})));
    }

    fn delete(&self, resource: usize) {
        let Some(object) = self.object(resource) else { return };
        self.history.add(Event::Deleting { uid: uid_of(&object) });
        self.api.with(|store| store.delete(Kind::Resource, &name(resource)));
    }

    pub(super) fn annotate(&mut self, resource: usize, annotation: &str, value: Option<&str>) {
        let value = value.map_or_else(|| self.random.u32(..).to_string(), str::to_owned);
        if let Some(mut object) = self.object(resource) {
            object["metadata"]["annotations"][annotation] = json!(value);
            self.api.with(|store| store.replace(Kind::Resource, &name(resource), object));
        }
    }

    fn retire(&mut self, resource: usize) {
        let Some(object) = self.object(resource) else { return };
        let superseded = object["status"]["rotation"]["superseded"].as_array().cloned().unwrap_or_default();
        if let Some(one) = superseded.first().and_then(|it| it["name"].as_str()) {
            self.history.add(Event::Retire { credential: super::history::id_of(one) });
            self.annotate(resource, RETIRE, Some(one));
        }
    }

    /// The Secret that a resource names, as it is.
    pub(super) fn secret(&self, resource: usize) -> Option<(String, Value)> {
        let object = self.object(resource)?;
        let name = object["spec"]["publishedSecret"]["name"].as_str()?.to_owned();
        let secret = self.api.with(|store| store.get(Kind::Secret, &name).cloned())?;
        Some((name, secret))
    }

    fn act_on_secret(&mut self, action: &Action) {
        let (Action::DeleteSecret(resource)
        | Action::EditSecret(resource)
        | Action::AddKey(resource)
        | Action::ReplaceSecret(resource)) = action
        else {
            return;
        };
        let Some((name, secret)) = self.secret(*resource) else { return };
        if let Some(Event::Published { uid, .. }) =
            published(&name, &secret).filter(|_| !matches!(action, Action::AddKey(_)))
        {
            self.history.add(Event::Meddled { uid });
        }
        let mut after = secret.clone();
        match action {
            Action::EditSecret(_) => after["data"]["clientSecret"] = json!("ZWRpdGVk"),
            Action::AddKey(_) => after["data"]["theirs"] = json!("dGhlaXJz"),
            _ => {
                self.history.add(Event::SecretGone { secret: name.clone() });
                self.api.with(|store| store.delete(Kind::Secret, &name));
                if matches!(action, Action::ReplaceSecret(_)) {
                    let foreign = json!({"data": {"theirs": "dGhlaXJz"}});
                    self.api.with(|store| store.put(Kind::Secret, &name, &foreign));
                }
                return;
            }
        }
        let after = owned_update(&secret, after, SOMEBODY);
        self.api.with(|store| store.replace(Kind::Secret, &name, after));
    }

    fn act_on_credential(&mut self, action: &Action) {
        let (Action::DeleteCredential(resource)
        | Action::EditCredential(resource)
        | Action::Copy(resource)
        | Action::Relabel(resource)) = action
        else {
            return;
        };
        let Some(Event::Published { uid, credential, .. }) =
            self.secret(*resource).and_then(|(name, secret)| published(&name, &secret))
        else {
            return;
        };
        match action {
            Action::DeleteCredential(_) => {
                self.history.add(Event::Meddled { uid });
                drop(self.simulator.delete(CLIENT, &credential));
            }
            Action::EditCredential(_) => {
                self.simulator.edit(CLIENT, &credential, |it| "edited".clone_into(&mut it.display_name));
            }
            Action::Copy(_) => drop(self.simulator.copy(CLIENT, &credential)),
            _ => {
                if let Some(it) = self.simulator.get(CLIENT, &credential) {
                    self.labels.entry(credential.clone()).or_insert(it.labels);
                    self.simulator.relabel(CLIENT, &credential, BTreeMap::new());
                }
            }
        }
    }

    /// Pods read the published Secret and use what it holds.
    pub(super) fn use_published(&self, resource: usize) {
        if let Some((_, secret)) = self.secret(resource) {
            drop(self.simulator.resolve(&value_of(&secret)));
        }
    }

    pub(super) fn jump(&self, minutes: i64) {
        self.simulator.reconfigure(|config| config.clock_skew_milliseconds += minutes * 60_000);
    }
}

pub fn uid_of(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap().to_owned()
}
