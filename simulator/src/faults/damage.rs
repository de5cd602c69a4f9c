//! Answers that are not as they should be.

use serde_json::{Value, json};

use super::FaultKind;
use crate::api::{Answer, Payload};

/// The answer, damaged as the fault has it.
pub(super) fn damage(fault: &FaultKind, answer: Answer) -> Answer {
    let body = match fault {
        FaultKind::BrokenJson => broken(answer.body),
        FaultKind::WrongShape => Payload::Json(json!([])),
        FaultKind::Huge { bytes } => Payload::Huge(*bytes),
        FaultKind::Unknown => each_credential(answer.body, from_the_future),
        FaultKind::Without { fields } => each_credential(answer.body, |credential| remove(credential, fields)),
        FaultKind::UnreadableEntry { index } => spoil_entry(answer.body, *index),
        FaultKind::BadName => each_credential(answer.body, |credential| credential["name"] = json!("string")),
        _ => answer.body,
    };
    Answer { body, ..answer }
}

fn broken(body: Payload) -> Payload {
    let mut text = match body {
        Payload::Json(value) => value.to_string(),
        _ => "{}".to_owned(),
    };
    // Cut before the middle, at a place that is no boundary of the JSON and is one of the text.
    let cut = (1..=text.len() / 2).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(1);
    text.truncate(cut);
    Payload::Text { content_type: "application/json", text }
}

fn from_the_future(credential: &mut Value) {
    credential["sdkType"] = json!("EDGE");
    credential["rotationPolicy"] = json!({ "every": "90d", "owners": [{ "team": "unknown" }] });
    credential["etag"] = json!(17);
}

fn remove(credential: &mut Value, fields: &[String]) {
    if let Some(object) = credential.as_object_mut() {
        object.retain(|key, _| !fields.contains(key));
    }
}

fn spoil_entry(body: Payload, index: usize) -> Payload {
    let Payload::Json(mut value) = body else { return body };
    if let Some(entry) = value.pointer_mut(&format!("/clientCredentials/{index}")) {
        entry["displayName"] = json!({ "text": "not a string" });
    }
    Payload::Json(value)
}

/// Changes a credential, or all on a page; an error stays as it is.
fn each_credential(body: Payload, change: impl Fn(&mut Value)) -> Payload {
    let Payload::Json(mut value) = body else { return body };
    if let Some(Value::Array(page)) = value.get_mut("clientCredentials") {
        page.iter_mut().for_each(change);
    } else if value.get("displayName").is_some() {
        change(&mut value);
    }
    Payload::Json(value)
}
