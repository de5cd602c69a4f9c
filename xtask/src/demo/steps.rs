//! The steps of the demo.

use confidence_operator::api::ConfidenceClientCredential;
use confidence_simulator::{Call, Credential};

use super::stage::{CLIENT, NAMESPACE, Stage, check, heading};

const ID: &str = "3pxcfkkmi5sppg0lfa8d";

fn manifest(more: &str) -> String {
    format!(
        "apiVersion: iam.confidence.dev/v1alpha1
kind: ConfidenceClientCredential
metadata: {{name: checkout-backend, namespace: {NAMESPACE}}}
spec:
  name: clients/{CLIENT}/credentials/{ID}
  displayName: Checkout backend
  labels: {{team: checkout}}
{more}"
    )
}

fn show(call: &Call) {
    println!("  {}\n  {}", call.line, call.body);
}

fn ready(object: &ConfidenceClientCredential) -> Option<&str> {
    let status = object.status.as_ref()?;
    let current = status.observed_generation == object.metadata.generation;
    let ready = status.conditions.iter().find(|it| it.type_ == "Ready")?;
    current.then_some(ready.reason.as_str())
}

fn in_sync(object: &ConfidenceClientCredential) -> bool {
    ready(object) == Some("InSync")
}

/// A credential that is already as the manifest says costs one observation and nothing else.
pub(super) fn adopt(stage: &Stage) -> Result<(), String> {
    heading("4. A credential that exists is adopted: it is as the manifest says, so nothing is written");
    let labels = [("team".to_owned(), "checkout".to_owned())].into();
    stage.seed(ID, Credential { display_name: "Checkout backend".to_owned(), labels, ..Credential::default() });
    stage.kubectl(&["apply", "-f", "-"], &manifest(""))?;
    stage.kubectl(&["wait", "--for=condition=Ready", "ccc/checkout-backend", "-n", NAMESPACE], "")?;
    check(stage.updates_since(0).is_empty(), "Confidence received no update")
}

/// Only what differs is in the mask and in the body.
pub(super) async fn update(stage: &Stage) -> Result<(), String> {
    heading("5. The manifest changes: one PATCH with exactly the fields that differ");
    let from = stage.simulator.call_count();
    stage.kubectl(&["apply", "-f", "-"], &manifest("  environments: [production, staging]\n  sdkType: BACKEND\n"))?;
    stage.until("checkout-backend", "in sync", in_sync).await?;
    let updates = stage.updates_since(from);
    updates.iter().for_each(show);
    check(
        updates.len() == 1 && updates[0].mask == ["environments", "sdk_type"],
        "one update, of environments and sdk_type",
    )
}

/// Drift is found, corrected and reported.
pub(super) async fn correct_drift(stage: &Stage) -> Result<(), String> {
    heading("6. Somebody changes the credential at Confidence behind the operator's back");
    let from = stage.simulator.call_count();
    stage.simulator.edit(CLIENT, ID, |it| {
        it.environments = vec!["production".to_owned()];
        "identities/somebody-else".clone_into(&mut it.updater);
    });
    println!(
        "(environments are now [production]; the resync would find it within 10 minutes: we request a reconcile now)"
    );
    let annotation = "iam.confidence.dev/reconcile-requested-at=now";
    stage.kubectl(&["annotate", "ccc/checkout-backend", "-n", NAMESPACE, annotation], "")?;
    stage
        .until("checkout-backend", "reconciled", |it| {
            it.status.as_ref().is_some_and(|it| it.last_handled_reconcile_at.as_deref() == Some("now"))
        })
        .await?;
    let updates = stage.updates_since(from);
    updates.iter().for_each(show);
    let restored = stage.simulator.get(CLIENT, ID).is_some_and(|it| it.environments == ["production", "staging"]);
    check(updates.len() == 1 && restored, "the environments are as the manifest says again")?;
    stage.kubectl(&["events", "-n", NAMESPACE, "--for", "ccc/checkout-backend"], "").map(drop)
}

/// A secret comes from a Secret, and follows it within seconds.
pub(super) async fn rotate_secret(stage: &Stage) -> Result<(), String> {
    heading("7. The client secret comes from a Secret and follows it");
    let create =
        ["create", "secret", "generic", "checkout-confidence", "-n", NAMESPACE, "--from-literal=clientSecret=first"];
    stage.kubectl(&create, "")?;
    let managed = manifest(
        "  environments: [production, staging]\n  sdkType: BACKEND\n  clientSecret:\n    secretKeyRef: {name: checkout-confidence, key: clientSecret}\n",
    );
    stage.kubectl(&["apply", "-f", "-"], &managed)?;
    stage.until("checkout-backend", "in sync", in_sync).await?;
    let secret_is = |value: &str| stage.simulator.get(CLIENT, ID).is_some_and(|it| it.secret == value);
    check(secret_is("first"), "the secret is at Confidence")?;
    let patch = r#"{"stringData": {"clientSecret": "second"}}"#;
    stage.kubectl(&["patch", "secret", "checkout-confidence", "-n", NAMESPACE, "-p", patch], "")?;
    stage.until("checkout-backend", "rotated", |_| secret_is("second")).await?;
    check(secret_is("second"), "the rotated secret is at Confidence")
}

/// What cannot work fails at once.
pub(super) fn refuse_bad_manifest(stage: &Stage) -> Result<(), String> {
    heading("8. A manifest that cannot work fails at kubectl apply");
    let bad = manifest("  interval: 10d\n")
        .replace("name: checkout-backend", "name: bad")
        .replace("Checkout backend", "\" \"");
    println!("$ kubectl apply -f - <<EOF\n{}\nEOF", bad.trim());
    match stage.try_kubectl(&["apply", "-f", "-"], &bad) {
        Ok(_) => check(false, "the API server refused it"),
        Err(error) => {
            print!("{error}");
            check(
                error.contains("must not be blank") && error.contains("must be a duration"),
                "the API server refused it and said why",
            )
        }
    }
}

/// Two resources, one credential.
pub(super) async fn conflict(stage: &Stage) -> Result<(), String> {
    heading("9. A second resource names the same credential: the one that holds it keeps it");
    let from = stage.simulator.call_count();
    let second =
        manifest("").replace("name: checkout-backend", "name: copy-and-paste").replace("Checkout backend", "Other");
    stage.kubectl(&["apply", "-f", "-"], &second)?;
    let object = stage.until("copy-and-paste", "in conflict", |it| ready(it) == Some("Conflict")).await?;
    let conditions = object.status.map(|it| it.conditions).unwrap_or_default();
    println!("{}", conditions.first().map(|it| it.message.as_str()).unwrap_or_default());
    check(stage.updates_since(from).is_empty(), "it wrote nothing")
}

/// What a person sees in the end.
pub(super) fn table(stage: &Stage) -> Result<(), String> {
    heading("10. What is wrong with which credential");
    let table = stage.kubectl(&["get", "ccc", "-n", NAMESPACE, "-o", "wide"], "")?;
    check(table.contains("InSync") && table.contains("Conflict"), "the table says so")
}
