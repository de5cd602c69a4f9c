//! Invariant 9: copies of the objects in a second cluster, with the operator running there too, change nothing at Confidence
//! and no Secret, not even when they are deleted.

use std::time::Duration;

use confidence_operator::credential::ObserveMode;
use serde_json::{Value, json};

use super::history::{Event, History};
use super::play::World;
use crate::api::{ApiServer, Kind};
use crate::judge::Judge;
use crate::process::Place;
use crate::replicas::Replicas;

/// Time enough for a lost answer to be given up, and for another attempt to follow.
const WATCHED_FOR: Duration = Duration::from_mins(4);

/// What a backup leaves out. Without both of them nothing tells a copy from a new resource.
#[derive(Clone, Copy, Debug)]
enum LeftOut {
    Nothing,
    Statuses,
    Secrets,
}

impl World {
    /// Restores everything into a second cluster, lets its operator work, deletes everything there; then here all is as it was.
    pub(super) async fn copy_is_inert(&mut self) -> Result<(), String> {
        let left_out = self.random.choice([LeftOut::Nothing, LeftOut::Statuses, LeftOut::Secrets]);
        let left_out = left_out.unwrap_or(LeftOut::Nothing);
        self.judge.record.tell(format_args!("a copy in a second cluster: {left_out:?} left out"));
        let keeps_uids = self.random.bool();
        let api = self.copy(left_out, keeps_uids);
        let history = History::new(self.judge.record.clone());
        let judge =
            Judge::new(self.judge.record.clone(), api.clone(), false, ObserveMode::Auto).with_lifecycle(&history);
        let place = Place { instance: "second", ..Place::new(&api, &self.simulator, &judge, self.random.u64(..)) };
        let mut replicas = Replicas::new([place], self.random.fork());
        replicas.pass(WATCHED_FOR).await;
        let names = |kind| api.with(|store| store.list(kind).map(name_of).collect::<Vec<_>>());
        for name in names(Kind::Resource) {
            api.with(|store| store.delete(Kind::Resource, &name));
        }
        replicas.pass(WATCHED_FOR).await;
        let events = history.events();
        if let Some((_, event)) = events.iter().find(|(_, event)| changes_something(event)) {
            return Err(format!("invariant 9: the second cluster: {event:?}"));
        }
        let left = names(Kind::Resource);
        if left.is_empty() { Ok(()) } else { Err(format!("invariant 9: the second cluster keeps {left:?}")) }
    }

    /// The objects as a backup restores them, with the uids that they had or with others.
    fn copy(&self, left_out: LeftOut, keeps_uids: bool) -> ApiServer {
        let api = ApiServer::new();
        for kind in [Kind::Resource, Kind::Secret] {
            if kind == Kind::Secret && matches!(left_out, LeftOut::Secrets) {
                continue;
            }
            for mut object in self.api.with(|store| store.list(kind).cloned().collect::<Vec<_>>()) {
                let name = name_of(&object);
                if kind == Kind::Resource && matches!(left_out, LeftOut::Statuses) {
                    object.as_object_mut().unwrap().remove("status");
                }
                if !keeps_uids {
                    let uid = object["metadata"]["uid"].as_str().unwrap();
                    object["metadata"]["uid"] = json!(format!("copy-of-{uid}"));
                }
                api.with(|store| store.replace(kind, &name, object));
            }
        }
        api
    }
}

fn name_of(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap().to_owned()
}

fn changes_something(event: &Event) -> bool {
    match event {
        Event::Call { method } => method != "GET",
        Event::Wrote { what } => what.starts_with("Secret "),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_cluster_may_only_look() {
        let call = |method: &str| Event::Call { method: method.to_owned() };
        let wrote = |what: &str| Event::Wrote { what: what.to_owned() };
        assert!(!changes_something(&call("GET")) && !changes_something(&wrote("Resource till-0")));
        assert!(["POST", "PATCH", "DELETE"].into_iter().all(|method| changes_something(&call(method))));
        assert!(changes_something(&wrote("Secret till-0")));
    }
}
