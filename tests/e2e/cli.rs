//! The commands of the kubectl plugin: the real binary, as a person runs it.

use std::process::Output;

use assert_cmd::Command;
use confidence_simulator::{CallKind, Client, Config, Fault, FaultKind};
use serde_json::{Value, json};

use crate::world::{CLIENT, World, credential, status};

/// What a command came to.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// A world whose server knows the client.
async fn world() -> World {
    let world = World::new(Config::default()).await;
    world.simulator.put_client(CLIENT, Client { display_name: "Shop".to_owned(), ..Client::default() });
    world
}

/// Runs a command with the cluster and the account of a world.
async fn run(world: &World, arguments: &[&str]) -> Ran {
    run_with(world, arguments, "").await
}

async fn run_with(world: &World, arguments: &[&str], input: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_confidence-operator"));
    command.env_clear().env("KUBECONFIG", &world.kubeconfig).args(arguments).write_stdin(input);
    command.env("CONFIDENCE_URL", world.server.url()).env("CONFIDENCE_TOKEN_FILE", world.file("token"));
    tokio::task::spawn_blocking(move || command.output().unwrap().into()).await.unwrap()
}

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

/// The binary under the name of the plugin has the same commands, and no other default.
#[tokio::test]
async fn plugin_name_gives_same_commands() {
    let world = world().await;
    let plugin = world.file("kubectl-confidence");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_confidence-operator"), &plugin).unwrap();
    let command = |arguments: &[&str]| Ran::from(Command::new(&plugin).env_clear().args(arguments).output().unwrap());
    let help = command(&["--help"]);
    assert!(help.out.contains("Usage: kubectl confidence <COMMAND>"), "{}", help.out);
    for name in ["check", "plan", "import", "audit", "reconcile", "rotate", "suspend", "resume", "completion"] {
        assert!(help.out.lines().any(|line| line.trim_start().starts_with(name)), "{name}: {}", help.out);
    }
    assert_eq!(command(&[]).code, 2);
    for shell in ["bash", "zsh", "fish"] {
        let completion = command(&["completion", shell]);
        assert!(completion.code == 0 && completion.out.contains("kubectl-confidence"), "{shell}");
    }
}

/// Each request waits for its own answer in the status.
#[tokio::test]
async fn requests_wait_for_their_answer() {
    let world = world().await;
    let _operator = world.operator(&[]);
    world.seed("web");
    world.apply("web", json!({})).await;
    world.until_reason("web", "InSync").await;
    let in_namespace = async |command: &str, more: &[&str]| {
        let mut arguments = vec![command, "web", "-n", &world.namespace, "--wait"];
        arguments.extend(more);
        run(&world, &arguments).await
    };
    let ran = in_namespace("reconcile", &[]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("web: Ready=True, InSync"), "{}", ran.out);
    let ran = in_namespace("suspend", &[]).await;
    assert!(ran.code == 0 && ran.out.contains("Suspended"), "{}{}", ran.out, ran.err);
    let refused = in_namespace("reconcile", &[]).await;
    assert!(refused.code == 1 && refused.err.contains("resume it first"), "{}", refused.err);
    let ran = in_namespace("resume", &[]).await;
    assert!(ran.code == 0 && ran.out.contains("Ready=True"), "{}{}", ran.out, ran.err);
    let refused = in_namespace("rotate", &[]).await;
    assert!(refused.code == 1 && refused.err.contains("spec.client"), "{}", refused.err);
}

/// A rotation that was asked for has happened when the command ends.
#[tokio::test]
async fn rotate_waits_for_new_credential() {
    let world = world().await;
    let _operator = world.operator(&[]);
    let spec =
        json!({"client": format!("clients/{CLIENT}"), "displayName": "Shop", "publishedSecret": {"name": "shop"}});
    world.apply_spec("shop", spec).await.unwrap();
    let before = run(&world, &["plan", "shop", "-n", &world.namespace]).await;
    assert!(matches!(before.code, 0 | 1), "{}{}", before.out, before.err);
    let first = status(&world.until_reason("shop", "InSync").await).name;
    let ran = run(&world, &["rotate", "shop", "-n", &world.namespace, "--wait"]).await;
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_ne!(status(&world.api().get("shop").await.unwrap()).name, first);
    let after = run(&world, &["plan", "shop", "-n", &world.namespace]).await;
    assert!(after.code == 0 && after.out.contains("delete the superseded"), "{}", after.out);
}

/// Without an operator a wait ends, and says what to look at.
#[tokio::test]
async fn wait_without_operator_times_out() {
    let world = world().await;
    world.apply("web", json!({})).await;
    let ran = run(&world, &["reconcile", "web", "-n", &world.namespace, "--wait", "--timeout", "1s"]).await;
    assert_eq!((ran.code, ran.err.lines().count()), (1, 1), "{}", ran.err);
    assert!(ran.err.contains("check that it runs"), "{}", ran.err);
}

/// What exists comes under management without one write, first to be watched, then to be kept.
#[tokio::test]
async fn import_costs_no_write() {
    let world = world().await;
    for (id, title) in [("a1", "Checkout (web)"), ("b2", "Checkout: web"), ("c3", "Cart"), ("d4", "null")] {
        let mut existing = credential(title);
        existing.labels = [("team".to_owned(), "shop".to_owned())].into();
        existing.environments = vec!["environments/b".to_owned(), "environments/a".to_owned()];
        existing.secret = "s3cret".to_owned();
        world.simulator.put(CLIENT, id, existing);
    }
    let _operator = world.operator(&["--interval", "1s"]);
    let names = ["checkout-web-a1", "checkout-web-b2", "cart", "null"];
    for (more, reason) in [(&["--all"][..], "InSync"), (&["--client", CLIENT, "--fields", "all", "--adopt"], "InSync")]
    {
        let ran = run(&world, &[&["import", "-n", &world.namespace], more].concat()).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(!ran.out.contains("s3cret"), "{}", ran.out);
        let file = world.file("manifests.yaml");
        std::fs::write(&file, ran.out).unwrap();
        crate::world::run(testbed::ControlPlane::shared(), &["apply", "-f", file.to_str().unwrap()]);
        for name in names {
            world.until_reason(name, reason).await;
        }
    }
    assert!(world.updates().is_empty());
    let again = run(&world, &["plan", "-n", &world.namespace]).await;
    assert_eq!(again.code, 0, "{}", again.out);
}

/// One file each; somebody's edits are not overwritten.
#[tokio::test]
async fn import_keeps_edited_files() {
    let world = world().await;
    world.seed("a1");
    let directory = world.file("manifests");
    let directory = directory.to_str().unwrap();
    let arguments = ["import", "--all", "--output-dir", directory];
    let ran = run(&world, &arguments).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    assert_eq!(run(&world, &arguments).await.code, 0, "the same again");
    let file = world.file("manifests").join("checkout.yaml");
    std::fs::write(&file, "mine").unwrap();
    let refused = run(&world, &arguments).await;
    assert!(refused.code == 1 && refused.err.contains("--overwrite"), "{}", refused.err);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(run(&world, &[&arguments[..], &["--overwrite"]].concat()).await.code, 0);
}

/// Every line is ticked where all is well, and the one that fails says what to do. Nothing is changed.
#[tokio::test]
async fn check_ticks_what_is_there() {
    let world = world().await;
    world.seed("web");
    let arguments = ["check", "-n", &world.namespace];
    let ran = run(&world, &arguments).await;
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.lines().all(|line| line.starts_with('✓')), "{}", ran.out);
    let nobody = format!("system:serviceaccount:{}:nobody", world.namespace);
    let ran = run(&world, &[&arguments[..], &["--as", &nobody]].concat()).await;
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("✗ watch the resources"), "{}", ran.out);
    let fault = world.simulator.fault(Fault::always(FaultKind::status(403)).on(CallKind::Get));
    let ran = run(&world, &arguments).await;
    assert!(ran.code == 1 && ran.out.contains("✗ read a credential"), "{}", ran.out);
    world.simulator.remove_fault(fault);
    std::fs::write(world.file("token"), "wr0ng-t0ken").unwrap();
    let ran = run(&world, &arguments).await;
    assert!(ran.code == 1 && ran.out.contains("✗ token"), "{}", ran.out);
    assert!(!ran.out.contains("wr0ng-t0ken"), "{}", ran.out);
    let kinds: Vec<_> = world.simulator.calls().into_iter().map(|call| call.kind).collect();
    assert!(kinds.iter().all(|it| !matches!(it, CallKind::Create | CallKind::Update | CallKind::Delete)), "{kinds:?}");
}

/// What nobody manages is found, and its command brings it under management.
#[tokio::test]
async fn audit_finds_what_is_forgotten() {
    let world = world().await;
    world.seed("audit-managed");
    world.apply("audit-managed", json!({})).await;
    world.simulator.put(CLIENT, "audit-forgotten", credential("Forgotten"));
    let label = |owner: &str| [("confidence-operator-owner".to_owned(), owner.to_owned())].into();
    world.simulator.put(
        CLIENT,
        "audit-foreign",
        confidence_simulator::Credential { labels: label("0123_u"), ..credential("Foreign") },
    );
    let arguments = ["audit", "--client", CLIENT, "--instance-id", "test", "-o", "json"];
    let ran = run(&world, &[&arguments[..], &["--fail-on", "unmanaged,orphan"]].concat()).await;
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let findings = ran.json();
    let found: Vec<_> = findings
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["kind"].as_str().unwrap(), it["displayName"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [("unmanaged", "Forgotten"), ("foreign", "Foreign")]);
    assert_eq!(run(&world, &[&arguments[..], &["--fail-on", "orphan"]].concat()).await.code, 0);
    let name = findings[0]["credential"].as_str().unwrap();
    let imported = run(&world, &["import", "--credential", name, "-n", &world.namespace]).await;
    let file = world.file("forgotten.yaml");
    std::fs::write(&file, imported.out).unwrap();
    crate::world::run(testbed::ControlPlane::shared(), &["apply", "-f", file.to_str().unwrap()]);
    assert_eq!(run(&world, &[&arguments[..], &["--fail-on", "unmanaged"]].concat()).await.code, 0);
}
