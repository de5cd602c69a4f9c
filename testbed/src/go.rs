//! Builds pinned Go programs into a cached folder, once, with visible progress.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// How often a long build says that it is still at work.
const PROGRESS: Duration = Duration::from_secs(20);

/// A program to build.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Package {
    /// The name of the binary.
    pub(crate) binary: &'static str,
    /// What `go build` is told.
    pub(crate) path: &'static str,
    /// Further flags of `go build`.
    pub(crate) flags: &'static [&'static str],
}

/// Cargo's folder for what is built.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from)
}

/// Builds the programs of a Go module below this crate, unless that was done before for the same sources.
pub(crate) fn build(module: &str, packages: &[Package]) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(module);
    let cache = target_dir().join(module);
    let done = cache.join(fingerprint(&source, packages)?);
    fs::create_dir_all(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    // Test processes may start at the same time; one builds, the others wait for it.
    let lock = File::create(cache.join("lock")).and_then(|file| file.lock().map(|()| file));
    let _lock = lock.map_err(|error| format!("{}: {error}", cache.display()))?;
    if !done.exists() {
        let unfinished = cache.join("unfinished");
        let _ = fs::remove_dir_all(&unfinished);
        for package in packages {
            build_one(&source, *package, &unfinished.join(package.binary))?;
        }
        fs::rename(&unfinished, &done).map_err(|error| format!("{}: {error}", done.display()))?;
    }
    Ok(done)
}

fn fingerprint(source: &Path, packages: &[Package]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for package in packages {
        (package.binary, package.path, package.flags).hash(&mut hasher);
    }
    let failed = |path: &Path, error| format!("{}: {error}", path.display());
    let files = fs::read_dir(source).map_err(|error| failed(source, error))?;
    let mut paths: Vec<PathBuf> = files.map_while(std::result::Result::ok).map(|file| file.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == "go" || it == "mod" || it == "sum"));
    paths.sort();
    for path in paths {
        path.file_name().hash(&mut hasher);
        fs::read(&path).map_err(|error| failed(&path, error))?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn build_one(source: &Path, package: Package, binary: &Path) -> Result<()> {
    let began = Instant::now();
    say(&format!("building {} (once; cached in target/)", package.binary));
    let mut go = Command::new("go")
        .current_dir(source)
        .args(["build", "-trimpath", "-buildvcs=false", "-mod=readonly"])
        .args(package.flags)
        .arg("-o")
        .arg(binary)
        .arg(package.path)
        .env("GOTOOLCHAIN", "local")
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| format!("go cannot be run ({error}): install Go 1.26 or later, or set KUBEBUILDER_ASSETS"))?;
    let mut said = began;
    loop {
        match go.try_wait().map_err(|error| error.to_string())? {
            Some(status) if status.success() => break,
            Some(status) => return Err(format!("go build of {} failed: {status}", package.path)),
            None => std::thread::sleep(Duration::from_millis(50)),
        }
        if said.elapsed() >= PROGRESS {
            say(&format!("building {} … {} s", package.binary, began.elapsed().as_secs()));
            said = Instant::now();
        }
    }
    say(&format!("built {} in {} s", package.binary, began.elapsed().as_secs()));
    Ok(())
}

/// Past the capture of the test harness: a first build takes minutes, and silence looks like a hang.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "testbed: {line}");
}
