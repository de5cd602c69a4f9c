//! How credentials look in JSON, and what a body must look like.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::config::{Config, Contract, LabelsShape, NameForm, Secrets};
use crate::store::{Credential, FIELDS, Ids, Values};

/// A credential as it is answered.
pub(crate) fn render(ids: &Ids, credential: &Credential, config: &Config, with_secret: bool) -> Value {
    let mut map = Map::new();
    map.insert("name".into(), name(ids, config).into());
    map.insert("displayName".into(), credential.display_name.clone().into());
    if with_secret || config.secrets == Secrets::Returned {
        map.insert("clientSecret".into(), json!({"secret": credential.secret}));
    }
    map.insert("environments".into(), credential.environments.clone().into());
    map.insert("labels".into(), labels(credential, config));
    // Protobuf's JSON leaves a default out.
    if !credential.sdk_type.is_empty() && credential.sdk_type != "SDK_TYPE_UNSPECIFIED" {
        map.insert("sdkType".into(), credential.sdk_type.clone().into());
    }
    for (name, at) in [
        ("createTime", credential.create_time),
        ("updateTime", credential.update_time),
        ("lastSeenTime", credential.last_seen_time),
    ] {
        if let Some(at) = at {
            map.insert(name.into(), time(at, config));
        }
    }
    map.insert("creator".into(), credential.creator.clone().into());
    map.insert("updater".into(), credential.updater.clone().into());
    Value::Object(map)
}

fn name((client, credential): &Ids, config: &Config) -> String {
    let collection = match config.names {
        NameForm::Credentials => "credentials",
        NameForm::ClientCredentials => "clientCredentials",
    };
    format!("clients/{client}/{collection}/{credential}")
}

fn shape(config: &Config) -> LabelsShape {
    if config.contract == Contract::Openapi { LabelsShape::Array } else { config.labels }
}

fn labels(credential: &Credential, config: &Config) -> Value {
    match shape(config) {
        LabelsShape::Object => json!(credential.labels),
        // One map a label, as a generated server would: whoever reads must take them together.
        LabelsShape::Array => credential.labels.iter().map(|(key, value)| json!({key: value})).collect(),
    }
}

fn time(at: Timestamp, config: &Config) -> Value {
    match (config.contract, config.timestamp_fields) {
        (Contract::Full, _) => format!("{at:.6}").into(),
        (Contract::Openapi, false) => json!({}),
        (Contract::Openapi, true) => json!({"seconds": at.as_second(), "nanos": at.subsec_nanosecond()}),
    }
}

/// Reads a body; says what is wrong with it.
pub(crate) fn values(body: &[u8], config: &Config) -> Result<Values, String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    let Value::Object(mut map) = body else { return Err("the body is not an object".to_owned()) };
    let mut values = Values::default();
    map.remove("name");
    if let Some(value) = map.remove("displayName") {
        values.display_name = Some(value.as_str().ok_or("displayName is not a string")?.to_owned());
    }
    if values.display_name.as_deref().is_none_or(|name| name.trim().is_empty()) {
        return Err("displayName is required".to_owned());
    }
    if let Some(value) = map.remove("environments") {
        values.environments = Some(read(value, "environments", "a list of strings")?);
    }
    if let Some(value) = map.remove("labels") {
        values.labels = Some(match shape(config) {
            LabelsShape::Object => read(value, "labels", "an object of strings")?,
            LabelsShape::Array => {
                let maps: Vec<std::collections::BTreeMap<String, String>> =
                    read(value, "labels", "a list of objects of strings")?;
                maps.into_iter().flatten().collect()
            }
        });
    }
    if let Some(value) = map.remove("sdkType") {
        let known = ["SDK_TYPE_UNSPECIFIED", "BACKEND", "FRONTEND"];
        let value = value.as_str().filter(|value| known.contains(value));
        values.sdk_type = Some(value.ok_or("sdkType is none of the enum's values")?.to_owned());
    }
    if let Some(value) = map.remove("clientSecret") {
        let secret = value.get("secret").and_then(Value::as_str).filter(|secret| !secret.is_empty());
        values.secret = Some(secret.ok_or("clientSecret has no secret")?.to_owned());
    }
    match map.keys().next() {
        Some(unknown) => Err(format!("unknown field {unknown:?}")),
        None => Ok(values),
    }
}

fn read<T: serde::de::DeserializeOwned>(value: Value, field: &str, what: &str) -> Result<T, String> {
    serde_json::from_value(value).map_err(|_| format!("{field} is not {what}"))
}

/// The fields that a body brings, as paths of a mask.
pub(crate) fn brought(values: &Values) -> Vec<String> {
    let is_there = |path: &str| match path {
        "display_name" => values.display_name.is_some(),
        "environments" => values.environments.is_some(),
        "labels" => values.labels.is_some(),
        "sdk_type" => values.sdk_type.is_some(),
        _ => values.secret.is_some(),
    };
    FIELDS.iter().map(|(path, _)| *path).filter(|path| is_there(path)).map(str::to_owned).collect()
}

/// Reads a mask; says what is wrong with it.
pub(crate) fn mask(text: Option<&str>, values: &Values) -> Result<Vec<String>, String> {
    let Some(text) = text else { return Ok(brought(values)) };
    let paths: Vec<String> = text.split(',').map(str::to_owned).collect();
    match paths.iter().find(|path| !FIELDS.iter().any(|(known, _)| known == path)) {
        Some(unknown) => Err(format!("updateMask: unknown path {unknown:?}")),
        None => Ok(paths),
    }
}
