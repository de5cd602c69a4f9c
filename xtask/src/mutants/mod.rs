//! Breaks the operator on purpose, one rule at a time, and shows that the tests of the lifecycle notice.
//!
//! It works in a copy of the sources below `target/`, so the tree stays as it is. Some minutes a mutant: not a part of CI, which
//! checks that each mutant still applies.

mod list;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use self::list::{MUTANTS, Mutant};
use crate::cargo::cargo;

/// The flags of `mutants`.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// Only the mutants whose description contains this
    #[arg(value_name = "TEXT")]
    filter: Option<String>,
    /// Random schedules for each
    #[arg(long, value_name = "N", default_value_t = 4_000)]
    schedules: u32,
}

/// The tests of the lifecycle: the decision, its model, and the simulation.
const TESTS: [&[&str]; 2] =
    [&["test", "--lib", "--locked", "lifecycle"], &["test", "--test", "simulation", "--locked", "lifecycle"]];

/// Runs the tests of the lifecycle over each mutant.
pub(crate) fn run(flags: &Flags) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let copy = Copy { folder: testbed::target_dir().join("mutants"), schedules: flags.schedules };
    copy.renew(&root)?;
    if let Some(failed) = copy.tests_fail()? {
        return Err(format!("{failed} fails over the sources as they are"));
    }
    println!("all tests pass over the sources as they are");
    let wanted = |mutant: &&Mutant| flags.filter.as_ref().is_none_or(|text| mutant.what.contains(text.as_str()));
    let mut survivors = Vec::new();
    for mutant in MUTANTS.iter().filter(wanted) {
        copy.renew(&root)?;
        copy.apply(mutant)?;
        if let Some(by) = copy.tests_fail()? {
            println!("caught by {by}: {}", mutant.what);
        } else {
            println!("SURVIVED: {}", mutant.what);
            survivors.push(mutant.what);
        }
    }
    if survivors.is_empty() {
        Ok(())
    } else {
        Err(format!("no test notices an operator that {}", survivors.join(", or ")))
    }
}

/// A copy of the sources, and where it is built.
struct Copy {
    folder: PathBuf,
    schedules: u32,
}

impl Copy {
    fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// Makes it like the sources, without touching what is the same: cargo builds what changed.
    fn renew(&self, root: &Path) -> Result<(), String> {
        let files = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output();
        let files = files.map_err(|error| format!("git: {error}"))?;
        if !files.status.success() {
            return Err("git cannot list the sources; run this in a clone".to_owned());
        }
        for file in String::from_utf8_lossy(&files.stdout).split('\0').filter(|file| !file.is_empty()) {
            let (from, to) = (root.join(file), self.tree().join(file));
            let Ok(source) = std::fs::read(&from) else { continue };
            if std::fs::read(&to).is_ok_and(|there| there == source) {
                continue;
            }
            write(&to, &source)?;
        }
        Ok(())
    }

    fn apply(&self, mutant: &Mutant) -> Result<(), String> {
        for edit in mutant.edits {
            let file = self.tree().join(edit.file);
            let source = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", edit.file))?;
            if !source.contains(edit.from) {
                return Err(format!("{}: the mutant does not apply to {} any more", mutant.what, edit.file));
            }
            write(&file, source.replacen(edit.from, edit.to, 1).as_bytes())?;
        }
        Ok(())
    }

    /// The test that fails first; none: all pass.
    fn tests_fail(&self) -> Result<Option<String>, String> {
        for arguments in TESTS {
            let built = self.cargo(arguments).arg("--no-run").output().map_err(|error| error.to_string())?;
            if !built.status.success() {
                return Err(format!("it does not compile:\n{}", String::from_utf8_lossy(&built.stderr)));
            }
            let output = self.cargo(arguments).output().map_err(|error| error.to_string())?;
            if !output.status.success() {
                let text = String::from_utf8_lossy(&output.stdout);
                let failed = text.lines().find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
                return Ok(Some(failed.unwrap_or("a crash of the tests").to_owned()));
            }
        }
        Ok(None)
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = cargo();
        cargo.args(arguments).current_dir(self.tree()).env("CARGO_TARGET_DIR", self.folder.join("target"));
        cargo.env("SIMULATION_SCHEDULES", self.schedules.to_string()).stdin(Stdio::null());
        cargo
    }
}

fn write(file: &Path, contents: &[u8]) -> Result<(), String> {
    let written = file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(file, contents));
    written.map_err(|error| format!("{}: {error}", file.display()))
}
