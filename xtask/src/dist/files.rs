//! Files and programs, with errors that name them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

/// The checksums of everything in a release.
const SUMS: &str = "SHA256SUMS";

pub(super) fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| named(path, &error))
}

/// Writes a file, and the folders above it.
pub(super) fn write(path: &Path, text: &str) -> Result<(), String> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| named(parent, &error))?;
    }
    fs::write(path, text).map_err(|error| named(path, &error))
}

/// Makes an empty folder for a release. An earlier release there is deleted, and nothing else is: its checksums tell it, which
/// are there from the beginning.
pub(super) fn begin(out: &Path) -> Result<(), String> {
    if out.exists() {
        let found = entries(out)?;
        if !found.is_empty() && !out.join(SUMS).exists() {
            return Err(format!("--out {}: it holds something else than a release; name another", out.display()));
        }
        fs::remove_dir_all(out).map_err(|error| named(out, &error))?;
    }
    write(&out.join(SUMS), "")
}

/// The entries of a folder, in the order of their names.
pub(super) fn entries(path: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(path).map_err(|error| named(path, &error))?;
    let mut paths = entries.map(|entry| entry.map(|it| it.path())).collect::<Result<Vec<_>, _>>();
    if let Ok(paths) = &mut paths {
        paths.sort();
    }
    paths.map_err(|error| named(path, &error))
}

/// The name of a file.
pub(super) fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The SHA-256 of a file, in hexadecimal.
pub(super) fn sha256(path: &Path) -> Result<String, String> {
    let content = fs::read(path).map_err(|error| named(path, &error))?;
    Ok(Sha256::digest(content).iter().fold(String::new(), |all, byte| format!("{all}{byte:02x}")))
}

/// Writes the checksums of the files in a folder, as `sha256sum --check` reads them.
pub(super) fn write_sums(out: &Path) -> Result<(), String> {
    let mut lines = Vec::new();
    for path in entries(out)?.iter().filter(|path| path.is_file() && name(path) != SUMS) {
        lines.push(format!("{}  {}\n", sha256(path)?, name(path)));
    }
    write(&out.join(SUMS), &lines.concat())
}

/// Runs a program; returns its standard output.
pub(super) fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{command:?}: {error}"))
}

fn named(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
