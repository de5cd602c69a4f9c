//! The image as far as it can be held against the rest without being built: toolchain, user, and what goes into the build.

use super::support::{chart, documents, repository};

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
