//! What a person at a terminal sees, through a pseudo terminal.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use confidence_simulator::{CallKind, Fault, FaultKind};
use nix::pty::{Winsize, openpty};
use serde_json::json;

use super::{run, world};
use crate::world::{CLIENT, World, credential};

const RED: &str = "\x1b[31m";

/// Which of the two outputs are a terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Terminal {
    Both,
    ErrorsOnly,
}

/// Runs a command with a terminal. Returns what the terminal showed, and what was piped.
async fn on_terminal(world: &World, terminal: Terminal, no_color: bool, arguments: &[&str]) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_confidence-operator"));
    command.env_clear().env("KUBECONFIG", &world.kubeconfig).env("TERM", "xterm").args(arguments);
    command.env("CONFIDENCE_URL", world.server.url()).env("CONFIDENCE_TOKEN_FILE", world.file("token"));
    if no_color {
        command.env("NO_COLOR", "1");
    }
    tokio::task::spawn_blocking(move || show(command, terminal)).await.unwrap()
}

fn show(mut command: Command, terminal: Terminal) -> (String, String) {
    let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(&size, None).unwrap();
    let stdout = if terminal == Terminal::Both { pty.slave.try_clone().unwrap().into() } else { Stdio::piped() };
    let mut child = command.stdin(Stdio::null()).stdout(stdout).stderr(pty.slave).spawn().unwrap();
    // The terminal ends with its last writer: our own copies have to go.
    drop(command);
    let mut shown = Vec::new();
    let mut screen = File::from(pty.master);
    let mut buffer = [0; 4096];
    // On Linux, the end of a terminal is an error (EIO).
    while let Ok(count @ 1..) = screen.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..count]);
    }
    let mut piped = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut piped).unwrap();
    }
    child.wait().unwrap();
    (String::from_utf8(shown).unwrap(), piped)
}

/// A world with one resource whose credential drifted.
async fn drifted() -> World {
    let world = world().await;
    world.simulator.put(CLIENT, "web", credential("Chekout"));
    world.apply("web", json!({})).await;
    world
}

/// The difference has colours at a terminal alone, and nowhere with `NO_COLOR`.
#[tokio::test]
async fn colors_are_for_terminals_alone() {
    let world = drifted().await;
    let plan = ["plan", "-n", &world.namespace];
    let (shown, _) = on_terminal(&world, Terminal::Both, false, &plan).await;
    assert!(shown.contains(&format!("{RED}  - displayName: Chekout\x1b[0m")), "{shown:?}");
    let (shown, _) = on_terminal(&world, Terminal::Both, true, &plan).await;
    assert!(shown.contains("  - displayName: Chekout") && !shown.contains("\x1b[3"), "{shown:?}");
    let (_, piped) = on_terminal(&world, Terminal::ErrorsOnly, false, &plan).await;
    assert!(piped.contains("  - displayName: Chekout") && !piped.contains('\x1b'), "{piped:?}");
}

/// Progress is on the terminal while the result is piped, and leaves nothing behind. Without a terminal there is none.
#[tokio::test]
async fn progress_is_for_terminals_alone() {
    let world = drifted().await;
    for (arguments, said) in [
        (&["plan", "-n", &world.namespace][..], "reading credentials: 0/1"),
        (&["import", "--all"], "listing the credentials of clients: 0/1"),
        (
            &["reconcile", "web", "-n", &world.namespace, "--wait", "--timeout", "1s"],
            "waiting for the operator (no status yet)",
        ),
    ] {
        let (shown, piped) = on_terminal(&world, Terminal::ErrorsOnly, false, arguments).await;
        assert!(shown.contains(said), "{arguments:?}: {shown:?}");
        assert!(!piped.contains(said) && !piped.contains('\x1b'), "{piped:?}");
        let ran = run(&world, arguments).await;
        assert!(!ran.err.contains(said) && !ran.err.contains('\x1b'), "{:?}", ran.err);
    }
}

/// An error is told on a line of its own, without the progress before it.
#[tokio::test]
async fn error_follows_cleared_progress() {
    let world = drifted().await;
    world.simulator.fault(Fault::always(FaultKind::status(403)).on(CallKind::List));
    let (shown, _) = on_terminal(&world, Terminal::Both, false, &["import", "--client", CLIENT]).await;
    let last = shown.rsplit('\r').find(|it| it.contains("error:")).unwrap_or_else(|| panic!("{shown:?}"));
    assert!(!last.contains("listing the credentials"), "{shown:?}");
}
