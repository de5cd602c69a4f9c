//! The program: flags, credentials, endpoints, the end.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use assert_cmd::Command;
use clap::CommandFactory;
use confidence_operator::cli::flags::Cli;
use confidence_simulator::{CallKind, Config};
use serde_json::{Value, json};
use testbed::{Deadline, Process, Program, eventually};

use crate::world::{CLIENT, PATIENCE, World, condition};

/// Gets a path from the operator's endpoints: the status and the text.
pub async fn get(operator: &Process, path: &str) -> (u16, String) {
    let line = operator.wait_for_line(PATIENCE, |line| line.contains("\"serving\"")).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    let url = format!("http://{}{path}", line["address"].as_str().unwrap());
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The value of a metric without labels.
pub async fn metric(operator: &Process, name: &str) -> f64 {
    let text = get(operator, "/metrics").await.1;
    let line =
        text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_else(|| panic!("{name} in {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Waits until exactly so many status writes are counted: a write shows in the cluster before the operator has its answer.
pub async fn until_status_writes(operator: &Process, number: usize) {
    let writes = async || metric(operator, "confidence_operator_status_writes_total").await;
    let number = f64::from(u32::try_from(number).unwrap());
    eventually("status writes", Deadline::default(), writes, |it| (it - number).abs() < 0.5).await;
}

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_confidence-operator"));
    command.env_clear();
    command
}

#[test]
fn a_mistake_on_the_command_line_is_one_line_and_exit_code_2() {
    let missing = ["--token-file", "/does/not/exist"];
    for (flags, said) in [
        (&[][..], "CONFIDENCE_TOKEN"),
        (&missing[..], "/does/not/exist"),
        (&["--token-file", "t", "--client-id-file", "i", "--client-secret-file", "s"], "two kinds"),
        (&["--client-id-file", "i"], "--client-secret-file"),
        (&["--token-file", "/dev/null"], "empty"),
        (&["--token-file", "t", "--confidence-url", "http://iam.example.com"], "--allow-insecure-url"),
        (&["--token-file", "t", "--confidence-url", "nonsense"], "--confidence-url"),
        (&["--token-file", "t", "--ca-file", "/does/not/exist"], "--ca-file"),
        (&["--token-file", "t", "--log-level", "a=b=c"], "--log-level"),
    ] {
        let output = binary().args(flags).env("KUBECONFIG", "/does/not/exist").output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {stderr}");
        assert_eq!(stderr.trim().lines().count(), 1, "{flags:?}: {stderr}");
        assert!(stderr.contains(said), "{flags:?}: {stderr}");
    }
    for flags in [["--interval", "10"], ["--requests-per-second", "0"], ["--listen", "nowhere"]] {
        let output = binary().args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_ends_the_program_at_once() {
    let world = World::new(Config::default()).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let program = Program::new(env!("CARGO_BIN_EXE_confidence-operator"))
        .env("KUBECONFIG", testbed::ControlPlane::shared().kubeconfig())
        .env("CONFIDENCE_TOKEN", "test-token")
        .args(["--watch-namespace", &world.namespace, "--listen", &address]);
    let mut operator = program.start().unwrap();
    assert_eq!(operator.wait(PATIENCE).unwrap().code(), Some(2));
    assert!(operator.lines().iter().any(|line| line.contains("--listen")), "{:?}", operator.lines());
}

/// Whatever a flag is called, `--help` names it and the environment variable that stands for it.
#[test]
fn help_names_every_flag_with_its_environment_variable() {
    let output = binary().arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let command = Cli::command();
    let flags: Vec<_> = command.get_arguments().filter(|it| it.get_long().is_some()).collect();
    assert!(flags.len() > 20, "{flags:?}");
    for flag in flags.into_iter().filter(|it| !["help", "version"].contains(&it.get_id().as_str())) {
        let (name, variable) = (flag.get_long().unwrap(), flag.get_env().map(|it| it.to_str().unwrap()));
        let entry = help.split("\n  ").find(|line| line.trim_start().starts_with(&format!("--{name} ")));
        let entry = entry.or_else(|| help.split("\n  ").find(|line| line.trim() == format!("--{name}")));
        assert!(entry.is_some(), "--{name} is missing in\n{help}");
        let variable = variable.unwrap_or_else(|| panic!("--{name} has no environment variable"));
        assert!(help.contains(&format!("[env: {variable}=]")), "{variable} is missing in\n{help}");
    }
    // A token on a command line would be there for every process to read.
    assert!(help.contains("CONFIDENCE_TOKEN"));
}

#[tokio::test(flavor = "multi_thread")] // the server must go on while the test waits for the end of the process
async fn sigterm_ends_the_program_in_good_order_and_in_time() {
    let world = World::new(Config { latency_milliseconds: 1000, ..Config::default() }).await;
    world.seed("ending");
    let mut operator = world.operator(&[]);
    world.apply("ending", json!({"sdkType": "BACKEND"})).await;
    world.until_calls(|calls| calls.iter().any(|call| call.kind == CallKind::Update)).await;
    let status = operator.terminate(Duration::from_secs(11)).unwrap();
    assert_eq!(status.code(), Some(0), "{}", operator.lines().join("\n"));
    let object = world.api().get("ending").await.unwrap();
    assert_eq!(condition(&object, "Ready").unwrap().1, "InSync", "the update in hand was finished and reported");
}

#[tokio::test]
async fn a_client_id_and_secret_are_exchanged_once_and_again_after_a_revocation() {
    let world = World::new(Config::default()).await;
    std::fs::write(world.file("id"), "test-client\n").unwrap();
    std::fs::write(world.file("secret"), "test-client-secret\n").unwrap();
    for id in ["one", "two", "three"] {
        world.seed(id);
        world.apply(id, json!({})).await;
    }
    let program = world.program().arg("--client-id-file").arg(world.file("id"));
    let operator = program.arg("--client-secret-file").arg(world.file("secret")).start().unwrap();
    for id in ["one", "two", "three"] {
        world.until_reason(id, "InSync").await;
    }
    assert_eq!(world.calls(CallKind::Token).len(), 1);
    world.simulator.revoke_issued_tokens();
    for id in ["one", "two", "three"] {
        world.annotate(id, "iam.confidence.dev/reconcile-requested-at", "now").await;
    }
    for id in ["one", "two", "three"] {
        world.look_at(id, "later").await;
        world.until_reason(id, "InSync").await;
    }
    assert_eq!(world.calls(CallKind::Token).len(), 2);
    drop(operator);
}

/// One credential's refusal is its own; that of two is the account's. How seldom the account is asked then, the tests of
/// `confidence::auth` count on a clock of their own.
#[tokio::test]
async fn a_refused_token_is_the_accounts_trouble_and_ends_when_the_file_changes() {
    let world = World::new(Config::default()).await;
    std::fs::write(world.file("token"), "revoked").unwrap();
    for id in ["refused", "refused-too"] {
        world.seed(id);
    }
    let operator = world.operator(&[]);
    for id in ["refused", "refused-too"] {
        world.apply(id, json!({})).await;
    }
    for id in ["refused", "refused-too"] {
        let object = world.until_reason(id, "Unauthenticated").await;
        assert_eq!(condition(&object, "Ready").unwrap().0, "False");
        assert_eq!(condition(&object, "Stalled"), None);
    }
    let metrics = async || get(&operator, "/metrics").await.1;
    let is_blocked = r#"confidence_operator_account_blocked{account="default",cause="unauthenticated"} 1"#;
    eventually("the account is blocked", Deadline::default(), metrics, |it| it.contains(is_blocked)).await;
    std::fs::write(world.file("token"), "test-token\n").unwrap();
    for id in ["refused", "refused-too"] {
        world.until_reason(id, "InSync").await;
    }
}

#[tokio::test]
async fn the_endpoints_tell_that_it_is_alive_and_ready_and_what_it_did() {
    let world = World::new(Config::default()).await;
    world.seed("measured");
    let operator = crate::credentials::exchanging(&world, "test-client-secret");
    world.apply("measured", json!({"sdkType": "BACKEND"})).await;
    world.until_reason("measured", "InSync").await;
    assert_eq!(get(&operator, "/livez").await.0, 200);
    let ready = async || get(&operator, "/readyz").await.0;
    eventually("ready", Deadline::default(), ready, |it| *it == 200).await;
    let scrape = async || get(&operator, "/metrics").await.1;
    let is_shown = r#"confidence_operator_resources{reason="InSync"} 1"#;
    let metrics = eventually("the watch shows it", Deadline::default(), scrape, |it| it.contains(is_shown)).await;
    for line in [
        r#"confidence_operator_reconcile_total{outcome="updated"} 1"#,
        r#"confidence_operator_api_requests_total{account="default",method="update",outcome="ok"} 1"#,
        r#"confidence_operator_drift_corrected_total{field="sdkType"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    every_metric_that_the_chart_asks_for_is_there(&metrics);
    let mut promtool = std::process::Command::new(testbed::Tool::Promtool.find().unwrap());
    let mut promtool = promtool
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(as_prometheus_text(&metrics).as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success(), "{}{metrics}", String::from_utf8_lossy(&output.stderr));
}

/// What a line of the log says, whichever of the spans around it says it.
fn said(line: &Value, field: &str) -> String {
    let spans = line["spans"].as_array().into_iter().flatten();
    let found = [line].into_iter().chain(spans).find_map(|it| it[field].as_str());
    found.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn at_info_each_write_is_one_line_that_says_what_was_written_and_a_quiet_resource_is_none() {
    let world = World::new(Config::default()).await;
    world.seed("logged");
    let program = world.program().arg("--token-file").arg(world.file("token")).args(["--interval", "1s"]);
    let operator = program.env("LOG_LEVEL", "info").env("LOG_FORMAT", "json").start().unwrap();
    world.apply("logged", json!({"sdkType": "BACKEND"})).await;
    world.until_reason("logged", "InSync").await;
    let lines = || -> Vec<Value> { operator.lines().iter().map(|it| serde_json::from_str(it).unwrap()).collect() };
    let updates: Vec<_> = lines().into_iter().filter(|it| it["message"] == "write").collect();
    assert_eq!(updates.len(), 1, "{updates:?}");
    let credential = format!("clients/{CLIENT}/credentials/logged");
    for (field, expected) in [
        ("level", "INFO"),
        ("namespace", world.namespace.as_str()),
        ("resource", "logged"),
        ("account", "default"),
        ("kind", "update"),
        ("about", credential.as_str()),
        ("update_mask", "sdk_type"),
        ("outcome", "ok"),
    ] {
        assert_eq!(said(&updates[0], field), expected, "{field} in {}", updates[0]);
    }
    assert_eq!(said(&updates[0], "id").len(), 8, "{}", updates[0]);
    let before = lines().len();
    let looks = world.calls(CallKind::Get).len();
    world.until_calls(|calls| calls.iter().filter(|call| call.kind == CallKind::Get).count() >= looks + 3).await;
    assert_eq!(lines().len(), before, "{:?}", &lines()[before..]);
}

/// Promtool's linter reads the older text format, in which a family of counters is named with its suffix and there is no
/// type for information.
fn as_prometheus_text(metrics: &str) -> String {
    let types: std::collections::HashMap<&str, &str> =
        metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let line = |line: &str| {
        let Some((kind, name, rest)) = line.strip_prefix("# ").and_then(|line| {
            let (kind, rest) = line.split_once(' ')?;
            let (name, rest) = rest.split_once(' ')?;
            Some((kind, name, rest))
        }) else {
            return line.trim_end_matches("# EOF").to_owned();
        };
        match types[name] {
            "counter" => format!("# {kind} {name}_total {rest}"),
            "info" => format!("# {kind} {name}_info {}", rest.replace("info", "gauge")),
            _ => line.to_owned(),
        }
    };
    metrics.lines().map(|it| line(it) + "\n").collect()
}

/// The alerts and the dashboard ask for nothing that the binary does not tell.
fn every_metric_that_the_chart_asks_for_is_there(metrics: &str) {
    let monitoring = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/confidence-operator/files/monitoring");
    for file in ["alerts.yaml", "dashboard.json"] {
        let text = std::fs::read_to_string(format!("{monitoring}/{file}")).unwrap();
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        // The audit tells its findings to a Pushgateway.
        let is_pushed = |word: &&str| *word == "confidence_operator_audit_findings";
        for name in words.filter(|word| word.starts_with("confidence_operator_") && !is_pushed(word)) {
            // One that has no value yet is announced all the same.
            let family = ["_total", "_bucket", "_sum", "_count", "_info"].iter().find_map(|it| name.strip_suffix(it));
            let announced = format!("# TYPE {} ", family.unwrap_or(name));
            assert!(metrics.contains(&announced), "{file} asks for {name}, which is not in\n{metrics}");
        }
    }
}
