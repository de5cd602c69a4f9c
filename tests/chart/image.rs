//! The image as far as it can be held against the rest without being built: toolchain, user, and what goes into the build.

use std::process::{Command, Output};

use super::support::{SETS, chart, documents, repository, succeed, template, text, values};

fn read(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap()
}

#[test]
fn the_image_is_built_with_the_pinned_toolchain() {
    let channel = read("rust-toolchain.toml").lines().find_map(|line| {
        let version = line.strip_prefix("channel = ")?;
        Some(version.trim_matches('"').rsplit_once('.')?.0.to_owned())
    });
    let line = format!("ARG BUILD_IMAGE=rust:{}-", channel.unwrap());
    assert!(read("Dockerfile").lines().any(|it| it.starts_with(&line)), "{line}…");
}

#[test]
fn the_image_and_its_build_command_have_the_version_of_the_workspace() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(read("Dockerfile").contains(&format!("\nARG VERSION={version}\n")), "the image's label");
    let install = read("docs/install.md");
    let tags: Vec<_> =
        install.split("/confidence-operator:").skip(1).filter_map(|it| it.split([' ', '\n']).next()).collect();
    assert_eq!(tags, [version], "docs/install.md");
    for (file, image) in [
        ("examples/try/simulator.yaml", "image: confidence-simulator:"),
        ("README.md", "--tag confidence-operator:"),
        ("README.md", "--tag confidence-simulator:"),
        (".github/workflows/ci.yaml", "--tag confidence-operator:"),
        (".github/workflows/ci.yaml", "--tag confidence-simulator:"),
    ] {
        assert!(read(file).contains(&format!("{image}{version}")), "{file}: {image}");
    }
    // The commit is known to nobody but who calls the build.
    assert!(install.contains("--build-arg REVISION=\"$(git rev-parse HEAD)\""));
}

#[test]
fn a_platform_that_the_builder_is_told_is_not_overridden() {
    // BuildKit gives these their values only where the stage declares them without one.
    let dockerfile = read("Dockerfile");
    for automatic in ["TARGETARCH", "TARGETPLATFORM", "BUILDPLATFORM", "TARGETOS", "TARGETVARIANT"] {
        assert!(!dockerfile.contains(&format!("ARG {automatic}=")), "{automatic} has a default");
    }
    assert!(dockerfile.contains("\nARG TARGETARCH\n"));
}

/// Runs a line of the Dockerfile's build, for a platform or for the builder's own.
fn for_target(architecture: Option<&str>, line: &str) -> Output {
    let mut shell = Command::new("sh");
    shell.current_dir(repository("")).args(["-euc", &format!(". ./docker-target.sh; {line}")]).env_remove("TARGETARCH");
    shell.envs(architecture.map(|it| ("TARGETARCH", it))).output().unwrap()
}

#[test]
fn the_build_is_for_the_platform_that_is_asked_for_and_else_for_the_builders() {
    let target = |architecture| String::from_utf8(for_target(architecture, "echo $TARGET $TARGETARCH").stdout).unwrap();
    assert_eq!(target(Some("amd64")), "x86_64-unknown-linux-musl amd64\n");
    assert_eq!(target(Some("arm64")), "aarch64-unknown-linux-musl arm64\n");
    assert!(target(None).starts_with(&format!("{}-", std::env::consts::ARCH)), "{}", target(None));
    assert!(!for_target(Some("riscv64"), "true").status.success());
    // What is built with configure cannot be built for another platform.
    let features = |architecture| String::from_utf8(for_target(architecture, "echo $FEATURES").stdout).unwrap();
    let native = if std::env::consts::ARCH == "x86_64" { "jemalloc\n" } else { "\n" };
    assert_eq!((features(Some("amd64")).as_str(), features(Some("arm64")).as_str()), (native, "\n"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_binary_for_another_machine_ends_the_build() {
    let check = concat!("check_machine ", env!("CARGO_BIN_EXE_confidence-operator"));
    assert!(read("Dockerfile").contains("&& check_machine \"target/$TARGET/release/confidence-operator\""));
    assert!(for_target(None, check).status.success());
    let other = if cfg!(target_arch = "x86_64") { "arm64" } else { "amd64" };
    let output = for_target(Some(other), check);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && told.contains("its ELF machine is"), "{told}");
}

#[test]
fn image_and_chart_run_as_the_same_user_who_is_not_root() {
    let values = documents(&std::fs::read_to_string(chart().join("values.yaml")).unwrap()).remove(0);
    let context = &values["podSecurityContext"];
    let user = context["runAsUser"].as_i64().unwrap();
    assert!(user > 0);
    assert!(read("Dockerfile").contains(&format!("\nUSER {user}:{}\n", context["runAsGroup"])));
}

#[test]
fn every_member_of_the_workspace_reaches_the_build() {
    let manifest = read("Cargo.toml");
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).unwrap();
    let members: Vec<String> = serde_json::from_str(members).unwrap();
    let ignore = read(".dockerignore");
    for member in members {
        for part in ["Cargo.toml", "src"] {
            assert!(ignore.lines().any(|line| line == format!("!{member}/{part}")), "{member}/{part}");
        }
    }
}

#[test]
fn the_binary_takes_the_arguments_and_the_environment_that_the_chart_gives_it() {
    for file in SETS.into_iter().map(Some).chain([None]) {
        let path = file.map(values);
        let arguments: Vec<&str> = path.iter().flat_map(|path| ["--values", path]).collect();
        let rendered = succeed(template(&["--show-only", "templates/deployment.yaml"]).args(arguments));
        let deployment = documents(&rendered).remove(0);
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let list = |name: &str| container[name].as_array().cloned().unwrap_or_default();
        let mut operator = Command::new(env!("CARGO_BIN_EXE_confidence-operator"));
        operator.env_clear();
        operator.args(list("args").iter().map(|it| it.as_str().unwrap()));
        for variable in list("env").iter().filter(|it| it["value"].is_string()) {
            operator.env(text(variable, "/name"), text(variable, "/value"));
        }
        // Every flag is understood when what is missing is a file that only the pod has.
        let said = String::from_utf8(operator.output().unwrap().stderr).unwrap();
        assert!(["/etc/", "/var/run/", "/vault/"].iter().any(|folder| said.contains(folder)), "{file:?}: {said}");
        assert!(said.contains("No such file"), "{file:?}: {said}");
    }
}
