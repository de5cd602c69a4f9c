//! Names of resources: readable, stable, and each once. Pure.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::confidence::name::CredentialName;

/// The most characters of the readable part: a name with a suffix fits a label of Kubernetes (63).
const MAX_READABLE: usize = 50;

/// Characters of an id, or bytes of a digest, in a suffix.
const SUFFIX: usize = 8;

/// A name for each credential, in their order. One whose readable name is taken by another as well gets the beginning of
/// its id, and if that does not tell it apart, digits made from its whole name. So a name depends on nothing but the
/// credential and those that are called alike.
pub(super) fn resource_names(credentials: &[(CredentialName, String)]) -> Vec<String> {
    let mut levels = vec![0; credentials.len()];
    loop {
        let named: Vec<String> =
            credentials.iter().zip(&levels).map(|((name, title), level)| candidate(name, title, *level)).collect();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for name in &named {
            *counts.entry(name).or_default() += 1;
        }
        let clashing: Vec<usize> =
            (0..named.len()).filter(|index| counts[named[*index].as_str()] > 1 && levels[*index] < LAST).collect();
        if clashing.is_empty() {
            return named;
        }
        for index in clashing {
            levels[index] += 1;
        }
    }
}

/// The level at which no two credentials have the same name.
const LAST: usize = 2;

fn candidate(name: &CredentialName, title: &str, level: usize) -> String {
    let readable = readable(title);
    match level {
        0 if !readable.is_empty() => readable,
        0 | 1 => joined(&readable, &self::readable(name.credential()).chars().take(SUFFIX).collect::<String>()),
        _ => joined(&readable, &digits(&name.to_string())),
    }
}

fn joined(readable: &str, suffix: &str) -> String {
    let text = format!("{readable}-{suffix}");
    let text = text.trim_matches('-');
    if text.is_empty() { "credential".to_owned() } else { text.to_owned() }
}

fn digits(text: &str) -> String {
    let number = Sha256::digest(text.as_bytes())
        .iter()
        .take(SUFFIX)
        .fold(0, |number: u64, byte| (number << 8) | u64::from(*byte));
    format!("{number:016x}")
}

/// Lower case letters, digits and single hyphens within, as Kubernetes allows in a name.
fn readable(title: &str) -> String {
    let lower = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let text: String = title.chars().map(lower).collect();
    let parts = text.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    parts.chars().take(MAX_READABLE).collect::<String>().trim_matches('-').to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(credentials: &[(&str, &str)]) -> Vec<String> {
        let parse =
            |(id, title): &(&str, &str)| (format!("clients/c/credentials/{id}").parse().unwrap(), (*title).to_owned());
        resource_names(&credentials.iter().map(parse).collect::<Vec<_>>())
    }

    /// Only those that are called alike get a suffix, each from its own id.
    #[test]
    fn collision_is_resolved_by_id() {
        let found = names(&[("AAAA1111", "Checkout (web)"), ("b2222222zz", "checkout  web!"), ("c3", "Cart")]);
        assert_eq!(found, ["checkout-web-aaaa1111", "checkout-web-b2222222", "cart"]);
    }

    /// A title without a letter of the alphabet gives the id.
    #[test]
    fn unreadable_title_gives_id() {
        assert_eq!(names(&[("k1", "日本"), ("k2", "!")]), ["k1", "k2"]);
    }

    proptest! {
        /// Names are different, valid, and the same in whichever order a LIST has them.
        #[test]
        fn names_are_unique_valid_and_stable(titles in proptest::collection::vec("[abA -]{0,3}|.{60,70}", 1..12)) {
            let name = |index: usize| format!("clients/c/credentials/{}{index}", if index.is_multiple_of(2) { "same-start" } else { "X~" });
            let all: Vec<(CredentialName, String)> =
                titles.into_iter().enumerate().map(|(index, title)| (name(index).parse().unwrap(), title)).collect();
            let found = resource_names(&all);
            let different: std::collections::BTreeSet<_> = found.iter().collect();
            prop_assert_eq!(different.len(), all.len());
            for name in &found {
                prop_assert!(name.len() <= 253 && !name.starts_with('-') && !name.ends_with('-'), "{}", name);
                prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{}", name);
            }
            let mut reversed: Vec<_> = all.clone();
            reversed.reverse();
            let mut again = resource_names(&reversed);
            again.reverse();
            prop_assert_eq!(again, found);
        }
    }
}
