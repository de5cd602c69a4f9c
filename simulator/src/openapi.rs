//! The vendor's OpenAPI of the update call, as a schema to hold requests and answers against.
//!
//! The document has known faults of rendering; what departs from it is taken back to its form first, each departure by a
//! function that says why. Nothing else is.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::record::{Call, CallKind};

/// The document, as the vendor publishes it.
const DOCUMENT: &str = include_str!("../../tests/client-credential.openapi.yaml");

static VALIDATORS: LazyLock<Result<(Validator, Validator), String>> = LazyLock::new(|| {
    let document: Value = serde_saphyr::from_str(DOCUMENT).map_err(|error| error.to_string())?;
    let at = |pointer: &str| document.pointer(pointer).cloned().ok_or_else(|| format!("no {pointer} in the OpenAPI"));
    let body =
        "/paths/~1v1~1clients~1{client}~1credentials~1{credential}/patch/requestBody/content/application~1json/schema";
    let answer = "/components/schemas/confidence.iam.v1.ClientCredential";
    let compile = |schema: Value| jsonschema::validator_for(&closed(schema)).map_err(|error| error.to_string());
    Ok((compile(at(body)?)?, compile(at(answer)?)?))
});

/// Whether the form of labels and timestamps is the OpenAPI's to the letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// It is: no departure is taken back but the mask's.
    ToTheLetter,
    /// It is the one of the vendor's recorded payloads.
    AsRecorded,
}

/// What is wrong with an update, by the OpenAPI.
///
/// # Errors
/// One line for each fault.
pub fn check_request(call: &Call, strictness: Strictness) -> Result<(), String> {
    if call.kind != CallKind::Update {
        return Err(format!("{} is not in the OpenAPI", call.line));
    }
    if let Some((key, _)) = parameters(call).find(|(key, _)| key != "updateMask") {
        return Err(format!("the parameter {key} is not in the OpenAPI"));
    }
    if call.mask.iter().any(|path| path.is_empty() || path.chars().any(|c| !(c.is_ascii_lowercase() || c == '_'))) {
        // The OpenAPI renders the mask `type: object`; its own example is a path, and on the wire it is a list of them.
        return Err(format!("the mask {:?} is not one of snake_case paths", call.mask));
    }
    let mut body = call.body.clone();
    if strictness == Strictness::AsRecorded {
        labels_as_array(&mut body);
    }
    let (request, _) = VALIDATORS.as_ref().map_err(Clone::clone)?;
    check(request, &body)
}

/// What is wrong with the answer to an update, by the OpenAPI.
///
/// # Errors
/// One line for each fault.
pub fn check_answer(answer: &Value, strictness: Strictness) -> Result<(), String> {
    let mut answer = answer.clone();
    if strictness == Strictness::AsRecorded {
        labels_as_array(&mut answer);
        times_as_objects(&mut answer);
    }
    let (_, schema) = VALIDATORS.as_ref().map_err(Clone::clone)?;
    check(schema, &answer)
}

/// The parameters in the query of a call.
fn parameters(call: &Call) -> impl Iterator<Item = (String, String)> {
    let query = call.line.split_once('?').map_or("", |(_, query)| query);
    url::form_urlencoded::parse(query.as_bytes()).into_owned()
}

/// The schema without room for what it does not document: stricter than the document, which forbids nothing.
fn closed(mut schema: Value) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("additionalProperties".to_owned(), json!(false));
    }
    schema
}

fn check(validator: &Validator, value: &Value) -> Result<(), String> {
    let faults: Vec<String> =
        validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// The OpenAPI renders the map of labels as an array of maps; recorded payloads and the protobufs have one object.
fn labels_as_array(value: &mut Value) {
    if let Some(labels) = value.get_mut("labels").filter(|labels| labels.is_object()) {
        *labels = json!([labels.take()]);
    }
}

/// The OpenAPI renders timestamps as objects; on the wire they are strings (RFC 3339).
fn times_as_objects(value: &mut Value) {
    for name in ["createTime", "updateTime", "lastSeenTime"] {
        if let Some(time) = value.get_mut(name)
            && time.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok())
        {
            *time = json!({});
        }
    }
}
