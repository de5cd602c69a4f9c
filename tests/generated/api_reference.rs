//! The reference of the fields of every kind in Markdown, from the schemas of the CRDs.

use std::fmt::Write as _;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

/// The reference of all kinds.
pub fn of(crds: &[CustomResourceDefinition]) -> String {
    let mut text = "# API reference\n\n<!-- Generated from the CRDs: cargo xtask generate -->\n".to_owned();
    for crd in crds {
        kind_section(&mut text, &serde_json::to_value(crd).unwrap());
    }
    text
}

/// A section for a kind, with the sections of its fields.
fn kind_section(text: &mut String, crd: &Value) {
    let spec = &crd["spec"];
    let kind = spec["names"]["kind"].as_str().unwrap();
    let scope = spec["scope"].as_str().unwrap().to_lowercase();
    let short: Vec<&str> =
        spec["names"]["shortNames"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let short = if short.is_empty() { String::new() } else { format!(", short names: {}", short.join(", ")) };
    for version in spec["versions"].as_array().unwrap() {
        let api_version = format!("{}/{}", spec["group"].as_str().unwrap(), version["name"].as_str().unwrap());
        let schema = &version["schema"]["openAPIV3Schema"];
        let _ = writeln!(text, "\n## {kind}\n\n`apiVersion: {api_version}`, {scope}{short}.\n\n{}", described(schema));
        for part in ["spec", "status"] {
            object(text, part, &schema["properties"][part]);
        }
    }
}

/// A section with the fields of an object, and one each for the objects in it.
fn object(text: &mut String, path: &str, schema: &Value) {
    let Some(fields) = schema["properties"].as_object() else { return };
    let _ = writeln!(text, "\n### {path}\n\n{}\n\n| field | type | meaning |\n|---|---|---|", described(schema));
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in fields {
        let presence = if required.contains(&name.as_str()) { ", required" } else { "" };
        let own = if field["properties"].is_object() { Vec::new() } else { rules(field) };
        let meaning: Vec<String> = [described(field)].into_iter().chain(own).filter(|it| !it.is_empty()).collect();
        let _ = writeln!(text, "| `{name}` | {}{presence} | {} |", kind(field), in_a_cell(&meaning.join(" ")));
    }
    // The rules between the fields of an object belong to its section, not to one of its fields.
    for rule in rules(schema).into_iter().filter(|rule| rule.starts_with("Checked")) {
        let _ = writeln!(text, "\n{rule}");
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
