//! `docs/reliability.md` names tests that exist: no promise without one.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A file of Rust: its module, as `cargo test` names it, and its lines without comments.
struct Source {
    module: String,
    lines: Vec<String>,
}

/// All the Rust in a folder.
fn sources(folder: &Path, module: &str, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()) {
        let name = entry.file_stem().unwrap().to_str().unwrap();
        let inner = match name {
            "mod" | "main" | "lib" => module.to_owned(),
            name => format!("{module}::{name}"),
        };
        if entry.is_dir() {
            sources(&entry, &inner, found);
        } else if entry.extension().is_some_and(|it| it == "rs") {
            found.push(Source { module: inner, lines: lines(&std::fs::read_to_string(entry).unwrap()) });
        }
    }
}

/// The lines of a text that are in no comment of the form `/* */`.
fn lines(text: &str) -> Vec<String> {
    let mut is_commented = false;
    let code = text.lines().map(str::trim_start).filter(|line| {
        let was_commented = is_commented || line.starts_with("/*");
        is_commented = was_commented && !line.contains("*/");
        !was_commented
    });
    code.map(str::to_owned).collect()
}

impl Source {
    /// Whether it is the file of a module, which may end with the name of its inline tests.
    fn is(&self, module: &str) -> bool {
        let ends_with = |module: &str| self.module.ends_with(&format!("::{module}"));
        ends_with(module) || module.strip_suffix("::tests").is_some_and(ends_with)
    }

    /// Whether it is a file of a module, or below it.
    fn is_in(&self, module: &str) -> bool {
        self.is(module) || self.module.contains(&format!("::{module}::"))
    }

    /// The names of its tests that run: with the attribute of one, not ignored and not in a comment.
    fn tests(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().enumerate().filter_map(|(at, line)| {
            let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?.split('(').next()?;
            let above = self.lines[..at].iter().rev();
            let attributes: Vec<_> = above.take_while(|it| it.starts_with("#[") || it.starts_with("///")).collect();
            let is = |what: &str| attributes.iter().any(|it| it.starts_with("#[") && it.contains(what));
            (is("test") && !is("ignore") && !is("cfg(any())")).then_some(name)
        })
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
    let mut found = Vec::new();
    for folder in ["src", "tests"] {
        sources(&Path::new(ROOT).join(folder), "crate", &mut found);
    }
    let tests: Vec<_> = named(&docs).filter(|name| name.contains("::")).collect();
    assert!(tests.len() > 30, "{tests:?}");
    for test in tests {
        assert!(exists(test, &found), "{test} is not there, or never runs");
    }
}

/// Whether there is such a test: the name may be cut off by an ellipsis, or be that of a whole module.
fn exists(name: &str, sources: &[Source]) -> bool {
    let (module, test) = name.rsplit_once("::").unwrap();
    let mut inside = sources.iter().filter(|it| it.is(module));
    match test.split_once('…') {
        Some((beginning, _)) => inside.any(|it| it.tests().any(|test| test.starts_with(beginning))),
        None if test == "tests" || test == "*" => {
            let whole = if test == "*" { module } else { name };
            sources.iter().any(|it| it.is_in(whole) && it.tests().next().is_some())
        }
        None => inside.any(|it| it.tests().any(|it| it == test)),
    }
}

#[test]
fn ignored_or_commented_test_keeps_no_promise() {
    let exists = |name: &str, text: &str| {
        let source = Source { module: "crate::engine::queue".to_owned(), lines: lines(text) };
        exists(name, &[source])
    };
    let good = "/// Why.\n#[tokio::test(start_paused = true)]\nasync fn kept() {";
    for name in
        ["engine::queue::tests::kept", "queue::kept", "queue::ke…", "engine::queue::tests", "engine::*", "queue::*"]
    {
        assert!(exists(name, good), "{name}");
    }
    for name in ["engine::other::kept", "ueue::kept", "queue::other", "queue::kep", "other::*", "engine::tests"] {
        assert!(!exists(name, good), "{name}");
    }
    for bad in [
        "#[test]\n#[ignore]\nfn kept() {",
        "#[ignore = \"slow\"]\n#[test]\nfn kept() {",
        "// #[test]\n// fn kept() {",
        "/*\n#[test]\nfn kept() {\n*/",
        "fn kept() {",
    ] {
        assert!(!exists("queue::kept", bad) && !exists("queue::*", bad), "{bad}");
    }
}
