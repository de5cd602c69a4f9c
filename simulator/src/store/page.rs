//! Pages of a list. The API promises no order and no snapshot across pages.

use crate::config::Paging;

/// One page.
#[derive(Debug)]
pub(crate) struct Page<'a, T> {
    /// What is on it, by key.
    pub items: Vec<(&'a str, T)>,
    /// How to ask for the next one; empty on the last.
    pub next: String,
}

/// A page of what is there now, in the order of the keys. Nothing: the token is none that was given out.
pub(crate) fn page<'a, T>(all: Vec<(&'a str, T)>, size: usize, token: &str, paging: Paging) -> Option<Page<'a, T>> {
    let start = match (paging, token) {
        (_, "") => 0,
        (Paging::ByKey, token) => {
            let last = token.strip_prefix("after.")?;
            all.partition_point(|(key, _)| *key <= last)
        }
        (Paging::ByOffset, token) => token.strip_prefix("offset.")?.parse().ok()?,
    };
    let is_last = all.len().saturating_sub(start) <= size;
    let items: Vec<_> = all.into_iter().skip(start).take(size).collect();
    let next = match (paging, items.last()) {
        (Paging::ByKey, Some((last, _))) if !is_last => format!("after.{last}"),
        (Paging::ByOffset, Some(_)) if !is_last => format!("offset.{}", start + items.len()),
        _ => String::new(),
    };
    Some(Page { items, next })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn keys(keys: &str) -> Vec<(&str, ())> {
        keys.split("").filter(|key| !key.is_empty()).map(|key| (key, ())).collect()
    }

    fn shown(page: &Page<'_, ()>) -> String {
        page.items.iter().map(|(key, ())| *key).collect()
    }

    /// Five items on pages of two.
    #[test]
    fn pages_hold_each_item_once() {
        for paging in [Paging::ByKey, Paging::ByOffset] {
            let (mut seen, mut token, mut pages) = (String::new(), String::new(), 0);
            loop {
                let page = page(keys("abcde"), 2, &token, paging).unwrap();
                seen.push_str(&shown(&page));
                pages += 1;
                token = page.next;
                if token.is_empty() {
                    break;
                }
            }
            assert_eq!((seen.as_str(), pages), ("abcde", 3), "{paging:?}");
        }
    }

    /// Also when it is full.
    #[test]
    fn last_page_names_no_next() {
        assert_eq!(page(keys("ab"), 2, "", Paging::ByKey).unwrap().next, "");
        assert_eq!(page(keys("ab"), 2, "", Paging::ByOffset).unwrap().next, "");
    }

    /// An item goes between two pages: another one is hidden by offsets and not by keys.
    #[test]
    fn pages_tear_by_offset_alone() {
        for (paging, second) in [(Paging::ByKey, "c"), (Paging::ByOffset, "")] {
            let next = page(keys("abc"), 2, "", paging).unwrap().next;
            assert_eq!(shown(&page(keys("bc"), 2, &next, paging).unwrap()), second, "{paging:?}");
        }
    }

    /// A guess, or the token of the other way of paging.
    #[test]
    fn unknown_tokens_are_refused() {
        assert!(page(keys("a"), 2, "offset.1", Paging::ByKey).is_none());
        assert!(page(keys("a"), 2, "offset.x", Paging::ByOffset).is_none());
    }
}
