//! What keeps the repository itself in order: CI runs what a contributor runs, and whatever pins a version is kept up to date.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testbed::Tool;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(root().join(path)).unwrap()).unwrap()
}

/// The files of the repository, as far as they are not made by a build.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, mut found): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let made = ["target", ".git", "node_modules"];
    let folders = folders.iter().filter(|path| !made.iter().any(|name| path.ends_with(name)));
    found.extend(folders.flat_map(|folder| files(folder)));
    found
}

#[test]
fn whatever_pins_a_version_is_kept_up_to_date() {
    let ecosystem_of = |path: &Path| match path.file_name().unwrap().to_str().unwrap() {
        "Cargo.lock" => Some("cargo"),
        "go.mod" => Some("gomod"),
        "package-lock.json" => Some("npm"),
        "Dockerfile" => Some("docker"),
        "hadolint.txt" => Some("pip"),
        _ if path.parent().unwrap().ends_with(".github/workflows") => Some("github-actions"),
        _ => None,
    };
    let dependabot = yaml(".github/dependabot.yml");
    let covered = |ecosystem: &str, folder: &str| {
        dependabot["updates"].as_array().unwrap().iter().filter(|it| it["package-ecosystem"] == ecosystem).any(|it| {
            let listed = it["directories"].as_array().into_iter().flatten().chain(it.get("directory"));
            listed.filter_map(Value::as_str).any(|it| match it.strip_suffix("/*") {
                Some(parent) => folder.rsplit_once('/').is_some_and(|(of, _)| of == parent),
                None => it == folder,
            })
        })
    };
    let pinning: Vec<_> = files(root()).into_iter().filter_map(|path| Some((ecosystem_of(&path)?, path))).collect();
    assert!(pinning.len() > 10, "{pinning:?}");
    for (ecosystem, path) in pinning {
        let folder = path.parent().unwrap().strip_prefix(root()).unwrap().display();
        // Workflows are looked for where GitHub wants them.
        let folder = if ecosystem == "github-actions" { "/".to_owned() } else { format!("/{folder}") };
        assert!(covered(ecosystem, &folder), "{ecosystem} in {folder}: not in .github/dependabot.yml");
    }
}

#[test]
fn github_runs_what_a_contributor_runs_and_may_only_read() {
    let workflow = yaml(".github/workflows/ci.yaml");
    assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}));
    let steps = workflow["jobs"]["check"]["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["run"] == ".ci/run"));
    let go = steps.iter().find(|step| step["uses"].as_str().is_some_and(|it| it.starts_with("actions/setup-go@")));
    assert_eq!(go.unwrap()["with"]["go-version-file"], "testbed/controlplane/go.mod");
}

/// A release is no time to find a mistake in its workflow.
#[test]
fn workflows_are_sound() {
    // Its checks of shell and Python need programs that a machine may lack, and would differ from one to the next.
    let mut actionlint = Command::new(Tool::Actionlint.find().unwrap());
    actionlint.args(["-no-color", "-shellcheck=", "-pyflakes="]).args(files(&root().join(".github/workflows")));
    let output = actionlint.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A tag of an action can be moved; a commit cannot. Rights are given to the job that needs them.
#[test]
fn workflows_pin_actions_and_grant_little() {
    for path in files(&root().join(".github/workflows")) {
        let text = fs::read_to_string(&path).unwrap();
        let used: Vec<_> = text.lines().filter_map(|line| line.split_once("uses: ").map(|(_, it)| it)).collect();
        assert!(!used.is_empty(), "{}: no action was found", path.display());
        for action in used {
            assert!(is_pinned(action), "{}: {action}: name the commit, and its tag in a comment", path.display());
        }
        let workflow: Value = serde_saphyr::from_str(&text).unwrap();
        let granted = workflow["permissions"].as_object().unwrap();
        assert!(granted.values().all(|right| right == "read"), "{}: {granted:?}", path.display());
    }
}

fn is_pinned(action: &str) -> bool {
    let Some((reference, tag)) = action.split_once(" # v") else { return false };
    let commit = reference.rsplit_once('@').map_or("", |(_, commit)| commit);
    commit.len() == 40 && commit.chars().all(|it| it.is_ascii_hexdigit()) && !tag.is_empty()
}

/// What tells a pinned action from another.
#[test]
fn action_by_tag_is_not_pinned() {
    let commit = "a/b@0123456789abcdef0123456789abcdef01234567";
    assert!(is_pinned(&format!("{commit} # v1.2.3")));
    assert!(!is_pinned(commit) && !is_pinned("a/b@v4 # v4"));
}
