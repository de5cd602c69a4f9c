//! The objects, and what happened to them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The namespace of everything.
pub const NAMESPACE: &str = "apps";

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Resource,
    Secret,
    Lease,
    Event,
    Namespace,
    Definition,
}

impl Kind {
    pub fn of(plural: &str) -> Self {
        match plural {
            "confidenceclientcredentials" => Self::Resource,
            "secrets" => Self::Secret,
            "leases" => Self::Lease,
            "events" => Self::Event,
            "namespaces" => Self::Namespace,
            "customresourcedefinitions" => Self::Definition,
            other => panic!("the operator asked for {other}"),
        }
    }

    /// `apiVersion` and `kind`.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Resource => ("iam.confidence.dev/v1alpha1", "ConfidenceClientCredential"),
            Self::Secret => ("v1", "Secret"),
            Self::Lease => ("coordination.k8s.io/v1", "Lease"),
            Self::Event => ("events.k8s.io/v1", "Event"),
            Self::Namespace => ("v1", "Namespace"),
            Self::Definition => ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        }
    }
}

/// A change, as a watch tells of it.
#[derive(Clone, Debug)]
pub struct Change {
    pub version: u64,
    pub kind: Kind,
    pub what: &'static str,
    pub object: Value,
}

/// Everything that is kept.
#[derive(Debug, Default)]
pub struct Store {
    version: u64,
    objects: BTreeMap<(Kind, String), Value>,
    changes: Vec<Change>,
    compacted: u64,
}

/// A merge patch, RFC 7386.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (name, value) in patch {
        let fields = target.as_object_mut().unwrap();
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), value);
        }
    }
}

impl Store {
    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn get(&self, kind: Kind, name: &str) -> Option<&Value> {
        self.objects.get(&(kind, name.to_owned()))
    }

    /// Who holds the lease.
    pub fn holder(&self) -> Option<String> {
        let lease = self.list(Kind::Lease).next()?;
        lease["spec"]["holderIdentity"].as_str().map(str::to_owned)
    }

    pub fn list(&self, kind: Kind) -> impl Iterator<Item = &Value> {
        let from = self.objects.range((kind, String::new())..);
        from.take_while(move |((of, _), _)| *of == kind).map(|(_, object)| object)
    }

    /// The changes since a version; none: they are not kept any more.
    pub fn since(&self, version: u64, kind: Kind) -> Option<Vec<Change>> {
        if version < self.compacted {
            return None;
        }
        let later = &self.changes[self.changes.partition_point(|it| it.version <= version)..];
        Some(later.iter().filter(|it| it.kind == kind).cloned().collect())
    }

    /// What an object of this name was before, as far as the changes are kept.
    pub fn versions(&self, kind: Kind, name: &str) -> Vec<Value> {
        let of_it = |it: &&Change| it.kind == kind && it.object["metadata"]["name"] == name && it.what != "DELETED";
        self.changes.iter().filter(of_it).map(|it| it.object.clone()).collect()
    }

    /// Forgets what happened up to now, so that a watch from before has to begin anew.
    pub fn compact(&mut self) {
        self.compacted = self.version;
        self.changes.clear();
    }

    /// Creates an object, or gives one that is there other contents. A resource's generation is counted by its spec.
    pub fn put(&mut self, kind: Kind, name: &str, contents: &Value) {
        let mut object = self.get(kind, name).cloned().unwrap_or_else(|| self.new_object(kind, name));
        let before = object.clone();
        for (field, value) in contents.as_object().unwrap() {
            object[field] = value.clone();
        }
        if kind == Kind::Resource && before["spec"] != object["spec"] {
            let generation = object["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
            object["metadata"]["generation"] = json!(generation);
        }
        self.replace(kind, name, object);
    }

    /// Puts an object in the place of the one that is there, as it is. One that is the same is no change; one that is being
    /// deleted goes with its last finalizer.
    pub fn replace(&mut self, kind: Kind, name: &str, mut object: Value) -> Value {
        let old = self.get(kind, name);
        if old == Some(&object) {
            return object;
        }
        if !object["metadata"]["deletionTimestamp"].is_null() && !has_finalizer(&object) {
            self.remove(kind, name);
            return object;
        }
        let what = if old.is_some() { "MODIFIED" } else { "ADDED" };
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert((kind, name.to_owned()), object.clone());
        self.changes.push(Change { version: self.version, kind, what, object: object.clone() });
        object
    }

    /// Deletes an object. One with finalizers is marked, which the real server counts in the generation too.
    pub fn delete(&mut self, kind: Kind, name: &str) {
        let Some(mut object) = self.get(kind, name).cloned() else { return };
        if !has_finalizer(&object) {
            self.remove(kind, name);
        } else if object["metadata"]["deletionTimestamp"].is_null() {
            let generation = object["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
            object["metadata"]["generation"] = json!(generation);
            object["metadata"]["deletionTimestamp"] = json!("2023-11-15T00:00:00Z");
            self.replace(kind, name, object);
        }
    }

    fn remove(&mut self, kind: Kind, name: &str) {
        if let Some(mut object) = self.objects.remove(&(kind, name.to_owned())) {
            self.version += 1;
            object["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.changes.push(Change { version: self.version, kind, what: "DELETED", object });
        }
    }

    pub fn new_object(&self, kind: Kind, name: &str) -> Value {
        let (api_version, kind) = kind.names();
        // A time that moves with the versions, so that of two claims one is the older.
        let created = jiff::Timestamp::from_second(1_700_000_000 + i64::try_from(self.version).unwrap()).unwrap();
        json!({"apiVersion": api_version, "kind": kind, "metadata": {
            "name": name, "namespace": NAMESPACE, "uid": format!("uid-{}", self.version + 1), "creationTimestamp": created}})
    }
}

fn has_finalizer(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty())
}
