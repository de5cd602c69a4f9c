//! Which version of what a user asks for an object holds.

use std::hash::{BuildHasher, RandomState};

use kube::ResourceExt;

/// A longer value of an annotation counts as absent, so that nobody has the operator carry it around.
const MAX_REQUEST_CHARS: usize = 128;

/// What a user asks for with an object: another one is a reason for a reconcile, a new status or label is none.
///
/// It holds hashes alone, under a key of this process: it is small, comparable within the process, and says nothing to
/// anybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    uid: u64,
    generation: i64,
    /// One hash for each annotation that requests something, zero where it is absent; nothing where all are absent.
    requests: Box<[u64]>,
}

impl Revision {
    pub(super) fn of(object: &impl ResourceExt, requests: &[&str], hash_key: &RandomState) -> Self {
        let hash = |request: &&str| match object.annotations().get(*request) {
            Some(value) if value.chars().nth(MAX_REQUEST_CHARS).is_none() => hash_key.hash_one(value).max(1),
            _ => 0,
        };
        let requests: Vec<u64> = requests.iter().map(hash).collect();
        Self {
            uid: hash_key.hash_one(&object.meta().uid),
            generation: object.meta().generation.unwrap_or_default(),
            requests: if requests.iter().any(|it| *it != 0) { requests.into() } else { Box::default() },
        }
    }

    /// Whether both are revisions of one object, and not of two that had the same name in turn.
    pub fn is_same_object(&self, other: &Self) -> bool {
        self.uid == other.uid
    }

    /// Whether this asks for something that the one before did not. An annotation that was removed asks for nothing.
    pub(super) fn is_news_after(&self, before: &Self) -> bool {
        let is_new = |(index, request): (usize, &u64)| *request != 0 && before.requests.get(index) != Some(request);
        !self.is_same_object(before)
            || self.generation != before.generation
            || self.requests.iter().enumerate().any(is_new)
    }
}
