//! The image as far as it can be held against the rest without being built: toolchain, user, and what goes into the build.

use std::process::Command;

use super::support::{chart, documents, repository, succeed, template, text, values};

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
    for file in [None, Some("values-full.yaml"), Some("values-namespaced.yaml")] {
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
        assert!(said.contains("/etc/") || said.contains("/var/run/"), "{file:?}: {said}");
        assert!(said.contains("No such file"), "{file:?}: {said}");
    }
}
