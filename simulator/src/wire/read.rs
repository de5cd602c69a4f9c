//! Reading bodies, strictly.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::accepted_labels;
use crate::config::{Config, Contract, LabelsShape};
use crate::store::{Field, Ids, RequestedFields};

const SDK_TYPES: [&str; 3] = ["SDK_TYPE_UNSPECIFIED", "BACKEND", "FRONTEND"];

/// Reads the body of an update or a creation. `ids` are those in the URL, if they are there.
///
/// # Errors
/// A message for whoever sent it.
pub(crate) fn read_body(config: &Config, body: &Value, ids: Option<&Ids>) -> Result<RequestedFields, String> {
    let body = body.as_object().ok_or("the body is not a JSON object")?;
    refuse_unknown(config, body)?;
    check_name(body, ids)?;
    let secret = value(body, Field::ClientSecret).map(secret).transpose()?;
    if ids.is_none() && secret.is_some() {
        return Err("clientSecret: the server chooses it".to_owned());
    }
    Ok(RequestedFields {
        display_name: display_name(body)?,
        secret,
        environments: value(body, Field::Environments).map(environments).transpose()?,
        labels: value(body, Field::Labels).map(|labels| read_labels(config, labels)).transpose()?,
        sdk_type: value(body, Field::SdkType).map(sdk_type).transpose()?,
    })
}

/// A value of `null` is an absent one, as in protobuf's JSON.
fn value(body: &Map<String, Value>, field: Field) -> Option<&Value> {
    body.get(field.key()).filter(|value| !value.is_null())
}

/// A server generated from the `OpenAPI` ignores what the document does not know: it does not forbid it.
fn refuse_unknown(config: &Config, body: &Map<String, Value>) -> Result<(), String> {
    match unknown(body).next() {
        Some(key) if config.contract == Contract::Full => Err(format!("`{key}` is not a field that can be written")),
        _ => Ok(()),
    }
}

/// The keys of a body that no document knows, or that only the server writes.
pub(crate) fn unknown(body: &Map<String, Value>) -> impl Iterator<Item = &String> {
    body.keys().filter(|key| *key != "name" && Field::from_key(key).is_none())
}

/// A name in the body must be the one in the URL, in either form; where the server assigns it, there must be none.
fn check_name(body: &Map<String, Value>, ids: Option<&Ids>) -> Result<(), String> {
    let Some(said) = body.get("name").filter(|name| !name.is_null()) else { return Ok(()) };
    let (client, credential) = ids.ok_or("name: the server assigns it")?;
    let forms = ["credentials", "clientCredentials"].map(|form| format!("clients/{client}/{form}/{credential}"));
    match said.as_str() {
        Some(said) if forms.iter().any(|form| form == said) => Ok(()),
        _ => Err(format!("name: {said} is not the one in the URL, {}", forms[0])),
    }
}

fn display_name(body: &Map<String, Value>) -> Result<String, String> {
    match value(body, Field::DisplayName) {
        None => Err("displayName is required".to_owned()),
        Some(Value::String(text)) if text.trim().is_empty() => Err("displayName must not be empty".to_owned()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err("displayName must be a string".to_owned()),
    }
}

fn secret(value: &Value) -> Result<String, String> {
    let object = value.as_object().ok_or("clientSecret must be an object")?;
    if let Some(key) = object.keys().find(|key| *key != "secret") {
        return Err(format!("clientSecret: `{key}` is not a field of it"));
    }
    match string(object.get("secret").unwrap_or(&Value::Null), "clientSecret.secret")? {
        text if text.is_empty() => Err("clientSecret.secret must not be empty".to_owned()),
        text => Ok(text),
    }
}

fn environments(value: &Value) -> Result<Vec<String>, String> {
    let list = value.as_array().ok_or("environments must be a list of strings")?;
    list.iter().map(|item| string(item, "environments")).collect()
}

fn read_labels(config: &Config, value: &Value) -> Result<BTreeMap<String, String>, String> {
    match (value, accepted_labels(config)) {
        (Value::Object(map), None | Some(LabelsShape::Object)) => string_map(map),
        (Value::Array(maps), None | Some(LabelsShape::Array)) => {
            let mut merged = BTreeMap::new();
            for map in maps {
                merged.extend(string_map(map.as_object().ok_or("labels must be a list of maps of strings")?)?);
            }
            Ok(merged)
        }
        (_, Some(LabelsShape::Array)) => Err("labels must be a list of maps of strings".to_owned()),
        (_, None | Some(LabelsShape::Object)) => Err("labels must be a map of strings".to_owned()),
    }
}

fn string_map(map: &Map<String, Value>) -> Result<BTreeMap<String, String>, String> {
    map.iter().map(|(key, value)| Ok((key.clone(), string(value, "labels")?))).collect()
}

fn sdk_type(value: &Value) -> Result<String, String> {
    match value.as_str() {
        Some(text) if SDK_TYPES.contains(&text) => Ok(text.to_owned()),
        _ => Err(format!("sdkType must be one of {}", SDK_TYPES.join(", "))),
    }
}

fn string(value: &Value, field: &str) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("{field}: not a string"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids() -> Ids {
        ("c".into(), "k".into())
    }

    /// With the name of the other form, which is the same name.
    #[test]
    fn full_body_is_read() {
        let body = json!({
            "name": "clients/c/clientCredentials/k", "displayName": "A", "clientSecret": {"secret": "s"},
            "environments": ["e"], "labels": {"a": "b"}, "sdkType": "FRONTEND",
        });
        let requested = read_body(&Config::default(), &body, Some(&ids())).unwrap();
        assert_eq!(requested.fields(), Field::ALL);
        assert_eq!(requested.secret.as_deref(), Some("s"));
    }

    /// As in the JSON of protobuf.
    #[test]
    fn null_is_absent() {
        let requested = read_body(&Config::default(), &json!({"displayName": "A", "labels": null}), None).unwrap();
        assert_eq!(requested.fields(), [Field::DisplayName]);
    }

    /// Wrong types, unknown fields, fields that only the server writes.
    #[test]
    fn undocumented_bodies_are_refused() {
        for body in [
            json!([]),
            json!("text"),
            json!({}),
            json!({"displayName": ""}),
            json!({"displayName": " "}),
            json!({"displayName": null}),
            json!({"displayName": 1}),
            json!({"displayName": "A", "display_name": "A"}),
            json!({"displayName": "A", "updateTime": "2026-01-01T00:00:00Z"}),
            json!({"displayName": "A", "name": "clients/c/credentials/other"}),
            json!({"displayName": "A", "name": 1}),
            json!({"displayName": "A", "clientSecret": "s"}),
            json!({"displayName": "A", "clientSecret": {"value": "s"}}),
            json!({"displayName": "A", "clientSecret": {"secret": 1}}),
            json!({"displayName": "A", "clientSecret": {"secret": ""}}),
            json!({"displayName": "A", "clientSecret": {}}),
            json!({"displayName": "A", "environments": "production"}),
            json!({"displayName": "A", "environments": [1]}),
            json!({"displayName": "A", "labels": {"a": 1}}),
            json!({"displayName": "A", "labels": [{"a": "b"}]}),
            json!({"displayName": "A", "sdkType": "EDGE"}),
            json!({"displayName": "A", "sdkType": 1}),
        ] {
            assert!(read_body(&Config::default(), &body, Some(&ids())).is_err(), "accepted {body}");
        }
    }

    /// Labels as an object, as a list, and either.
    #[test]
    fn labels_are_read_as_configured() {
        let object = json!({"displayName": "A", "labels": {"a": "b"}});
        let array = json!({"displayName": "A", "labels": [{"a": "b"}, {"c": "d"}]});
        let accepts =
            |config: &Config| (read_body(config, &object, None).is_ok(), read_body(config, &array, None).is_ok());
        let strict = |labels| Config { labels, ..Config::default() };
        assert_eq!(accepts(&strict(LabelsShape::Object)), (true, false));
        assert_eq!(accepts(&strict(LabelsShape::Array)), (false, true));
        let lenient = Config { lenient_labels: true, ..Config::default() };
        assert_eq!(accepts(&lenient), (true, true));
        let openapi = Config { contract: Contract::Openapi, ..lenient };
        assert_eq!(accepts(&openapi), (false, true));
        assert_eq!(read_body(&openapi, &array, None).unwrap().labels.unwrap().len(), 2);
    }

    /// The server assigns names.
    #[test]
    fn create_with_a_name_is_refused() {
        let body = json!({"displayName": "A", "name": "clients/c/credentials/k"});
        assert!(read_body(&Config::default(), &body, None).is_err());
    }
}
