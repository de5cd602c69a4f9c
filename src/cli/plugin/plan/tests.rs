//! Plans of resources, by example and by property.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::resource_plan::{Inputs, ResourcePlan};
use super::{exit_code, gather, render};
use crate::api::ConfidenceClientCredential;
use crate::confidence::wire::ClientCredential;
use crate::confidence::{Cause, Error};
use crate::plan::{Desired, DesiredSecret, Observation, Plan, SecretKnowledge, plan};

const NAME: &str = "clients/c/credentials/k";

fn resource(spec: &Value, status: &Value) -> ConfidenceClientCredential {
    let object = json!({
        "apiVersion": "iam.confidence.dev/v1alpha1", "kind": "ConfidenceClientCredential",
        "metadata": {"name": "checkout", "namespace": "shop"}, "spec": spec, "status": status,
    });
    serde_json::from_value(object).unwrap()
}

fn credential(fields: &Value) -> ClientCredential {
    ClientCredential::from_json(fields.to_string().as_bytes()).unwrap()
}

fn planned(resource: &ConfidenceClientCredential, observed: Option<Result<ClientCredential, Error>>) -> ResourcePlan {
    let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    ResourcePlan::new(resource, Inputs { account: Ok(()), observed, client_secret: None, now })
}

fn adopted(fields: &Value) -> ConfidenceClientCredential {
    let mut spec = json!({"name": NAME, "displayName": "Checkout"});
    spec.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap());
    resource(&spec, &Value::Null)
}

fn created(status: &Value) -> ConfidenceClientCredential {
    let spec = json!({"client": "clients/c", "displayName": "Checkout", "publishedSecret": {"name": "s"},
                      "rotation": {"every": "720h"}});
    resource(&spec, status)
}

/// A person sees from what to what, and that nothing is written under Report.
#[test]
fn difference_is_shown_field_by_field() {
    let resource = adopted(&json!({"labels": {"team": "shop"}, "driftPolicy": "Report"}));
    let plan = planned(&resource, Some(Ok(credential(&json!({"displayName": "Chekout"})))));
    assert_eq!(plan.update_mask, "display_name,labels");
    let text = render::text(std::slice::from_ref(&plan), false);
    let expected = "\
shop/checkout  clients/c/credentials/k
  - displayName: Chekout
  + displayName: Checkout
  - labels: (empty)
  + labels: team=shop
  · driftPolicy Report: the operator reports this and writes nothing
1 resources: 0 in sync, 1 to change, 0 not read
";
    assert_eq!(text, expected);
    assert_eq!(exit_code(&[plan]), 1);
}

/// What was not read is worse than a difference: nobody knows.
#[test]
fn unread_credential_outweighs_difference() {
    let resource = adopted(&json!({}));
    let differs = planned(&resource, Some(Ok(credential(&json!({"displayName": "x"})))));
    let in_sync = planned(&resource, Some(Ok(credential(&json!({"displayName": "Checkout"})))));
    let unread = planned(&resource, Some(Err(Error::new(Cause::NotFound, ""))));
    assert_eq!(exit_code(std::slice::from_ref(&in_sync)), 0);
    assert_eq!(exit_code(&[in_sync.clone(), differs.clone()]), 1);
    assert_eq!(exit_code(&[in_sync, differs, unread]), 2);
}

/// No value of a secret is printed in either form, whether it is known to differ or only suspected to.
#[test]
fn secret_is_never_shown() {
    let resource = adopted(&json!({"clientSecret": {"secretKeyRef": {"name": "s", "key": "k"}}}));
    for observed in
        [json!({"displayName": "Checkout"}), json!({"displayName": "Checkout", "clientSecret": {"secret": "0ld"}})]
    {
        let secret = DesiredSecret {
            value: "n3w".into(),
            uid: "u".to_owned(),
            resource_version: "1".to_owned(),
            key: "k".to_owned(),
        };
        let inputs = Inputs {
            account: Ok(()),
            observed: Some(Ok(credential(&observed))),
            client_secret: Some(Ok(secret)),
            now: Timestamp::UNIX_EPOCH,
        };
        let plan = ResourcePlan::new(&resource, inputs);
        assert_eq!(plan.update_mask, "client_secret");
        let texts = [render::text(std::slice::from_ref(&plan), true), serde_json::to_string(&plan).unwrap()];
        assert!(texts.iter().all(|it| !it.contains("0ld") && !it.contains("n3w")), "{texts:?}");
    }
}

/// The life of a created credential, in words.
#[test]
fn lifecycle_is_told_in_words() {
    let ours = || Some(Ok(credential(&json!({"displayName": "Checkout"}))));
    let published = json!({"name": "s", "uid": "u", "credential": NAME});
    let at = |time: &str| json!({"name": NAME, "publishedSecret": published, "rotation": {"nextRotationTime": time}});
    for (status, observed, said, is_change) in [
        (Value::Null, None, "create a credential under clients/c", true),
        (at("2026-02-01T00:00:00Z"), ours(), "rotate: create another", true),
        (at("2026-04-01T00:00:00Z"), ours(), "the next rotation is at 2026-04-01T00:00:00Z", false),
        (at("2026-04-01T00:00:00Z"), Some(Err(Error::new(Cause::NotFound, ""))), "is gone: create another", true),
        (json!({"name": NAME}), ours(), "publish the secret in Secret s", true),
    ] {
        let plan = planned(&created(&status), observed);
        assert_eq!(plan.problem, None);
        assert!(plan.next.iter().any(|it| it.text.contains(said)), "{said}: {plan:?}");
        assert_eq!(plan.has_differences(), is_change, "{said}");
    }
}

/// What Confidence tells cannot give orders to a terminal.
#[test]
fn control_characters_are_not_printed() {
    let plan = planned(&adopted(&json!({})), Some(Ok(credential(&json!({"displayName": "a\u{1b}[2Jb\n"})))));
    assert!(render::text(&[plan], false).contains("displayName: a [2Jb\n"));
}

/// Manifests of other kinds are none of ours; a file without any of ours is a mistake.
#[test]
fn resources_are_found_among_manifests() {
    let ours = serde_saphyr::to_string(&adopted(&json!({}))).unwrap();
    let found = gather::parse(&format!("kind: Service\n---\n{ours}---\n{ours}")).unwrap();
    assert_eq!(found.len(), 2);
    assert!(gather::parse("kind: Service\n").unwrap_err().contains("no ConfidenceClientCredential"));
    assert!(gather::parse("{").is_err());
}

prop_compose! {
    fn fields()(
        display_name in "[mn]", environments in of(proptest::collection::btree_set("[ab]", 0..3)),
        labels in of(proptest::collection::btree_map("[ab]", "[xy]", 0..3)),
        sdk_type in of(prop_oneof![Just("BACKEND"), Just("FRONTEND"), Just("SDK_TYPE_UNSPECIFIED")]),
    ) -> Value {
        let mut fields = BTreeMap::from([("displayName", json!(display_name))]);
        fields.extend(environments.map(|it| ("environments", json!(it))));
        fields.extend(labels.map(|it| ("labels", json!(it))));
        fields.extend(sdk_type.map(|it| ("sdkType", json!(it))));
        json!(fields)
    }
}

proptest! {
    /// What plan says is the update that the operator sends: the same fields, in the same order.
    #[test]
    fn plan_says_what_operator_sends(spec in fields(), observed in fields(), is_report: bool) {
        let policy = if is_report { "Report" } else { "Correct" };
        let mut spec = spec;
        spec["name"] = json!(NAME);
        spec["driftPolicy"] = json!(policy);
        let resource = resource(&spec, &Value::Null);
        let observed = credential(&observed);
        let desired = Desired::from_spec(&resource.spec).unwrap();
        let known = SecretKnowledge::default();
        let sent = plan(&desired, &Observation::read(observed.clone()), &known, resource.spec.drift_policy);
        let mask = match &sent {
            Plan::Update(update) => update.request().update_mask(),
            Plan::InSync | Plan::NeedsFreshRead => String::new(),
        };
        let fields: Vec<_> = sent.fields().into_iter().map(crate::confidence::wire::Field::json_name).collect();
        let said = planned(&resource, Some(Ok(observed)));
        prop_assert_eq!(said.changes.iter().map(|it| it.field).collect::<Vec<_>>(), fields);
        prop_assert_eq!(said.has_differences(), !mask.is_empty());
        prop_assert_eq!(said.update_mask, mask);
    }
}
