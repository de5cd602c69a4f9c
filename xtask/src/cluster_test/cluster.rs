//! `kubectl` and `helm` on one context, and conditions that are waited for.

use std::process::Command;
use std::time::{Duration, Instant};

/// How long a pod, a Lease or a resource may take.
const PATIENCE: Duration = Duration::from_mins(3);

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// The cluster of a context.
#[derive(Debug)]
pub(super) struct Cluster {
    context: String,
}

impl Cluster {
    pub(super) fn new(context: &str) -> Self {
        Self { context: context.to_owned() }
    }

    /// Runs kubectl; returns what it printed.
    pub(super) fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        run(Command::new("kubectl").args(["--context", &self.context]).args(arguments))
    }

    /// Runs helm; returns what it printed.
    pub(super) fn helm(&self, arguments: &[&str]) -> Result<String, String> {
        run(Command::new("helm").args(["--kube-context", &self.context]).args(arguments))
    }

    /// A field of an object, empty where it is absent.
    pub(super) fn field(&self, namespace: &str, object: &str, path: &str) -> Result<String, String> {
        let output = format!("jsonpath={{{path}}}");
        self.kubectl(&["get", object, "--namespace", namespace, "--output", &output])
    }

    /// Waits until a field is as wanted; returns it.
    pub(super) fn until(
        &self,
        [namespace, object, path]: [&str; 3],
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<String, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.field(namespace, object, path)?;
            if is_wanted(&found) {
                return Ok(found);
            }
            if Instant::now() >= deadline {
                return Err(format!("{path} of {object} stayed {found:?} for {} s", PATIENCE.as_secs()));
            }
            std::thread::sleep(PERIOD);
        }
    }
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}
