//! What happens, done to the world.

use std::collections::BTreeMap;
use std::time::Duration;

use confidence_operator::api::{ATTEMPT, RECONCILE_REQUESTED_AT, RETIRE, ROTATE_REQUESTED_AT};
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
            Action::Rotate(resource) => {
                if let Some(object) = self.object(*resource) {
                    self.history.add(Event::RotationAsked { uid: uid_of(&object) });
                }
                self.annotate(*resource, ROTATE_REQUESTED_AT, None);
            }
            Action::Reconcile(resource) => self.annotate(*resource, RECONCILE_REQUESTED_AT, None),
            Action::Retire(resource) => self.retire(*resource),
            Action::LoseStatus(resource) => self.lose(*resource, false),
            Action::LoseRecords(resource) => self.lose(*resource, true),
            Action::Restore(resource) => self.restore(*resource),
            Action::RestoreSecret(resource) => self.restore_secret(*resource),
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
        let is_scheduled = spec["rotation"]["every"].is_string();
        self.api.with(|store| store.put(Kind::Resource, &name(resource), &json!({"spec": spec})));
        if let Some(object) = self.object(resource).filter(|_| is_scheduled) {
            self.history.add(Event::Scheduled { uid: uid_of(&object) });
        }
        self.lose_hidden_secrets(resource);
    }

    /// With the status lost and the name changed before the operator wrote it again, nothing names the former Secret: it is
    /// removed by hand, as the docs say.
    fn lose_hidden_secrets(&self, resource: usize) {
        if self.object(resource).is_some_and(|it| it["status"]["publishedSecret"].is_null()) {
            self.remove_unnamed_secrets(resource);
        }
    }

    /// Removes by hand what neither the spec nor the status names.
    pub(super) fn remove_unnamed_secrets(&self, resource: usize) {
        let Some(object) = self.object(resource) else { return };
        let uid = uid_of(&object);
        let secrets: Vec<Value> = self.api.with(|store| store.list(Kind::Secret).cloned().collect());
        for secret in secrets {
            let name = &secret["metadata"]["name"];
            let is_own = matches!(published("", &secret), Some(Event::Published { uid: owner, .. }) if owner == uid);
            let (asked, recorded) = (&object["spec"]["publishedSecret"], &object["status"]["publishedSecret"]);
            let is_named = asked["name"] == *name || recorded["name"] == *name;
            if is_own && !is_named {
                let name = name.as_str().unwrap();
                self.history.add(Event::Meddled { uid: uid.clone() });
                self.history.add(Event::SecretGone { secret: name.to_owned() });
                self.api.with(|store| store.delete(Kind::Secret, name));
            }
        }
    }

    /// The status is lost, and the attempt annotation if that is asked for.
    fn lose(&mut self, resource: usize, with_attempt: bool) {
        let Some(mut object) = self.object(resource) else { return };
        self.history.add(Event::RecordsLost { uid: uid_of(&object), with_attempt });
        object.as_object_mut().unwrap().remove("status");
        if let Some(annotations) = object["metadata"]["annotations"].as_object_mut().filter(|_| with_attempt) {
            annotations.remove(ATTEMPT);
        }
        self.api.with(|store| store.replace(Kind::Resource, &name(resource), object));
        self.lose_hidden_secrets(resource);
    }

    /// A resource is as it was before, from a backup: annotations, spec and status. Its uid stays.
    fn restore(&mut self, resource: usize) {
        let Some(object) = self.object(resource).filter(|it| it["metadata"]["deletionTimestamp"].is_null()) else {
            return;
        };
        let uid = &object["metadata"]["uid"];
        let versions = self.api.with(|store| store.versions(Kind::Resource, &name(resource)));
        let versions: Vec<Value> = versions.into_iter().filter(|it| it["metadata"]["uid"] == *uid).collect();
        let Some(mut before) = self.random.choice(versions) else { return };
        self.history.add(Event::RecordsLost { uid: uid_of(&object), with_attempt: true });
        let generation = object["metadata"]["generation"].as_i64().unwrap();
        let is_edit = before["spec"] != object["spec"];
        before["metadata"]["generation"] = json!(generation + i64::from(is_edit));
        self.api.with(|store| store.replace(Kind::Resource, &name(resource), before));
        self.lose_hidden_secrets(resource);
    }

    /// The published Secret is as it was before, from a backup.
    fn restore_secret(&mut self, resource: usize) {
        let Some((name, secret)) = self.secret(resource) else { return };
        let versions = self.api.with(|store| store.versions(Kind::Secret, &name));
        let Some(mut before) = self.random.choice(versions) else { return };
        let Some(Event::Published { uid, .. }) = published(&name, &secret) else { return };
        self.history.add(Event::Meddled { uid: uid.clone() });
        self.history.add(Event::RecordsLost { uid, with_attempt: false });
        before["metadata"]["uid"] = secret["metadata"]["uid"].clone();
        let after = owned_update(&secret, before, SOMEBODY);
        self.api.with(|store| store.replace(Kind::Secret, &name, after));
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
        self.history.add(Event::Jumped { by: Duration::from_mins(minutes.unsigned_abs()) });
        self.simulator.reconfigure(|config| config.clock_skew_milliseconds += minutes * 60_000);
    }
}

pub fn uid_of(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap().to_owned()
}
