//! Specs as this program reads them.

use serde_json::{Value, json};

use super::*;

fn spec(fields: &Value) -> ConfidenceClientCredentialSpec {
    let mut spec = json!({"displayName": "Checkout"});
    spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

/// A newer CRD may allow values and fields that this program does not know; one such object must not stop the watch.
#[test]
fn values_of_a_newer_crd_are_unknown() {
    let spec = spec(&json!({
        "name": "clients/c/credentials/k", "sdkType": "EDGE", "driftPolicy": "Ask", "deletionPolicy": "Archive",
        "accountRef": {"kind": "GlobalConfidenceAccount", "name": "shop"}, "tomorrow": {"a": 1},
    }));
    assert_eq!(spec.sdk_type, Some(SdkType::Unknown));
    assert_eq!(spec.drift_policy, DriftPolicy::Unknown);
    assert_eq!(spec.effective_deletion_policy(), DeletionPolicy::Unknown);
    assert_eq!(spec.account_ref.unwrap().kind, AccountKind::Unknown);
}

/// Where the spec does not say, a created credential goes with its resource, and an adopted one stays.
#[test]
fn absent_deletion_policy_follows_the_mode() {
    let created = spec(&json!({"client": "clients/c", "publishedSecret": {"name": "s"}}));
    assert_eq!(created.effective_deletion_policy(), DeletionPolicy::Delete);
    let adopted = spec(&json!({"name": "clients/c/credentials/k"}));
    assert_eq!(adopted.effective_deletion_policy(), DeletionPolicy::Orphan);
    let kept = spec(&json!({"client": "clients/c", "deletionPolicy": "Orphan"}));
    assert_eq!(kept.effective_deletion_policy(), DeletionPolicy::Orphan);
}

/// The defaults of the overlap hold where the whole of it is absent, and field by field.
#[test]
fn absent_overlap_has_the_defaults() {
    let hours = |count| Duration::from_hours(count);
    let rotation = spec(&json!({"client": "clients/c", "rotation": {}})).rotation.unwrap();
    assert_eq!(rotation.every(), Ok(None));
    assert_eq!(rotation.overlap.at_least(), Ok(hours(1)));
    assert_eq!(rotation.overlap.until_unused_for(), Ok(hours(24)));
    assert_eq!(rotation.overlap.at_most(), Ok(None));
    let rotation = json!({"rotation": {"every": "720h", "overlap": {"atLeast": "5m", "atMost": "800h"}}});
    let rotation = spec(&rotation).rotation.unwrap();
    assert_eq!(rotation.every(), Ok(Some(hours(720))));
    assert_eq!(rotation.overlap.at_least(), Ok(Duration::from_mins(5)));
    assert_eq!(rotation.overlap.until_unused_for(), Ok(hours(24)));
    assert_eq!(rotation.overlap.at_most(), Ok(Some(hours(800))));
}

/// The secret has a key of its own unless the spec names another.
#[test]
fn absent_key_of_the_secret_is_client_secret() {
    let published = |keys: Value| {
        let spec = spec(&json!({"client": "clients/c", "publishedSecret": {"name": "s", "keys": keys}}));
        spec.published_secret.unwrap().keys
    };
    assert_eq!(published(json!({})).client_secret_key(), "clientSecret");
    assert_eq!(published(json!({"clientSecret": "TOKEN"})).client_secret_key(), "TOKEN");
}

/// A spec that is written back has no field more than the person wrote: server-side apply would own it.
#[test]
fn absent_fields_are_not_written_back() {
    let written =
        json!({"name": "clients/c/credentials/k", "displayName": "x", "suspend": false, "driftPolicy": "Correct"});
    let spec: ConfidenceClientCredentialSpec = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(spec).unwrap(), written);
    let published = json!({"name": "s"});
    let read: PublishedSecret = serde_json::from_value(published.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), published);
}
