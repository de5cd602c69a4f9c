//! The rules of the two kinds of account.

use serde_json::{Value, json};

use super::{Accepted, Answer, Case, Objects, Refused, merged};

fn account() -> Value {
    json!({"credentials": {"clientSecretRef": {"name": "confidence-shop"}}})
}

fn cluster_account() -> Value {
    merged(&account(), &json!({"grants": [{"namespaceSelector": {"matchLabels": {"team": "checkout"}}}]}))
}

async fn accounts() -> Objects {
    Objects::of("ConfidenceAccount", "confidenceaccounts", true).await
}

async fn cluster_accounts() -> Objects {
    Objects::of("ClusterConfidenceAccount", "clusterconfidenceaccounts", false).await
}

/// A token goes only where TLS protects it, or to this machine.
#[tokio::test]
async fn account_url_is_https_or_loopback() {
    accounts().await.judge_creations(&account(), urls()).await;
    cluster_accounts().await.judge_creations(&cluster_account(), urls()).await;
}

fn urls() -> Vec<Case> {
    const WORDS: &str = "must be an https URL without user, query and fragment";
    let url = |url: &str, answer: Answer| Case(json!({"url": url}), answer);
    vec![
        url("https://iam.eu.confidence.dev", Accepted),
        url("https://iam.eu.confidence.dev:8443/prefix/", Accepted),
        url("https://[2001:db8::1]", Accepted),
        url("http://127.0.0.1:8080", Accepted),
        url("http://localhost", Accepted),
        url("http://[::1]:1", Accepted),
        url("http://iam.confidence.dev", Refused(WORDS)),
        url("http://127.0.0.1.example.com", Refused(WORDS)),
        url("http://localhost.example.com", Refused(WORDS)),
        url("ftp://h", Refused(WORDS)),
        url("iam.confidence.dev", Refused(WORDS)),
        url("https://a:b@h", Refused(WORDS)),
        url("https://h?x", Refused(WORDS)),
        url("https://h#x", Refused(WORDS)),
        url("https://", Refused(WORDS)),
    ]
}

/// An account has one kind of credentials, in a Secret with keys that may be named.
#[tokio::test]
async fn account_has_exactly_one_kind_of_credentials() {
    accounts().await.judge_creations(&account(), credentials()).await;
    cluster_accounts().await.judge_creations(&cluster_account(), credentials()).await;
    let with_grants = vec![Case(json!({"grants": []}), Refused("field not declared in schema"))];
    accounts().await.judge_creations(&account(), with_grants).await;
}

fn credentials() -> Vec<Case> {
    const WORDS: &str = "must have exactly one of clientSecretRef";
    const NAME: &str = "must be the name of a Secret";
    const KEY: &str = "must be a key of a Secret";
    let with = |fields: Value, answer: Answer| Case(json!({"credentials": fields}), answer);
    let client = |fields: Value, answer: Answer| with(json!({"clientSecretRef": fields}), answer);
    let token =
        |fields: Value, answer: Answer| with(json!({"clientSecretRef": null, "tokenSecretRef": fields}), answer);
    vec![
        Case(json!({}), Accepted),
        Case(json!({"credentials": null}), Refused("credentials: Required")),
        with(json!({"clientSecretRef": null}), Refused(WORDS)),
        with(json!({"tokenSecretRef": {"name": "t"}}), Refused(WORDS)),
        client(json!({"clientIdKey": "id", "clientSecretKey": "secret"}), Accepted),
        client(json!({"clientIdKey": "a/b"}), Refused(KEY)),
        client(json!({"clientSecretKey": "a/b"}), Refused(KEY)),
        client(json!({"name": "Shop"}), Refused(NAME)),
        token(json!({"name": "t", "key": "k"}), Accepted),
        token(json!({"name": "Shop"}), Refused(NAME)),
        token(json!({"name": "t", "key": "a/b"}), Refused(KEY)),
        Case(json!({"requestsPerSecond": 1}), Accepted),
        Case(json!({"requestsPerSecond": 0}), Refused("greater than or equal to 1")),
        Case(json!({"requestsPerSecond": 1001}), Refused("less than or equal to 1000")),
    ]
}

/// What the manifest leaves out is filled in, so that `kubectl get` shows what holds.
#[tokio::test]
async fn absent_account_fields_have_defaults() {
    let stored = accounts().await.apply("validated-defaults", &account(), true).await.unwrap();
    let reference = json!({"name": "confidence-shop", "clientIdKey": "clientId", "clientSecretKey": "clientSecret"});
    let expected = json!({"url": "https://iam.confidence.dev", "credentials": {"clientSecretRef": reference}});
    assert_eq!(stored.data["spec"], expected);
}

/// Another URL would be another account, with other credentials of the same names.
#[tokio::test]
async fn account_url_never_changes() {
    let cases = || {
        vec![
            Case(
                json!({"url": "https://iam.us.confidence.dev"}),
                Refused("is immutable: another URL is another account"),
            ),
            // The one that is the default anyway.
            Case(json!({"url": "https://iam.confidence.dev"}), Accepted),
            Case(json!({"requestsPerSecond": 5, "credentials": {"clientSecretRef": {"name": "other"}}}), Accepted),
        ]
    };
    accounts().await.judge_updates("moved", &account(), cases()).await;
    cluster_accounts().await.judge_updates("moved", &cluster_account(), cases()).await;
}

/// Nothing is granted by default, and a grant that cannot be meant is refused.
#[tokio::test]
async fn grants_say_who_and_for_what() {
    let grant = |fields: Value, answer: Answer| Case(json!({"grants": [fields]}), answer);
    let every = json!({});
    let required = json!({"matchExpressions": [{"key": "team", "operator": "In", "values": ["a"]}]});
    let empty = json!({"matchExpressions": [{"key": "team", "operator": "In"}]});
    let superfluous = json!({"matchExpressions": [{"key": "team", "operator": "Exists", "values": ["a"]}]});
    let unknown = json!({"matchExpressions": [{"key": "team", "operator": "Near", "values": ["a"]}]});
    let clients = |clients: Value| json!({"namespaceSelector": {}, "clients": clients});
    let cases = vec![
        Case(json!({}), Accepted),
        Case(json!({"grants": null}), Refused("grants: Required")),
        Case(json!({"grants": []}), Accepted),
        grant(json!({"namespaceSelector": every}), Accepted),
        grant(json!({"clients": ["clients/c"]}), Refused("namespaceSelector: Required")),
        grant(json!({"namespaceSelector": required}), Accepted),
        grant(json!({"namespaceSelector": empty}), Refused("values are required with In and NotIn")),
        grant(json!({"namespaceSelector": superfluous}), Refused("values are required with In and NotIn")),
        grant(json!({"namespaceSelector": unknown}), Refused("DoesNotExist")),
        grant(clients(json!(["clients/a", "clients/b"])), Accepted),
        grant(clients(json!([])), Refused("to grant every client, leave clients out")),
        grant(clients(json!(["c"])), Refused("each must be the name of a client")),
        grant(clients(json!(["clients/.."])), Refused("each must be the name of a client")),
        grant(clients(json!(["clients/a", "clients/a"])), Refused("uplicate")),
    ];
    cluster_accounts().await.judge_creations(&cluster_account(), cases).await;
}
