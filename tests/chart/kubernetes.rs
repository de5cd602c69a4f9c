//! The types of Kubernetes, from the `OpenAPI` document in the module that the control plane is built from.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

use super::support::{repository, succeed};

/// Where a reference to another type points to in that document.
pub const REFERENCE: &str = "#/definitions/";

/// All types by their names.
pub fn definitions() -> Map<String, Value> {
    let mut go = Command::new("go");
    go.current_dir(repository("testbed/controlplane")).args(["mod", "download", "-json", "k8s.io/kubernetes"]);
    let module: Value = serde_json::from_str(&succeed(go.env("GOTOOLCHAIN", "local"))).unwrap();
    let document = Path::new(module["Dir"].as_str().unwrap()).join("api/openapi-spec/swagger.json");
    let mut document: Value = serde_json::from_slice(&std::fs::read(document).unwrap()).unwrap();
    std::mem::take(document["definitions"].as_object_mut().unwrap())
}

/// The named types and all that they refer to, each closed against unknown fields.
pub fn closure(names: &[String], definitions: &Map<String, Value>) -> BTreeMap<String, Value> {
    let mut needed = BTreeMap::new();
    let mut open = names.to_vec();
    while let Some(name) = open.pop() {
        if let Entry::Vacant(entry) = needed.entry(name) {
            let mut definition = definitions[entry.key()].clone();
            strict(entry.key(), &mut definition);
            references(&definition, REFERENCE, &mut open);
            entry.insert(definition);
        }
    }
    needed
}

/// No field but the known ones, and the two types that are more than one in JSON.
fn strict(name: &str, definition: &mut Value) {
    if name.ends_with(".IntOrString") {
        *definition = json!({"type": ["integer", "string"]});
    } else if name.ends_with(".Quantity") {
        let pattern = "^[0-9]+([.][0-9]+)?(n|u|m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?$";
        *definition = json!({"type": ["number", "string"], "pattern": pattern});
    } else if definition.get("properties").is_some() {
        definition["additionalProperties"] = Value::Bool(false);
    }
}

/// Adds the names of the types that are referred to.
pub fn references(value: &Value, prefix: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            let reference = object.get("$ref").and_then(Value::as_str);
            found.extend(reference.and_then(|it| it.strip_prefix(prefix)).map(str::to_owned));
            object.values().for_each(|it| references(it, prefix, found));
        }
        Value::Array(array) => array.iter().for_each(|it| references(it, prefix, found)),
        _ => {}
    }
}
