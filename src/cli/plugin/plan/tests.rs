//! Plans of resources, by example and by property.

use std::collections::BTreeMap;

use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::resource_plan::{Inputs, ResourcePlan};
use super::{exit_code, gather, render};
use crate::api::ConfidenceClientCredential;
use crate::confidence::wire::ClientCredential;
use crate::confidence::{Cause, Error};
use crate::credential::{Outlook, Upcoming};
use crate::plan::lifecycle::{CreateReason, RotationState, Step};
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
    ResourcePlan::new(resource, Inputs { observed, client_secret: None, next: Ok(None) })
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
1 resource: 0 in sync, 1 to change, 0 not read
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
        let inputs =
            Inputs { observed: Some(Ok(credential(&observed))), client_secret: Some(Ok(secret)), next: Ok(None) };
        let plan = ResourcePlan::new(&resource, inputs);
        assert_eq!(plan.update_mask, "client_secret");
        let texts = [render::text(std::slice::from_ref(&plan), true), serde_json::to_string(&plan).unwrap()];
        assert!(texts.iter().all(|it| !it.contains("0ld") && !it.contains("n3w")), "{texts:?}");
    }
}

/// The operator's decision, in words: what it writes counts as a change, and what it waits for does not.
#[test]
fn lifecycle_is_told_in_words() {
    let name = || NAME.parse().unwrap();
    let attempt = "1-0000000000000000".parse().unwrap();
    let create = |reason| Upcoming::Write(Step::Create { attempt, reason, replaces: Some(name()) });
    let due = "2026-04-01T00:00:00Z".parse().unwrap();
    let old = json!({"superseded": [{"name": "clients/c/credentials/old", "since": "2026-03-01T00:00:00Z", "why": "Rotated"}]});
    let overlapping = json!({"name": NAME, "rotation": old});
    for (status, next, said, is_change) in [
        (
            &Value::Null,
            create(CreateReason::First),
            "create a credential under clients/c and publish its secret in Secret s",
            true,
        ),
        (
            &Value::Null,
            create(CreateReason::CredentialGone),
            "clients/c/credentials/k is gone: create another one",
            true,
        ),
        (&Value::Null, create(CreateReason::SecretLost), "the secret of clients/c/credentials/k is lost", true),
        (&Value::Null, create(CreateReason::Rotated), "rotate clients/c/credentials/k: create another one", true),
        (&Value::Null, Upcoming::Write(Step::Relabel(name())), "put the operator's labels back on", true),
        (
            &Value::Null,
            Upcoming::Rest(RotationState::None, Some(due)),
            "the next rotation is at 2026-04-01T00:00:00Z",
            false,
        ),
        (
            &overlapping,
            Upcoming::Rest(RotationState::NewNotSeen, None),
            "old (since 2026-03-01T00:00:00Z) once the new one is used",
            false,
        ),
    ] {
        let observed = Some(Ok(credential(&json!({"displayName": "Checkout"}))));
        let inputs =
            Inputs { observed, client_secret: None, next: Ok(Some(Outlook { upcoming: next, corrects: true })) };
        let plan = ResourcePlan::new(&created(status), inputs);
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
