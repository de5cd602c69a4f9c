//! Writing answers.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::answered_labels;
use crate::config::{Config, Contract, LabelsShape, NameForm, SecretField, Secrets};
use crate::store::{Client, Credential, Ids};

/// What a credential is an answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// A GET or a LIST.
    Read,
    /// A POST.
    Create,
    /// A PATCH.
    Update,
}

/// A credential as it is answered.
pub(crate) fn render(ids: &Ids, credential: &Credential, config: &Config, shown: Shown) -> Value {
    let mut answer = Map::new();
    let mut put = |key: &str, value: Value| answer.insert(key.to_owned(), value);
    put("name", json!(name(ids, config)));
    put("displayName", json!(credential.display_name));
    if !credential.secret.is_empty() && is_returned(config.secrets, shown) {
        match (config.secret_field, shown) {
            (SecretField::TopLevel, Shown::Create) => put("secret", json!(credential.secret)),
            _ => put("clientSecret", json!({ "secret": credential.secret })),
        };
    }
    put("environments", json!(credential.environments));
    put("labels", labels(credential, config));
    // Protobuf's JSON leaves a default out.
    if !matches!(credential.sdk_type.as_str(), "" | "SDK_TYPE_UNSPECIFIED") {
        put("sdkType", json!(credential.sdk_type));
    }
    put("creator", json!(credential.creator));
    put("updater", json!(credential.updater));
    let times = [
        ("createTime", credential.create_time),
        ("updateTime", credential.update_time),
        ("lastSeenTime", credential.last_seen_time),
    ];
    for (key, at) in times {
        if let Some(at) = at {
            put(key, time(at, config, shown));
        }
    }
    Value::Object(answer)
}

fn is_returned(secrets: Secrets, shown: Shown) -> bool {
    match secrets {
        Secrets::Returned => true,
        Secrets::Withheld => shown == Shown::Create,
        Secrets::Never => false,
    }
}

/// A client as LIST shows it, with the last use of any of its credentials.
pub(crate) fn render_client(id: &str, client: &Client, last_seen: Option<Timestamp>) -> Value {
    let mut answer = json!({
        "name": format!("clients/{id}"),
        "displayName": client.display_name,
        "labels": client.labels,
        "owner": client.owner,
    });
    for (key, at) in [("lastSeenTime", last_seen), ("deleteTime", client.delete_time)] {
        if let Some(at) = at {
            answer[key] = json!(format!("{at:.6}"));
        }
    }
    answer
}

fn name((client, credential): &Ids, config: &Config) -> String {
    let collection = match config.names {
        NameForm::Credentials => "credentials",
        NameForm::ClientCredentials => "clientCredentials",
    };
    format!("clients/{client}/{collection}/{credential}")
}

fn labels(credential: &Credential, config: &Config) -> Value {
    match answered_labels(config) {
        LabelsShape::Object => json!(credential.labels),
        // One map a label, which the document allows as well as one for all: whoever reads must take them together.
        LabelsShape::Array => credential.labels.iter().map(|(key, value)| json!({ key: value })).collect(),
    }
}

fn time(at: Timestamp, config: &Config, shown: Shown) -> Value {
    let digits = if shown == Shown::Read { config.read_time_digits } else { config.write_time_digits };
    match (config.contract, config.timestamp_fields) {
        (Contract::Full, _) => json!(format!("{at:.0$}", usize::from(digits.min(9)))),
        (Contract::Openapi, false) => json!({}),
        (Contract::Openapi, true) => json!({ "seconds": at.as_second(), "nanos": at.subsec_nanosecond() }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn shown(config: &Config) -> Value {
        let labels = [("a", "b"), ("c", "d")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let credential = Credential {
            labels: BTreeMap::from(labels),
            secret: "s".into(),
            update_time: Some(Timestamp::new(1_693_301_817, 163_017_000).unwrap()),
            create_time: Some(Timestamp::UNIX_EPOCH),
            ..Credential::named("A")
        };
        render(&("c".into(), "k".into()), &credential, config, Shown::Read)
    }

    /// The form of recorded payloads, with the secret withheld, as documented.
    #[test]
    fn default_answer_is_as_recorded() {
        assert_eq!(
            shown(&Config::default()),
            json!({
                "name": "clients/c/credentials/k", "displayName": "A", "environments": [],
                "labels": {"a": "b", "c": "d"}, "creator": "", "updater": "",
                "createTime": "1970-01-01T00:00:00.000000Z", "updateTime": "2023-08-29T09:36:57.163017Z",
            })
        );
    }

    /// Labels as a list, names of the other form, the secret in every answer.
    #[test]
    fn answers_follow_the_configuration() {
        let config = Config {
            labels: LabelsShape::Array,
            names: NameForm::ClientCredentials,
            secrets: Secrets::Returned,
            ..Config::default()
        };
        let answer = shown(&config);
        assert_eq!(answer["labels"], json!([{"a": "b"}, {"c": "d"}]));
        assert_eq!(answer["name"], "clients/c/clientCredentials/k");
        assert_eq!(answer["clientSecret"], json!({"secret": "s"}));
    }

    /// As a server that is generated from the document answers them.
    #[test]
    fn openapi_answers_times_as_objects() {
        let mut config = Config { contract: Contract::Openapi, ..Config::default() };
        let answer = shown(&config);
        assert_eq!((&answer["updateTime"], &answer["labels"]), (&json!({}), &json!([{"a": "b"}, {"c": "d"}])));
        config.timestamp_fields = true;
        assert_eq!(shown(&config)["updateTime"], json!({"seconds": 1_693_301_817, "nanos": 163_017_000}));
    }
}
