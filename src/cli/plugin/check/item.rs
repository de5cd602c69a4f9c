//! One line of `check`. Pure.

use serde::Serialize;

use crate::cli::plugin::error::one_line;

/// One requirement, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Item {
    pub(super) requirement: String,
    pub(super) ok: bool,
    /// What was found, or what is wrong and what to do.
    pub(super) text: String,
}

/// A requirement that is met.
pub(super) fn passed(requirement: &str, text: impl AsRef<str>) -> Item {
    Item { requirement: requirement.to_owned(), ok: true, text: one_line(text.as_ref()) }
}

/// A requirement that is not met.
pub(super) fn failed(requirement: &str, text: impl AsRef<str>) -> Item {
    Item { requirement: requirement.to_owned(), ok: false, text: one_line(text.as_ref()) }
}

/// The list as people read it.
pub(super) fn text(items: &[Item]) -> String {
    let width = items.iter().map(|item| item.requirement.chars().count()).max().unwrap_or_default();
    let line = |item: &Item| {
        let mark = if item.ok { '✓' } else { '✗' };
        format!("{mark} {:width$}  {}\n", item.requirement, item.text)
    };
    items.iter().map(line).collect()
}
