//! Records the demo as an asciicast (version 2), which players show in a terminal or a browser.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

/// A pause that lasts longer is cut: what is built or waited for is nothing to look at.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long a line stays at least before the next comes, so that a person can read along.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);

const COLUMNS: usize = 110;
const ROWS: usize = 32;

/// Runs the demo in a process of its own, shows its output and writes it with its times.
pub(super) fn record(context: Option<&str>, path: &Path) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut demo = Command::new(program);
    demo.arg("demo").args(context.iter().flat_map(|it| ["--context", it])).stdout(Stdio::piped());
    let mut child = demo.spawn().map_err(|error| error.to_string())?;
    let mut cast = vec![json!({"version": 2, "width": COLUMNS, "height": ROWS, "title": "cargo xtask demo"})];
    let (mut at, mut last) = (Duration::ZERO, Instant::now());
    let output = child.stdout.take().ok_or("the demo has no output")?;
    for line in BufReader::new(output).lines() {
        let line = line.map_err(|error| error.to_string())?;
        println!("{line}");
        at += last.elapsed().clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        last = Instant::now();
        cast.push(json!([at.as_secs_f64(), "o", format!("{line}\r\n")]));
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("the demo ended with {status}; {} was not written", path.display()));
    }
    let lines: Vec<_> = cast.iter().map(|event| format!("{event}\n")).collect();
    std::fs::write(path, lines.concat()).map_err(|error| format!("{}: {error}", path.display()))
}
