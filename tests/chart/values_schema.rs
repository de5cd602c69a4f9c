//! The schema of the values, made from the values with their comments, from `values-types.yaml`, and from the types of
//! Kubernetes. So each fact about a value stands in one place.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::generated::up_to_date;
use super::kubernetes;
use super::support::{chart, documents, repository};

/// The types of Kubernetes begin so.
const KUBERNETES: &str = "io.k8s.";

/// Changed values, a renamed value or a new Kubernetes show here until `cargo xtask generate` has run.
#[test]
fn values_schema_matches_values_and_types() {
    let types = documents(&std::fs::read_to_string(repository("tests/chart/values-types.yaml")).unwrap()).remove(0);
    let text = std::fs::read_to_string(chart().join("values.yaml")).unwrap();
    let schema = schema(&text, &types);
    up_to_date(&chart().join("values.schema.json"), &format!("{}\n", serde_json::to_string_pretty(&schema).unwrap()));
}

fn schema(values: &str, types: &Value) -> Value {
    let generator = Generator { comments: comments(values), types: types["values"].as_object().unwrap() };
    let values = documents(values).remove(0);
    for path in generator.types.keys().filter(|path| generator.types[*path].get("description").is_none()) {
        assert!(values.pointer(&format!("/{path}")).is_some(), "{path} has a type, and is no value");
    }
    let mut schema = generator.object("", values.as_object().unwrap());
    for (name, fragment) in generator.types.iter().filter(|(_, fragment)| fragment.get("description").is_some()) {
        schema["properties"][name] = fragment.clone();
    }
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("Values of the chart confidence-operator");
    schema["$defs"] = Value::Object(definitions(&schema, types));
    schema
}

struct Generator<'a> {
    comments: BTreeMap<String, String>,
    types: &'a Map<String, Value>,
}

impl Generator<'_> {
    fn object(&self, path: &str, values: &Map<String, Value>) -> Value {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let properties: Map<_, _> = values
            .iter()
            .map(|(name, value)| (name.clone(), self.property(&format!("{prefix}{name}"), value)))
            .collect();
        json!({"type": "object", "additionalProperties": false, "properties": properties})
    }

    /// What the types say wins over what the default shows. A group of values is an object whose values have types.
    fn property(&self, path: &str, value: &Value) -> Value {
        let fragment = self.types.get(path).and_then(Value::as_object).cloned().unwrap_or_default();
        let group = value.as_object().filter(|it| !it.is_empty() && !fragment.contains_key("$ref"));
        let mut schema = match group {
            Some(values) => self.object(path, values),
            None if fragment.contains_key("$ref") => json!({"default": value}),
            None => json!({"type": type_of(path, value), "default": value}),
        };
        schema["description"] =
            json!(self.comments.get(path).unwrap_or_else(|| panic!("{path} has no comment in values.yaml")));
        schema.as_object_mut().unwrap().extend(fragment);
        schema
    }
}

fn type_of(path: &str, value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Null => panic!("{path} has no default"),
    }
}

/// The comment above each value, by the value's path: as helm-docs has it, and plain above a group.
fn comments(values: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let (mut path, mut comment) = (Vec::<&str>::new(), Vec::<&str>::new());
    for line in values.lines() {
        let text = line.trim_start();
        if let Some(words) = text.strip_prefix("# ") {
            comment.push(words.trim_start_matches("-- "));
            continue;
        }
        if let Some((name, _)) = text.split_once(':').filter(|(name, _)| !name.contains([' ', '-', '"'])) {
            path.truncate((line.len() - text.len()) / 2);
            path.push(name);
            if !comment.is_empty() {
                found.insert(path.join("/"), comment.join(" "));
            }
        }
        comment.clear();
    }
    found
}

/// What the schema refers to: forms of our own, and the types of Kubernetes.
fn definitions(schema: &Value, types: &Value) -> Map<String, Value> {
    let mut definitions = types["definitions"].as_object().unwrap().clone();
    let all = kubernetes::definitions();
    let volume = format!("{KUBERNETES}api.core.v1.Volume");
    let mut named = vec![volume.clone()];
    kubernetes::references(schema, "#/$defs/", &mut named);
    named.retain(|name| name.starts_with(KUBERNETES));
    for (name, mut definition) in kubernetes::closure(&named, &all) {
        plain(&mut definition);
        definitions.insert(name, definition);
    }
    for (path, fragment) in types["kubernetes"].as_object().unwrap() {
        let (name, field) = path.split_once('/').unwrap();
        let property = definitions[name]["properties"][field].as_object_mut();
        property.unwrap_or_else(|| panic!("{path} is unknown")).extend(fragment.as_object().unwrap().clone());
    }
    // The chart gives the volume its name.
    let mut source = definitions[&volume].clone();
    source["properties"].as_object_mut().unwrap().remove("name");
    source.as_object_mut().unwrap().remove("required");
    definitions.insert("volumeSource".to_owned(), source);
    definitions
}

/// References as they are here, descriptions of one sentence, and nothing that only a generator of clients needs.
fn plain(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|name, value| !name.starts_with("x-kubernetes-") && (name != "format" || !value.is_string()));
            if let Some(Value::String(reference)) = object.get_mut("$ref") {
                *reference = reference.replace(kubernetes::REFERENCE, "#/$defs/");
            }
            if let Some(Value::String(description)) = object.get_mut("description") {
                description.truncate(description.find(". ").map_or(description.len(), |end| end + 1));
            }
            object.values_mut().for_each(plain);
        }
        Value::Array(array) => array.iter_mut().for_each(plain),
        _ => {}
    }
}

/// A comment belongs to the value below it, however deep, and a comment before an empty line to none.
#[test]
fn comments_are_found_by_path() {
    let found =
        comments("# lost\n\n# A group.\na:\n  # -- One,\n  # of two lines.\n  b: 1\n  c: 2\n# -- Last.\nd: {}\n");
    let expected = [("a", "A group."), ("a/b", "One, of two lines."), ("d", "Last.")];
    assert_eq!(found.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect::<Vec<_>>(), expected);
}
