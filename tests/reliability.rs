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
            Some((beginning, _)) => runs(&text, beginning),
            // A whole module.
            None if test == "tests" || test == "*" => {
                text.contains(&format!("mod {}", module.rsplit("::").next().unwrap()))
            }
            None => runs(&text, &format!("{test}(")),
        };
        assert!(known, "{module}::{test} is not there, or never runs");
    }
}

/// Whether a function whose name begins so is a test that runs: with the attribute of one, not ignored and not in a comment.
fn runs(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let begins =
        |line: &str| ["fn ", "async fn "].iter().any(|it| line.strip_prefix(it).is_some_and(|it| it.starts_with(name)));
    lines.iter().enumerate().filter(|(_, line)| begins(line)).any(|(at, _)| {
        let above = lines[..at].iter().rev();
        let attributes: Vec<_> = above.take_while(|line| line.starts_with("#[") || line.starts_with("///")).collect();
        let is = |what: &str| attributes.iter().any(|line| line.starts_with("#[") && line.contains(what));
        is("test") && !is("ignore")
    })
}

#[test]
fn ignored_or_commented_test_keeps_no_promise() {
    assert!(runs("/// Why.\n#[tokio::test(start_paused = true)]\nasync fn kept() {", "kept("));
    assert!(!runs("#[test]\n#[ignore]\nfn kept() {", "kept("));
    assert!(!runs("// #[test]\n// fn kept() {", "kept("));
    assert!(!runs("fn kept() {", "kept("));
}
