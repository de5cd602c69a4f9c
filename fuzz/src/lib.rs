//! What has to hold for any bytes from outside. Shared by the fuzz targets and by `tests/fuzz.rs`, which replays the seeds
//! in `cargo test`.
//!
//! `cargo +nightly fuzz run credential fuzz/corpus/credential fuzz/seeds/credential` looks for more.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, missing_docs)]

use bytes::Bytes;
use confidence_operator::confidence::error::{
    Effect, Error, MAX_RETRY_AFTER, MIN_RETRY_AFTER, Now, RequestContext, SentSecrets,
};
use confidence_operator::confidence::name::CredentialName;
use confidence_operator::confidence::wire::{ClientCredential, ClientsPage, ListPage};
use confidence_operator::confidence::{Cause, IssuedToken, Recovery};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

/// Stands where a secret may be; a text that holds it has told the secret.
const MARK: &str = "s3cr3t-0f-th3-4cc0unt";

/// The answer to a GET or a PATCH.
pub fn credential(data: &[u8]) {
    if let Ok(credential) = ClientCredential::from_json(data) {
        same_when_read_again(&credential);
        shows_no_secret(data);
    }
    errors_repeat_nothing(data, |text| ClientCredential::from_json(text).err().map(|it| format!("{it} {it:?}")));
}

/// The answer to a LIST, of credentials or of clients.
pub fn page(data: &[u8]) {
    if let Ok(page) = ClientsPage::from_json(data) {
        assert_ne!(page.next_page_token.as_deref(), Some(""), "an empty token would ask for the first page again");
        for client in &page.clients {
            let name = format!("clients/{}/credentials/k", client.id);
            assert!(name.parse::<CredentialName>().is_ok(), "{name}");
        }
    }
    errors_repeat_nothing(data, |text| ClientsPage::from_json(text).err().map(|it| format!("{it} {it:?}")));
    if let Ok(page) = ListPage::from_json(data) {
        assert_ne!(page.next_page_token.as_deref(), Some(""), "an empty token would ask for the first page again");
        for credential in &page.credentials {
            same_when_read_again(credential);
        }
    }
    errors_repeat_nothing(data, |text| ListPage::from_json(text).err().map(|it| format!("{it} {it:?}")));
}

/// A response that claims no success: two bytes for the status, one for the length of `Retry-After`, that, and the body.
pub fn refusal(data: &[u8]) {
    let [high, low, length, rest @ ..] = data else { return };
    let status = 300 + u16::from_be_bytes([*high, *low]) % 300;
    let (retry_after, body) = rest.split_at(usize::from(*length).min(rest.len()));
    for is_proven in [false, true] {
        let classify = |effect, body: &[u8]| classified(effect, is_proven, status, retry_after, body);
        let (now, error) = classify(Effect::Write, body);
        let text = error.to_string();
        assert!(!text.chars().any(char::is_control) && text.chars().count() < 700, "one short line: {text:?}");
        if let Some(at) = error.retry_at() {
            let wait = at - now.instant;
            assert!((MIN_RETRY_AFTER..=MAX_RETRY_AFTER).contains(&wait), "{wait:?}");
        }
        let (_, read) = classify(Effect::Read, body);
        assert_eq!((read.cause(), read.outcome_unknown()), (error.cause(), false), "a read changes nothing");
        assert!(!error.outcome_unknown() || error.recovery() == Recovery::Retry, "nobody can mend an unknown outcome");
        // No JSON begins like this, so the words are surely not Confidence's.
        let (_, foreign) = classify(Effect::Write, &[b"<", body].concat());
        assert_ne!(foreign.cause(), Cause::NotFound, "an HTML 404 is not believed");
        assert_eq!(foreign.to_string(), classify(Effect::Write, b"").1.to_string(), "nothing of it is repeated");
        repeats_no_token(&classify, body);
    }
}

fn classified(effect: Effect, is_proven: bool, status: u16, retry_after: &[u8], body: &[u8]) -> (Now, Error) {
    let mut response = http::Response::builder().status(status);
    if let Ok(value) = http::HeaderValue::from_bytes(retry_after) {
        response = response.header(http::header::RETRY_AFTER, value);
    }
    let token = MARK.into();
    let secrets = SentSecrets { in_body: false, token: Some(&token) };
    let context = RequestContext { effect, is_proven, secrets };
    let now = Now::read();
    (now, Error::from_response(context, &response.body(Bytes::copy_from_slice(body)).unwrap(), now))
}

/// A server that echoes the token, wherever and in capitals, has it repeated nowhere.
fn repeats_no_token(classify: &impl Fn(Effect, &[u8]) -> (Now, Error), body: &[u8]) {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else { return };
    let echo = marked(&answer, false).to_string();
    for echo in [echo.replace(MARK, &MARK.to_uppercase()), echo] {
        let (_, error) = classify(Effect::Write, echo.as_bytes());
        assert!(!format!("{error} {error:?}").to_lowercase().contains(MARK), "{error}");
    }
}

/// The answer to a token call.
pub fn token(data: &[u8]) {
    if let Ok(issued) = IssuedToken::from_json(data) {
        assert!(!issued.value.expose_secret().is_empty());
        if let Some(life) = issued.life {
            assert!((1..=365 * 24 * 3600).contains(&life.as_secs()), "{life:?}");
        }
        if let Ok(Value::Object(mut answer)) = serde_json::from_slice(data) {
            answer.insert("accessToken".to_owned(), json!(MARK));
            let issued = IssuedToken::from_json(Value::Object(answer).to_string().as_bytes()).unwrap();
            assert!(!format!("{issued:?}").contains(MARK));
        }
    }
    errors_repeat_nothing(data, |text| IssuedToken::from_json(text).err().map(|it| format!("{it} {it:?}")));
}

/// A name, as a manifest or an answer has it.
pub fn name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(name) = text.parse::<CredentialName>() else { return };
    assert_eq!(name.to_string().parse::<CredentialName>().unwrap(), name);
    let other_form = format!("clients/{}/clientCredentials/{}", name.client(), name.credential());
    assert_eq!(other_form.parse::<CredentialName>().unwrap(), name);
    // It leads to its own path and to no other.
    let url = url::Url::parse("https://iam.confidence.dev/v1/").unwrap().join(&name.to_string()).unwrap();
    assert_eq!(url.as_str(), format!("https://iam.confidence.dev/v1/{name}"));
}

/// What was read, written down in either form of labels, reads the same.
fn same_when_read_again(credential: &ClientCredential) {
    let maps = credential.labels.iter().map(|(key, value)| json!({key.as_str(): value}));
    for labels in [json!(credential.labels), maps.collect()] {
        let text = json!({
            "name": credential.name.as_ref().map(ToString::to_string),
            "displayName": credential.display_name,
            "environments": credential.environments,
            "labels": labels,
            "sdkType": credential.sdk_type.as_str(),
            "createTime": credential.create_time,
            "updateTime": credential.update_time,
            "lastSeenTime": credential.last_seen_time,
            "creator": credential.creator,
            "updater": credential.updater,
            "clientSecret": {"secret": credential.client_secret.as_ref().map(ExposeSecret::expose_secret)},
        });
        let mut again = ClientCredential::from_json(text.to_string().as_bytes()).unwrap();
        let secret = |it: &ClientCredential| it.client_secret.as_ref().map(|it| it.expose_secret().to_owned());
        assert_eq!(secret(&again), secret(credential));
        again.labels_shape = credential.labels_shape;
        assert_eq!(format!("{again:?}"), format!("{credential:?}"));
    }
}

/// A credential shows its secret in no debug output.
fn shows_no_secret(data: &[u8]) {
    let Ok(Value::Object(mut answer)) = serde_json::from_slice(data) else { return };
    answer.insert("clientSecret".to_owned(), json!({"secret": MARK}));
    let credential = ClientCredential::from_json(Value::Object(answer).to_string().as_bytes()).unwrap();
    assert_eq!(credential.client_secret.as_ref().unwrap().expose_secret(), MARK);
    assert!(!format!("{credential:?}").contains(MARK));
}

/// An error about an answer repeats no text of it, be it a value or the name of a field.
fn errors_repeat_nothing(data: &[u8], error: impl Fn(&[u8]) -> Option<String>) {
    let Ok(answer) = serde_json::from_slice::<Value>(data) else { return };
    for names_too in [false, true] {
        let marked = marked(&answer, names_too).to_string();
        let text = error(marked.as_bytes()).unwrap_or_default();
        assert!(!text.contains(MARK), "{text}");
    }
}

fn marked(value: &Value, names_too: bool) -> Value {
    match value {
        Value::String(_) => json!(MARK),
        Value::Array(values) => values.iter().map(|value| marked(value, names_too)).collect(),
        Value::Object(map) => {
            let name = |name: &String| if names_too { MARK.to_owned() } else { name.clone() };
            Value::Object(map.iter().map(|(key, value)| (name(key), marked(value, names_too))).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}
