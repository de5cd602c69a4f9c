//! What `cargo xtask dist` builds, held against the programs that will read it: kubectl, krew, kubeconform, OLM, sha256sum.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;
use testbed::{Assets, Tool};

const IMAGE: &str =
    "registry.example.com/confidence-operator@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A release of the debug build, made once.
fn dist() -> PathBuf {
    static DIST: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let out = testbed::target_dir().join("tmp/dist");
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        xtask.args(["dist", "--profile", "dev", "--without-sbom", "--image", IMAGE, "--out"]).arg(&out);
        succeed(&mut xtask);
        out
    };
    DIST.get_or_init(build).clone()
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (told, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{told}\n{wrong}");
    format!("{told}{wrong}")
}

fn yaml(path: &Path) -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The archive of the plugin for the platform of this machine, unpacked.
fn unpacked() -> TempDir {
    let arch = if std::env::consts::ARCH == "aarch64" { "arm64" } else { "amd64" };
    let os = if std::env::consts::OS == "macos" { "darwin" } else { "linux" };
    let archive = format!("kubectl-confidence_v{}_{os}_{arch}.tar.gz", env!("CARGO_PKG_VERSION"));
    let dir = tempfile::tempdir().unwrap();
    let mut tar = Command::new("tar");
    succeed(
        tar.arg("--extract").arg("--gzip").arg("--file").arg(dist().join(archive)).arg("--directory").arg(dir.path()),
    );
    dir
}

/// kubectl finds the unpacked program by its name, and it answers as a plugin.
#[test]
fn unpacked_plugin_answers_to_kubectl() {
    let dir = unpacked();
    let mut kubectl = Command::new(Assets::find().unwrap().kubectl());
    let told = succeed(kubectl.env("PATH", dir.path()).args(["confidence", "--help"]));
    assert!(told.contains("Usage: kubectl confidence"), "{told}");
    assert!(dir.path().join("LICENSE").exists());
}

/// krew takes the manifest, and the sum in it is that of the archive.
#[test]
fn krew_manifest_is_valid() {
    let manifest = dist().join("confidence.yaml");
    let mut krew = Command::new(Tool::Krew.find().unwrap());
    succeed(krew.arg("-manifest").arg(&manifest).arg("-skip-install"));
    let manifest = yaml(&manifest);
    let platform = &manifest["spec"]["platforms"][0];
    let archive = platform["uri"].as_str().unwrap().rsplit_once('/').unwrap().1;
    let sum = succeed(Command::new("sha256sum").arg(dist().join(archive)));
    assert!(sum.starts_with(platform["sha256"].as_str().unwrap()), "{sum}");
}

/// Whether OLM's own validation finds no error, and what it says. With most errors it ends with success all the same.
fn verify(bundle: &Path) -> (bool, String) {
    let mut verify = Command::new(Tool::OperatorVerify.find().unwrap());
    let output = verify.args(["manifests", "--operatorhub_validate"]).arg(bundle).output().unwrap();
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success() && !told.contains("level=error"), told)
}

/// OLM's own validation finds no error, and the rights are those of the chart.
#[test]
fn olm_bundle_is_valid() {
    let bundle = dist().join("bundle");
    let (is_valid, told) = verify(&bundle);
    assert!(is_valid, "{told}");
    let csv = yaml(&bundle.join("manifests/confidence-operator.clusterserviceversion.yaml"));
    let install = &csv["spec"]["install"]["spec"];
    assert_eq!(install["deployments"][0]["spec"]["template"]["spec"]["containers"][0]["image"], IMAGE);
    let rules = install["clusterPermissions"][0]["rules"].to_string();
    assert!(
        rules.contains("confidenceclientcredentials/status") && rules.contains("customresourcedefinitions"),
        "{rules}"
    );
    assert_eq!(csv["spec"]["customresourcedefinitions"]["owned"].as_array().unwrap().len(), 3);
}

/// The validation finds a kind that the bundle has no CRD of.
#[test]
fn olm_bundle_without_a_crd_is_invalid() {
    let dir = tempfile::tempdir().unwrap();
    succeed(Command::new("cp").arg("-r").arg(dist().join("bundle")).arg(dir.path()));
    let broken = dir.path().join("bundle");
    let csv = broken.join("manifests/confidence-operator.clusterserviceversion.yaml");
    let text = std::fs::read_to_string(&csv).unwrap();
    std::fs::write(&csv, text.replace("kind: ConfidenceAccount\n", "kind: Unknown\n")).unwrap();
    let (is_valid, told) = verify(&broken);
    assert!(!is_valid && told.contains("Kind=Unknown"), "{told}");
}

/// The schemas take every example, and refuse a field that does not exist.
#[test]
fn schemas_check_the_examples() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let layout = dist().join("schemas/{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json");
    let kubeconform = || {
        let mut kubeconform = Command::new(Tool::Kubeconform.find().unwrap());
        kubeconform.args(["-strict", "-summary", "-skip", "Secret", "-schema-location"]).arg(&layout);
        kubeconform
    };
    let told = succeed(kubeconform().arg(examples.join("full.yaml")).arg(examples.join("account.yaml")));
    assert!(told.contains("Invalid: 0, Errors: 0") && !told.contains("Valid: 0"), "{told}");
    let dir = tempfile::tempdir().unwrap();
    let typo = std::fs::read_to_string(examples.join("minimal.yaml")).unwrap().replace("displayName", "dislayName");
    std::fs::write(dir.path().join("typo.yaml"), typo).unwrap();
    let output = kubeconform().arg(dir.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && told.contains("dislayName"), "{told}");
}

/// One file installs the CRDs and the operator of the given image.
#[test]
fn install_manifest_names_the_image_by_digest() {
    let manifest = std::fs::read_to_string(dist().join("install.yaml")).unwrap();
    assert_eq!(manifest.matches(&format!("image: \"{IMAGE}\"")).count(), 1);
    assert_eq!(manifest.matches("kind: CustomResourceDefinition").count(), 3);
    let kinds: Vec<_> = manifest.lines().filter(|line| line.starts_with("kind: ")).collect();
    assert_eq!(kinds.last(), Some(&"kind: Deployment"));
}

/// Who installs the packaged chart without values gets the image of the release.
#[test]
fn packaged_chart_names_the_image() {
    let chart = dist().join(format!("confidence-operator-{}.tgz", env!("CARGO_PKG_VERSION")));
    let mut helm = Command::new(Tool::Helm.find().unwrap());
    let rendered = succeed(helm.args(["template", "a"]).arg(chart).args(["--show-only", "templates/deployment.yaml"]));
    assert!(rendered.contains(&format!("image: \"{IMAGE}\"")), "{rendered}");
}

/// The checksums are those of all files, in the form that sha256sum reads.
#[test]
fn checksums_hold_for_every_file() {
    let told = succeed(Command::new("sha256sum").current_dir(dist()).args(["--check", "--strict", "SHA256SUMS"]));
    for file in ["install.yaml", "crds.yaml", "confidence.yaml", "schemas.tar.gz", "bundle.tar.gz"] {
        assert!(told.contains(&format!("{file}: OK")), "{file}: {told}");
    }
}

/// A slip of the hand deletes nothing.
#[test]
fn folder_with_other_files_is_kept() {
    let out = tempfile::tempdir().unwrap();
    std::fs::write(out.path().join("letter"), "mine").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["dist", "--out"]).arg(out.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("name another"), "{told}");
    assert_eq!(std::fs::read_to_string(out.path().join("letter")).unwrap(), "mine");
}

/// A release without its bill of materials is not made by mistake.
#[test]
fn missing_sbom_is_refused() {
    let out = tempfile::tempdir().unwrap();
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    xtask.env("CARGO_TARGET_DIR", testbed::target_dir()).args(["dist", "--plugins"]).arg(dist()).arg("--out");
    let output = xtask.arg(out.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let has_sbom = testbed::target_dir().join("sbom/confidence-operator.cdx.json").exists();
    assert_eq!(output.status.success(), has_sbom, "{told}");
    assert!(has_sbom || told.contains("run .ci/supply-chain first"), "{told}");
}
