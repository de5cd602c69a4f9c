//! What holds for the schema of every kind.

use serde_json::Value;

use super::crds;

/// The schema of each kind, with the name of the kind.
fn schemas() -> Vec<(String, Value)> {
    let crds = crds().map(|crd| serde_json::to_value(crd).unwrap());
    let schema = |crd: &Value| crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
    crds.iter().map(|crd| (crd["spec"]["names"]["kind"].as_str().unwrap().to_owned(), schema(crd))).collect()
}

/// Each field of a schema with its path, the fields of fields included.
fn fields(path: &str, schema: &Value) -> Vec<(String, Value)> {
    let own = schema["properties"].as_object().into_iter().flatten();
    let mut all: Vec<_> = own.map(|(name, field)| (format!("{path}.{name}"), field.clone())).collect();
    all.extend(schema.get("items").map(|items| (format!("{path}[]"), items.clone())));
    all.extend(schema["additionalProperties"].as_object().map(|it| (format!("{path}{{}}"), Value::Object(it.clone()))));
    let within: Vec<_> = all.iter().flat_map(|(path, field)| fields(path, field)).collect();
    all.extend(within);
    all
}

fn all_fields() -> Vec<(String, Value)> {
    schemas().iter().flat_map(|(kind, schema)| fields(kind, schema)).collect()
}

/// Absent and empty are two things; a stored null would be a third.
#[test]
fn every_field_is_not_nullable() {
    let nullable: Vec<_> = all_fields().into_iter().filter(|(_, field)| field.get("nullable").is_some()).collect();
    assert!(nullable.is_empty(), "{nullable:?}");
}

/// `kubectl explain` and generators of clients look for the three properties of every object.
#[test]
fn root_schema_has_the_common_properties() {
    for (kind, schema) in schemas() {
        for (property, type_) in [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")] {
            assert_eq!(schema["properties"][property]["type"], type_, "{kind}.{property}");
        }
    }
}

/// A status that grew without bounds would fill etcd, and a list without a type would be replaced as a whole.
#[test]
fn status_strings_and_lists_are_bounded() {
    let in_status = all_fields().into_iter().filter(|(path, _)| path.contains(".status."));
    for (path, field) in in_status {
        // As in metav1, where the format bounds it.
        let is_bounded = field.get("maxLength").is_some() || field.get("enum").is_some();
        if field["type"] == "string" && !path.ends_with(".lastTransitionTime") {
            assert!(is_bounded, "{path} has no maxLength");
        }
        if field["type"] == "array" {
            assert!(field.get("x-kubernetes-list-type").is_some(), "{path} has no list type");
        }
    }
}

/// What a person reads in `kubectl explain`, one line a paragraph, because it does not join lines.
#[test]
fn every_named_field_has_a_flowed_description() {
    for (path, field) in all_fields() {
        if path.ends_with(['}', ']']) || path.ends_with(".metadata") {
            continue;
        }
        let description = field["description"].as_str().unwrap_or_default();
        assert!(!description.is_empty(), "{path} has no description");
        assert!(!description.replace("\n\n", " ").contains('\n'), "{path}: {description}");
    }
}

/// Without a message the API server would show the rule itself.
#[test]
fn every_rule_has_a_message() {
    let rules = |field: &Value| field["x-kubernetes-validations"].as_array().cloned().unwrap_or_default();
    let all: Vec<_> = all_fields().iter().flat_map(|(_, field)| rules(field)).collect();
    assert!(all.len() > 40, "{}", all.len());
    assert!(all.iter().all(|rule| rule["message"].as_str().is_some_and(|it| !it.is_empty())), "{all:?}");
}

/// A condition is one of metav1, with the bounds that controller-gen takes from kubernetes/apimachinery.
#[test]
fn conditions_have_the_bounds_of_metav1() {
    for (kind, schema) in schemas() {
        let condition = &schema["properties"]["status"]["properties"]["conditions"]["items"]["properties"];
        assert_eq!(condition["type"]["maxLength"], 316, "{kind}");
        assert_eq!(condition["reason"]["maxLength"], 1024, "{kind}");
        assert_eq!(condition["reason"]["minLength"], 1, "{kind}");
        assert_eq!(condition["reason"]["pattern"], "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", "{kind}");
        assert_eq!(condition["message"]["maxLength"], 32768, "{kind}");
        assert_eq!(condition["status"]["enum"], serde_json::json!(["True", "False", "Unknown"]), "{kind}");
        assert_eq!(condition["observedGeneration"]["minimum"], 0.0, "{kind}");
    }
}

/// The columns of `kubectl get`, and behind the bar those of `-o wide`.
#[test]
fn columns_are_those_of_the_contract() {
    let columns = crds().map(|crd| {
        let columns = crd.spec.versions[0].additional_printer_columns.clone().unwrap();
        let named = |wide: bool| {
            let some = columns.iter().filter(|it| it.priority.is_some() == wide);
            some.map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        format!("{} | {}", named(false), named(true))
    });
    let account = "Ready, Reason, URL, Age | Message";
    assert_eq!(
        columns,
        ["Ready, Reason, Last seen, Age | Credential, Secret, Drift, Rotating, Updated, Message", account, account]
    );
}

/// What `kubectl get --field-selector` takes.
#[test]
fn selectable_fields_are_those_of_the_contract() {
    let fields = crds().map(|crd| {
        let fields = crd.spec.versions[0].selectable_fields.clone().unwrap_or_default();
        fields.into_iter().map(|it| it.json_path).collect::<Vec<_>>().join(" ")
    });
    assert_eq!(fields, [".spec.name .spec.client .spec.publishedSecret.name", "", ""]);
}
