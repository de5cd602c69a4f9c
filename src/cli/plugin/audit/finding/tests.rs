//! What an audit finds, kind by kind.

use serde_json::{Value, json};

use super::*;
use crate::account::DEFAULT_ACCOUNT;

const INSTANCE: &str = "this cluster";
const DAY: Duration = Duration::from_hours(24);

fn credential(id: &str, fields: &Value) -> ClientCredential {
    let mut all = json!({"name": format!("clients/c/credentials/{id}"), "displayName": id,
                         "lastSeenTime": "2026-03-01T00:00:00Z", "clientSecret": {"secret": "s3cr3t"}});
    all.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap());
    ClientCredential::from_json(all.to_string().as_bytes()).unwrap()
}

fn resource(uid: &str, spec: &Value, status: &Value) -> ConfidenceClientCredential {
    let object = json!({"apiVersion": "iam.confidence.dev/v1alpha1", "kind": "ConfidenceClientCredential",
                        "metadata": {"name": "r", "namespace": "shop", "uid": uid}, "spec": spec, "status": status});
    serde_json::from_value(object).unwrap()
}

fn adopting(id: &str) -> ConfidenceClientCredential {
    let spec = json!({"name": format!("clients/c/clientCredentials/{id}"), "displayName": "x"});
    resource("u1", &spec, &Value::Null)
}

fn creating(status: &Value) -> ConfidenceClientCredential {
    let spec = json!({"client": "clients/c", "displayName": "x", "publishedSecret": {"name": "s"}});
    resource("u2", &spec, status)
}

fn found(credentials: &[ClientCredential], resources: &[ConfidenceClientCredential]) -> Vec<Finding> {
    let now = "2026-03-02T00:00:00Z".parse().unwrap();
    findings(
        credentials,
        &Inputs {
            account: DEFAULT_ACCOUNT,
            resources,
            instance: INSTANCE,
            now,
            stale_after: 30 * DAY,
            never_seen_after: 7 * DAY,
        },
    )
}

fn kinds(credential: ClientCredential, resources: &[ConfidenceClientCredential]) -> Vec<Kind> {
    found(&[credential], resources).into_iter().map(|finding| finding.kind).collect()
}

fn owned(instance: &str, uid: &str) -> Value {
    json!({"labels": {OWNER_LABEL: OwnerLabel::new(instance, uid).to_string()}})
}

/// A credential is managed by the resource that names it, in either form of the name.
#[test]
fn credential_without_resource_is_unmanaged() {
    assert_eq!(kinds(credential("k", &json!({})), &[]), [Kind::Unmanaged]);
    assert_eq!(kinds(credential("k", &json!({})), &[adopting("k")]), []);
    assert_eq!(kinds(credential("k", &json!({})), &[adopting("other")]), [Kind::Unmanaged]);
}

/// A resource that uses another account says nothing of a credential of this one.
#[test]
fn resource_of_other_account_manages_nothing() {
    let mut other = adopting("k");
    other.spec.account_ref = Some(serde_json::from_value(json!({"name": "eu"})).unwrap());
    assert_eq!(kinds(credential("k", &json!({})), &[other]), [Kind::Unmanaged]);
    // A credential that carries the label of an existing resource is no orphan, whichever account it uses.
    let mut other = creating(&Value::Null);
    other.spec.account_ref = Some(serde_json::from_value(json!({"name": "eu"})).unwrap());
    assert_eq!(kinds(credential("k", &owned(INSTANCE, "u2")), &[other]), []);
}

/// The owner label tells whose it was. One whose resource exists is on its way.
#[test]
fn owner_label_tells_orphan_from_foreign() {
    let creating = [creating(&Value::Null)];
    assert_eq!(kinds(credential("k", &owned(INSTANCE, "u2")), &creating), []);
    assert_eq!(kinds(credential("k", &owned(INSTANCE, "gone")), &creating), [Kind::Orphan]);
    assert_eq!(kinds(credential("k", &owned("another", "u2")), &creating), [Kind::Foreign]);
}

/// Use is judged by what Confidence tells, and a new credential has time to be used.
#[test]
fn unused_credential_is_stale_or_never_seen() {
    let kinds = |fields: Value| kinds(credential("k", &fields), &[adopting("k")]);
    assert_eq!(kinds(json!({"lastSeenTime": "2026-01-01T00:00:00Z"})), [Kind::Stale]);
    assert_eq!(kinds(json!({"lastSeenTime": "2026-02-20T00:00:00Z"})), []);
    assert_eq!(kinds(json!({"lastSeenTime": null, "createTime": "2026-02-01T00:00:00Z"})), [Kind::NeverSeen]);
    assert_eq!(kinds(json!({"lastSeenTime": null, "createTime": "2026-03-01T00:00:00Z"})), []);
}

/// A superseded credential is a finding only when it was used after the switch.
#[test]
fn superseded_credential_in_use_is_found() {
    let superseded = |since: &str| {
        let old = json!({"name": "clients/c/credentials/k", "since": since, "why": "Rotated"});
        [creating(&json!({"name": "clients/c/credentials/new", "rotation": {"superseded": [old]}}))]
    };
    assert_eq!(kinds(credential("k", &json!({})), &superseded("2026-02-28T00:00:00Z")), [Kind::SupersededInUse]);
    assert_eq!(kinds(credential("k", &json!({})), &superseded("2026-03-01T12:00:00Z")), []);
    let finding = &found(&[credential("k", &json!({}))], &superseded("2026-02-28T00:00:00Z"))[0];
    assert!(finding.fix.contains("kubectl annotate ccc r -n shop iam.confidence.dev/retire=clients/c/credentials/k"));
}

/// The table as a person reads it; no secret is in it.
#[test]
fn findings_are_a_table() {
    let text = text(&found(&[credential("k", &json!({}))], &[]), 1);
    let expected = "\
KIND        CREDENTIAL                DISPLAY NAME   RESOURCE   LAST SEEN    WHAT TO DO
unmanaged   clients/c/credentials/k   k              -          2026-03-01   \
kubectl confidence import --credential clients/c/credentials/k | kubectl apply -f -
1 credential, 1 finding
";
    assert_eq!(text, expected);
}
