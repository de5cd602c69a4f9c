//! `docs/reliability.md` names tests that exist: no promise without one.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// All the Rust there is, in one text.
fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, text);
        } else if entry.extension().is_some_and(|it| it == "rs") {
            text.push_str(&std::fs::read_to_string(entry).unwrap());
        }
    }
}

/// What stands between backticks, in the rows of tables.
fn named(docs: &str) -> impl Iterator<Item = &str> {
    let rows = docs.lines().filter(|line| line.starts_with('|'));
    rows.filter_map(|row| row.rsplit('|').nth(1)).flat_map(|tests| tests.split('`').skip(1).step_by(2))
}

#[test]
fn every_test_that_the_docs_name_exists() {
    let docs = std::fs::read_to_string(Path::new(ROOT).join("docs/reliability.md")).unwrap();
    let mut text = String::new();
    for folder in ["src", "tests"] {
        sources(&Path::new(ROOT).join(folder), &mut text);
    }
    let tests: Vec<_> = named(&docs).filter_map(|name| name.rsplit_once("::")).collect();
    assert!(tests.len() > 30, "{tests:?}");
    for (module, test) in tests {
        let known = match test.split_once('…') {
            Some((beginning, _)) => text.contains(&format!("fn {beginning}")),
            // A whole module.
            None if test == "tests" || test == "*" => {
                text.contains(&format!("mod {}", module.rsplit("::").next().unwrap()))
            }
            None => text.contains(&format!("fn {test}(")),
        };
        assert!(known, "{module}::{test} is not there");
    }
}
