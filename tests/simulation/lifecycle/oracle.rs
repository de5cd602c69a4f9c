//! What everything has to be like in the end.

use confidence_operator::api::ROTATE_REQUESTED_AT;
use serde_json::Value;

use super::act::uid_of;
use super::history::{Event, published};
use super::play::World;
use crate::account::CLIENT;
use crate::api::Kind;

impl World {
    /// What is still to be done for some resource; `is_at_rest`: no rotation is on its way either.
    pub(super) fn first_missing(&self, is_at_rest: bool) -> Option<String> {
        let all: Vec<Value> = self.api.with(|store| store.list(Kind::Resource).cloned().collect());
        all.iter().find_map(|object| {
            let missing = self.not_working(object).or_else(|| self.not_at_rest(object).filter(|_| is_at_rest));
            missing.map(|what| format!("{}: {what}", object["metadata"]["name"]))
        })
    }

    /// The credential that is published, if its value works.
    fn published(&self, object: &Value) -> Option<String> {
        let name = object["spec"]["publishedSecret"]["name"].as_str().unwrap();
        let secret = self.api.with(|store| store.get(Kind::Secret, name).cloned())?;
        let Event::Published { uid, credential, value, .. } = published(name, &secret)? else { return None };
        let works = self.simulator.get(CLIENT, &credential).is_some_and(|it| it.secret == value);
        (works && uid == uid_of(object)).then_some(credential)
    }

    fn not_working(&self, object: &Value) -> Option<String> {
        if !object["metadata"]["deletionTimestamp"].is_null() {
            return Some("it is still being deleted".to_owned());
        }
        if self.published(object).is_none() {
            return Some("no published value works".to_owned());
        }
        let status = &object["status"];
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.iter().find(|it| it["type"] == "Ready").cloned().unwrap_or_default();
        let is_current = ready["observedGeneration"] == object["metadata"]["generation"];
        (ready["reason"] != "InSync" || !is_current).then(|| format!("its status says {ready}"))
    }

    fn not_at_rest(&self, object: &Value) -> Option<String> {
        let (uid, current) = (uid_of(object), self.published(object)?);
        let created = self.history.created_for(&uid);
        // Where the records were lost, a copy with our labels may have been taken up: publishing it harms nobody.
        let is_copy = !created.contains(&current);
        let mut live = created;
        live.retain(|it| self.simulator.get(CLIENT, it).is_some());
        live.extend(is_copy.then(|| current.clone()));
        if live != [current.clone()] {
            return Some(format!("{current} is published, and {live:?} are live"));
        }
        let status = &object["status"];
        if super::history::id_of(status["name"].as_str().unwrap_or_default()) != current {
            return Some(format!("{current} is published, and the status names {}", status["name"]));
        }
        let asked = &object["metadata"]["annotations"][ROTATE_REQUESTED_AT];
        if !asked.is_null() && *asked != status["rotation"]["lastHandledRotateAt"] {
            return Some("its rotation was not begun".to_owned());
        }
        let secrets: Vec<Value> = self.api.with(|store| store.list(Kind::Secret).cloned().collect());
        let is_ours = |secret: &&Value| matches!(published("", secret), Some(Event::Published { uid: owner, .. }) if owner == uid);
        let secrets = secrets.iter().filter(is_ours).count();
        (secrets != 1).then(|| format!("it has {secrets} Secrets"))
    }
}
