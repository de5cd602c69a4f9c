//! `plan`, against the operator.

use confidence_simulator::{CallKind, Fault, FaultKind};
use serde_json::{Value, json};

use super::{run, run_with, world};
use crate::world::{CLIENT, credential};

/// The mask that plan tells for each resource, by name.
fn masks(plans: &Value) -> Vec<(String, String)> {
    let text = |it: &Value, field: &str| it[field].as_str().unwrap().to_owned();
    plans.as_array().unwrap().iter().map(|it| (text(it, "name"), text(it, "updateMask"))).collect()
}

/// What plan says of many resources is what the operator then sends, no more and no less.
#[tokio::test]
async fn plan_says_what_operator_sends() {
    let world = world().await;
    let mut random = fastrand::Rng::with_seed(18);
    for number in 0..12 {
        let id = format!("random-{number}");
        let mut existing = credential(if random.bool() { "Checkout" } else { "Chekout" });
        existing.labels = if random.bool() { [("team".to_owned(), "shop".to_owned())].into() } else { [].into() };
        existing.environments = if random.bool() { vec!["environments/a".to_owned()] } else { vec![] };
        existing.secret = "0ld-s3cret".to_owned();
        world.simulator.put(CLIENT, &id, existing);
        let mut spec = json!({});
        for (field, values) in [
            ("labels", [json!({}), json!({"team": "shop"})]),
            ("environments", [json!([]), json!(["environments/a"])]),
            ("sdkType", [json!("BACKEND"), json!("SDK_TYPE_UNSPECIFIED")]),
            ("clientSecret", [json!("0ld-s3cret"), json!("n3w-s3cret")]),
        ] {
            let value = values[random.usize(0..2)].clone();
            if field == "clientSecret" && random.bool() {
                world.put_secret(&id, "key", value.as_str().unwrap()).await;
                spec[field] = json!({"secretKeyRef": {"name": id, "key": "key"}});
            } else if field != "clientSecret" && random.bool() {
                spec[field] = value;
            }
        }
        world.apply(&id, spec).await;
    }
    let ran = run(&world, &["plan", "-n", &world.namespace, "-o", "json"]).await;
    assert_eq!((ran.code, ran.err.as_str()), (1, ""), "{}", ran.out);
    assert!(!ran.out.contains("s3cret"), "{}", ran.out);
    assert!(world.updates().is_empty());
    let said: Vec<_> = masks(&ran.json()).into_iter().filter(|(_, mask)| !mask.is_empty()).collect();
    let _operator = world.operator(&[]);
    for number in 0..12 {
        world.until_reason(&format!("random-{number}"), "InSync").await;
    }
    let mut sent: Vec<_> =
        world.updates().iter().map(|call| (call.credential.clone().unwrap(), call.mask.join(","))).collect();
    sent.sort();
    let mut said = said;
    said.sort();
    assert_eq!(sent, said);
    let after = run(&world, &["plan", "-n", &world.namespace]).await;
    assert_eq!(after.code, 0, "{}", after.out);
}

/// A manifest is compared before it is applied, and what cannot be read is exit code 2.
#[tokio::test]
async fn plan_compares_manifests_before_apply() {
    let world = world().await;
    world.simulator.put(CLIENT, "web", credential("Chekout"));
    let name = format!("clients/{CLIENT}/credentials/web");
    let manifest = format!(
        "apiVersion: iam.confidence.dev/v1alpha1\nkind: ConfidenceClientCredential\nmetadata: {{name: web}}\n\
         spec: {{name: {name}, displayName: Checkout}}\n"
    );
    let arguments = ["plan", "-f", "-", "-n", &world.namespace];
    let ran = run_with(&world, &arguments, &manifest).await;
    let shown = format!("{}/web  {name}\n  - displayName: Chekout\n  + displayName: Checkout\n", world.namespace);
    assert!(ran.out.starts_with(&shown), "{}{}", ran.out, ran.err);
    assert_eq!(ran.code, 1);
    world.simulator.fault(Fault::always(FaultKind::status(403)).on(CallKind::Get));
    let ran = run_with(&world, &arguments, &manifest).await;
    assert_eq!(ran.code, 2, "{}", ran.out);
    let gone = run(&world, &["plan", "none", "-n", &world.namespace]).await;
    assert_eq!((gone.code, gone.err.lines().count()), (2, 1), "{}", gone.err);
}
