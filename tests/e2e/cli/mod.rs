//! The commands of the kubectl plugin: the real binary, as a person runs it.

mod accounts;
mod docs;
mod existing;
mod life;
mod plan;
mod requests;
mod terminal;

use std::process::Output;

use assert_cmd::Command;
use confidence_simulator::{CallKind, Client, Config, Fault, FaultKind};
use serde_json::Value;

use crate::world::{CLIENT, World};

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
    let mut command = command(world, arguments);
    command.env("CONFIDENCE_URL", world.server.url()).env("CONFIDENCE_TOKEN_FILE", world.file("token"));
    output(command.write_stdin(input)).await
}

/// A command with the cluster of a world, and without an account.
fn command(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_confidence-operator"));
    command.env_clear().env("KUBECONFIG", &world.kubeconfig).args(arguments);
    command
}

async fn output(command: &mut Command) -> Ran {
    let mut command = std::mem::replace(command, Command::new("true"));
    tokio::task::spawn_blocking(move || command.output().unwrap().into()).await.unwrap()
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
