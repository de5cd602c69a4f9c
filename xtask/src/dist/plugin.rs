//! The kubectl plugin: the operator's binary under its other name, in an archive for each platform.

use std::path::{Path, PathBuf};

use super::archive::{self, Entry};
use super::{VERSION, repository};
use crate::cargo::cargo;

/// The name under which kubectl finds the plugin.
pub(super) const PROGRAM: &str = "kubectl-confidence";

/// An archive of the plugin.
#[derive(Debug)]
pub(super) struct Archive {
    pub(super) path: PathBuf,
    pub(super) platform: Platform,
}

/// A platform, in the words of Go and krew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Platform {
    pub(super) os: &'static str,
    pub(super) arch: &'static str,
}

/// The platforms that the plugin runs on. Windows is not among them: the operator handles signals of Unix.
const PLATFORMS: [Platform; 4] = [
    Platform { os: "darwin", arch: "amd64" },
    Platform { os: "darwin", arch: "arm64" },
    Platform { os: "linux", arch: "amd64" },
    Platform { os: "linux", arch: "arm64" },
];

impl Platform {
    /// The platform of a target of Rust.
    fn of(triple: &str) -> Result<Self, String> {
        let os = if triple.contains("-apple-darwin") { "darwin" } else { "linux" };
        let arch = if triple.starts_with("aarch64-") { "arm64" } else { "amd64" };
        let is_known = ["x86_64-", "aarch64-"].iter().any(|it| triple.starts_with(it))
            && ["-apple-darwin", "-linux-"].iter().any(|it| triple.contains(it));
        let platform = PLATFORMS.into_iter().find(|it| is_known && it.os == os && it.arch == arch);
        platform.ok_or_else(|| format!("--target {triple}: the plugin is for amd64 and arm64, Linux and macOS"))
    }

    fn of_this_machine() -> Result<Self, String> {
        let vendor = if std::env::consts::OS == "macos" { "apple-darwin" } else { "unknown-linux-" };
        Self::of(&format!("{}-{vendor}", std::env::consts::ARCH))
    }

    fn archive(self) -> String {
        format!("{PROGRAM}_v{VERSION}_{}_{}.tar.gz", self.os, self.arch)
    }
}

/// Builds the plugin for the targets, or for this machine.
pub(super) fn build(targets: &[String], profile: &str, out: &Path) -> Result<Vec<Archive>, String> {
    let mut archives = Vec::new();
    let host = [None];
    let all: Vec<_> = targets.iter().map(|it| Some(it.as_str())).collect();
    for target in if all.is_empty() { &host[..] } else { &all[..] } {
        let platform = target.map_or_else(Platform::of_this_machine, Platform::of)?;
        let path = out.join(platform.archive());
        let binary = compile(*target, profile)?;
        let license = repository("LICENSE");
        let entries = [
            Entry { source: &license, name: "LICENSE".into(), mode: 0o644 },
            Entry { source: &binary, name: PROGRAM.into(), mode: 0o755 },
        ];
        archive::write(&path, &entries)?;
        archives.push(Archive { path, platform });
    }
    Ok(archives)
}

fn compile(target: Option<&str>, profile: &str) -> Result<PathBuf, String> {
    let mut cargo = cargo();
    cargo.current_dir(repository("")).args(["build", "--locked", "--package", "confidence-operator"]);
    cargo.args(["--bin", "confidence-operator", "--profile", profile]);
    cargo.args(target.iter().flat_map(|it| ["--target", it]));
    let status = cargo.status().map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err("the plugin was not built".into());
    }
    // The folder of the profile `dev` has another name.
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(testbed::target_dir().join(target.unwrap_or_default()).join(folder).join("confidence-operator"))
}

/// Takes archives that were built elsewhere.
pub(super) fn take(folder: &Path, out: &Path) -> Result<Vec<Archive>, String> {
    let mut archives = Vec::new();
    for platform in PLATFORMS {
        let source = folder.join(platform.archive());
        if source.exists() {
            let path = out.join(platform.archive());
            std::fs::copy(&source, &path).map_err(|error| format!("{}: {error}", source.display()))?;
            archives.push(Archive { path, platform });
        }
    }
    if archives.is_empty() {
        return Err(format!("--plugins {}: there is no archive of version {VERSION}", folder.display()));
    }
    Ok(archives)
}
