//! The rules of `ConfidenceClientCredential`, in both modes.

use serde_json::{Value, json};

use super::{Accepted, Answer, Case, Objects, Refused};

async fn credentials() -> Objects {
    Objects::of("ConfidenceClientCredential", "confidenceclientcredentials", true).await
}

fn adopt() -> Value {
    json!({"name": "clients/c/credentials/k", "displayName": "Checkout"})
}

fn create() -> Value {
    json!({"client": "clients/c", "displayName": "Checkout", "publishedSecret": {"name": "checkout-confidence"}})
}

/// As many labels, the first of which is number 0.
fn labels(count: usize) -> Value {
    (0..count).map(|number| (number.to_string(), json!("x"))).collect::<serde_json::Map<_, _>>().into()
}

/// The name has to be the path of a credential, because it becomes part of a URL.
#[tokio::test]
async fn credential_name_is_one_of_two_forms() {
    const WORDS: &str = "must be the name of a credential as Confidence shows it";
    let id = "A-z0.9_~".repeat(16);
    let long = format!("clients/{}/credentials/b", "x".repeat(129));
    let name = |name: &str, answer: Answer| Case(json!({"name": name}), answer);
    let cases = vec![
        name("clients/a/clientCredentials/b", Accepted),
        name(&format!("clients/{id}/credentials/{id}"), Accepted),
        name("checkout", Refused(WORDS)),
        name("clients/a/keys/b", Refused(WORDS)),
        name("clients/../credentials/b", Refused(WORDS)),
        name("clients/a/credentials/.", Refused(WORDS)),
        name("clients/a/credentials/b/", Refused(WORDS)),
        name(&long, Refused(WORDS)),
    ];
    credentials().await.judge_creations(&adopt(), cases).await;
}

/// The fields that both modes have, with the values at the bounds.
#[tokio::test]
async fn managed_fields_are_checked_for_form() {
    const DURATION: &str = "must be a duration of 1s to 8760h in h, m, s or ms";
    let many: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    let secret = |name: &str, key: &str| json!({"clientSecret": {"secretKeyRef": {"name": name, "key": key}}});
    let cases = vec![
        Case(json!({"displayName": ""}), Refused("must not be blank")),
        Case(json!({"displayName": " \t"}), Refused("must not be blank")),
        Case(json!({"displayName": null}), Refused("displayName: Required")),
        Case(json!({"displayName": "ü".repeat(1024)}), Accepted),
        Case(json!({"displayName": "x".repeat(1025)}), Refused("1024")),
        Case(json!({"environments": [], "labels": {}}), Accepted),
        Case(json!({"environments": ["a", "a"]}), Refused("uplicate")),
        Case(json!({"environments": [""]}), Refused("at least 1 chars")),
        Case(json!({"environments": many}), Refused("at most 100")),
        Case(json!({"environments": "null"}), Refused("must be of type array")),
        Case(json!({"labels": "null"}), Refused("must be of type object")),
        Case(json!({"sdkType": "null"}), Refused("must be of type string")),
        Case(json!({"labels": labels(64)}), Accepted),
        Case(json!({"labels": labels(65)}), Refused("at most 64")),
        Case(json!({"labels": {"": "x"}}), Refused("keys must have 1 to 256 characters")),
        Case(json!({"labels": {"a": 1}}), Refused("expected string")),
        Case(json!({"labels": {"confidence-operator-owner": "x"}}), Refused("are the operator's own")),
        Case(json!({"labels": {"confidence-operators": "x"}}), Accepted),
        Case(json!({"sdkType": "SDK_TYPE_UNSPECIFIED"}), Accepted),
        Case(json!({"sdkType": "MOBILE"}), Refused("BACKEND")),
        Case(json!({"driftPolicy": "Report", "suspend": true}), Accepted),
        Case(json!({"driftPolicy": "Ignore"}), Refused("Report")),
        Case(secret("s", "k"), Accepted),
        Case(secret("Bad Name", "k"), Refused("must be the name of a Secret")),
        Case(secret("s", "a/b"), Refused("must be a key of a Secret")),
        Case(json!({"clientSecret": {"secret": "x"}}), Refused("field not declared in schema")),
        Case(json!({"interval": "1s"}), Accepted),
        Case(json!({"interval": "1h30m"}), Accepted),
        Case(json!({"interval": "1.5h"}), Accepted),
        Case(json!({"interval": "8760h"}), Accepted),
        Case(json!({"interval": "31536000000ms"}), Accepted),
        Case(json!({"interval": "8760h1ms"}), Refused(DURATION)),
        Case(json!({"interval": "999ms"}), Refused(DURATION)),
        Case(json!({"interval": "9000000us"}), Refused(DURATION)),
        Case(json!({"interval": "9000000000ns"}), Refused(DURATION)),
        Case(json!({"interval": "99999999999h"}), Refused(DURATION)),
        Case(json!({"interval": "1d"}), Refused(DURATION)),
        Case(json!({"interval": "-1h"}), Refused(DURATION)),
        Case(json!({"interval": "10"}), Refused(DURATION)),
    ];
    credentials().await.judge_creations(&adopt(), cases).await;
}

/// A resource works in one mode, and each field belongs to one of them or to both.
#[tokio::test]
async fn fields_of_the_other_mode_are_refused() {
    let secret = json!({"secretKeyRef": {"name": "s", "key": "k"}});
    let objects = credentials().await;
    let cases = vec![
        Case(json!({"name": null}), Refused("exactly one of name")),
        Case(json!({"client": "clients/c"}), Refused("exactly one of name")),
        Case(json!({"publishedSecret": {"name": "s"}}), Refused("publishedSecret belongs to client")),
        Case(json!({"rotation": {}}), Refused("rotation belongs to client")),
        Case(json!({"deletionPolicy": "Delete"}), Refused("deletionPolicy Delete belongs to client")),
        Case(json!({"deletionPolicy": "Orphan"}), Accepted),
        Case(json!({"clientSecret": secret}), Accepted),
    ];
    objects.judge_creations(&adopt(), cases).await;
    let cases = vec![
        Case(json!({}), Accepted),
        Case(json!({"publishedSecret": null}), Refused("publishedSecret is required with client")),
        Case(json!({"clientSecret": secret}), Refused("clientSecret belongs to name")),
        Case(json!({"deletionPolicy": "Delete"}), Accepted),
        Case(json!({"deletionPolicy": "Orphan"}), Accepted),
        Case(json!({"deletionPolicy": "Keep"}), Refused("Orphan")),
        Case(json!({"labels": labels(60)}), Accepted),
        Case(json!({"labels": labels(61)}), Refused("at most 60 entries with client")),
        Case(json!({"client": "clients/c/credentials/k"}), Refused("must be the name of a client")),
        Case(json!({"client": "clients/.."}), Refused("must be the name of a client")),
        Case(json!({"client": "c"}), Refused("must be the name of a client")),
    ];
    objects.judge_creations(&create(), cases).await;
}

/// The Secret that is published must be one that the API server will take, and never claim to be the operator's by itself.
#[tokio::test]
async fn published_secret_is_checked_for_form() {
    let with = |fields: Value, answer: Answer| Case(json!({"publishedSecret": fields}), answer);
    let cases = vec![
        with(json!({"name": "Bad_Name"}), Refused("must be the name of a Secret")),
        with(json!({"name": null, "labels": {}}), Refused("name: Required")),
        with(json!({"keys": {"clientSecret": "CONFIDENCE_CLIENT_SECRET", "client": "a", "credential": "b"}}), Accepted),
        with(json!({"keys": {}}), Accepted),
        with(json!({"keys": {"clientSecret": "a b"}}), Refused("must be a key of a Secret")),
        with(json!({"keys": {"client": "a b"}}), Refused("must be a key of a Secret")),
        with(json!({"keys": {"credential": "a b"}}), Refused("must be a key of a Secret")),
        with(json!({"keys": {"clientSecret": "a", "client": "a"}}), Refused("must be different keys")),
        with(json!({"keys": {"client": "a", "credential": "a"}}), Refused("must be different keys")),
        with(json!({"keys": {"credential": "clientSecret"}}), Refused("must be different keys")),
        with(json!({"keys": {"clientSecret": "a", "credential": "clientSecret"}}), Accepted),
        with(json!({"annotations": {"reloader.stakater.com/match": "true"}}), Accepted),
        with(json!({"annotations": {"iam.confidence.dev/owner": "x"}}), Refused("are the operator's own")),
        with(json!({"annotations": {"a b": "x"}}), Refused("keys must be as Kubernetes has them")),
        with(json!({"labels": {"example.com/team": "checkout", "empty": ""}}), Accepted),
        with(json!({"labels": {"iam.confidence.dev/x": "x"}}), Refused("are the operator's own")),
        with(json!({"labels": {"-a": "x"}}), Refused("keys must be as Kubernetes has them")),
        with(json!({"labels": {"a": "-x"}}), Refused("values must be as Kubernetes has them")),
        with(json!({"labels": {"a": "x".repeat(64)}}), Refused("63")),
    ];
    credentials().await.judge_creations(&create(), cases).await;
}

/// A rotation that begins before the last one has ended would never let an old credential go.
#[tokio::test]
async fn rotation_durations_fit_each_other() {
    const SUM: &str = "every must be at least overlap.atLeast (default 1h) plus overlap.untilUnusedFor (default 24h)";
    let with = |fields: Value, answer: Answer| Case(json!({"rotation": fields}), answer);
    let overlap = |fields: Value, answer: Answer| with(json!({"overlap": fields}), answer);
    let cases = vec![
        with(json!({}), Accepted),
        with(json!({"every": "25h"}), Accepted),
        with(json!({"every": "24h59m"}), Refused(SUM)),
        with(json!({"every": "1h", "overlap": {"atLeast": "5m", "untilUnusedFor": "1h"}}), Refused(SUM)),
        with(json!({"every": "65m", "overlap": {"atLeast": "5m", "untilUnusedFor": "1h"}}), Accepted),
        with(json!({"every": "59m"}), Refused("must be a duration of 1h to 8760h")),
        with(json!({"every": "monthly"}), Refused("must be a duration of 1h to 8760h")),
        with(json!({"every": "8761h"}), Refused("must be a duration of 1h to 8760h")),
        overlap(json!({"atLeast": "4m59s"}), Refused("must be a duration of 5m to 8760h")),
        overlap(json!({"atLeast": "5m"}), Accepted),
        overlap(json!({"untilUnusedFor": "59m"}), Refused("must be a duration of 1h to 8760h")),
        overlap(json!({"atMost": "1h"}), Accepted),
        overlap(json!({"atMost": "59m"}), Refused("atMost must be at least atLeast")),
        overlap(json!({"atLeast": "2h", "atMost": "90m"}), Refused("atMost must be at least atLeast")),
        overlap(json!({"atLeast": "5m", "atMost": "5m"}), Accepted),
        overlap(json!({"atMost": "never"}), Refused("must be a duration of 5m to 8760h")),
    ];
    credentials().await.judge_creations(&create(), cases).await;
}

/// Which credential a resource is about never changes: the form of its name may, and the mode may not.
#[tokio::test]
async fn adopted_credential_never_becomes_another() {
    let change = json!({"name": null, "client": "clients/c", "publishedSecret": {"name": "s"}});
    let cases = vec![
        Case(json!({"name": "clients/c/clientCredentials/k"}), Accepted),
        Case(json!({"name": "clients/c/credentials/other"}), Refused("is immutable: it names another credential")),
        Case(json!({"name": "clients/other/credentials/k"}), Refused("is immutable: it names another credential")),
        Case(change, Refused("name and client are immutable")),
        Case(
            json!({"accountRef": {"name": "shop"}}),
            Refused("accountRef is immutable: it cannot be added or removed"),
        ),
    ];
    credentials().await.judge_updates("adopted", &adopt(), cases).await;
}

/// A created credential stays under its client and in its account; where it is published may change.
#[tokio::test]
async fn created_credential_never_moves() {
    let base = super::merged(&create(), &json!({"accountRef": {"name": "shop"}}));
    let change = json!({"client": null, "publishedSecret": null, "name": "clients/c/credentials/k"});
    let cases = vec![
        Case(json!({"client": "clients/other"}), Refused("a credential cannot move to another client")),
        Case(change, Refused("name and client are immutable")),
        Case(json!({"publishedSecret": {"name": "elsewhere"}}), Accepted),
        Case(json!({"deletionPolicy": "Orphan", "rotation": {"every": "720h"}}), Accepted),
        Case(json!({"accountRef": null}), Refused("accountRef is immutable: it cannot be added or removed")),
        Case(json!({"accountRef": {"name": "other"}}), Refused("a credential cannot move to another account")),
        // The kind that is the default anyway.
        Case(json!({"accountRef": {"kind": "ConfidenceAccount"}}), Accepted),
        Case(
            json!({"accountRef": {"kind": "ClusterConfidenceAccount"}}),
            Refused("a credential cannot move to another account"),
        ),
    ];
    credentials().await.judge_updates("created", &base, cases).await;
}

/// The reference names an object of one of the two kinds.
#[tokio::test]
async fn account_reference_is_checked_for_form() {
    let cases = vec![
        Case(json!({"accountRef": {"kind": "ClusterConfidenceAccount", "name": "shop"}}), Accepted),
        Case(json!({"accountRef": {"kind": "Account", "name": "shop"}}), Refused("ClusterConfidenceAccount")),
        Case(json!({"accountRef": {"name": "Shop!"}}), Refused("must be the name of an object")),
        Case(json!({"accountRef": {"kind": "ConfidenceAccount"}}), Refused("name: Required")),
    ];
    credentials().await.judge_creations(&adopt(), cases).await;
}
