//! The reference of the resource's fields in Markdown, from the CRD's schema.

use std::fmt::Write as _;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

/// The reference.
pub fn of(crd: &CustomResourceDefinition) -> String {
    let crd = serde_json::to_value(crd).unwrap();
    let spec = &crd["spec"];
    let mut text = format!(
        "# API reference: {}\n\n<!-- Generated from the CRD: cargo xtask generate -->\n\n",
        spec["names"]["kind"].as_str().unwrap()
    );
    for version in spec["versions"].as_array().unwrap() {
        let group = spec["group"].as_str().unwrap();
        let schema = &version["schema"]["openAPIV3Schema"];
        let _ = writeln!(
            text,
            "`apiVersion: {group}/{}`, {}, short names: {}.\n\n{}",
            version["name"].as_str().unwrap(),
            spec["scope"].as_str().unwrap().to_lowercase(),
            spec["names"]["shortNames"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(", "),
            described(schema),
        );
        for part in ["spec", "status"] {
            object(&mut text, part, &schema["properties"][part]);
        }
    }
    text
}

/// A section with the fields of an object, and one each for the objects in it.
fn object(text: &mut String, path: &str, schema: &Value) {
    let Some(fields) = schema["properties"].as_object() else { return };
    let _ = writeln!(text, "\n## {path}\n\n{}\n\n| field | type | meaning |\n|---|---|---|", described(schema));
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in fields {
        let presence = if required.contains(&name.as_str()) { ", required" } else { "" };
        let meaning: Vec<String> =
            [described(field)].into_iter().chain(rules(field)).filter(|it| !it.is_empty()).collect();
        let _ = writeln!(text, "| `{name}` | {}{presence} | {} |", kind(field), in_a_cell(&meaning.join(" ")));
    }
    for (name, field) in fields {
        object(text, &format!("{path}.{name}"), field);
        object(text, &format!("{path}.{name}[]"), &field["items"]);
    }
}

fn described(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().trim().to_owned()
}

/// A description in several lines on one.
fn in_a_cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn kind(schema: &Value) -> String {
    let kind = schema["type"].as_str().unwrap_or("any");
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().filter_map(Value::as_str).map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    }
    match (kind, schema["format"].as_str()) {
        ("array", _) if schema["x-kubernetes-list-type"] == "set" => format!("set of {}", kind_of_items(schema)),
        ("array", _) => format!("list of {}", kind_of_items(schema)),
        ("object", _) if schema["additionalProperties"].is_object() => {
            format!("map of {}", self::kind(&schema["additionalProperties"]))
        }
        ("string", Some("date-time")) => "time".to_owned(),
        (kind, _) => kind.to_owned(),
    }
}

fn kind_of_items(schema: &Value) -> String {
    kind(&schema["items"])
}

/// What the API server checks, in words.
fn rules(schema: &Value) -> Vec<String> {
    let mut rules = Vec::new();
    if let Some(value) = schema.get("default") {
        rules.push(format!("Default: `{}`.", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    }
    for (name, words) in
        [("maxLength", "characters at most"), ("maxItems", "items at most"), ("maxProperties", "entries at most")]
    {
        if let Some(bound) = schema[name].as_u64() {
            rules.push(format!("{bound} {words}."));
        }
    }
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let message = rule["message"].as_str().unwrap_or_default();
        // One that ends in a full stop may mean the character.
        rules.push(format!("Checked: {message}{}", if message.ends_with('.') { "" } else { "." }));
    }
    rules
}
