//! The credentials, and what a write does to them. Pure: time comes in as a value, JSON is somebody else's.

mod credential;
mod field;
mod page;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

pub use credential::{Credential, Draft};
pub use field::Field;
pub use page::Page;

/// The ids of the client and of the credential.
pub type Ids = (String, String);

/// All credentials.
#[derive(Clone, Debug, Default)]
pub struct Store {
    credentials: BTreeMap<Ids, Credential>,
    last_time: Option<Timestamp>,
    created: u64,
}

impl Store {
    /// The credential with these ids.
    pub fn get(&self, ids: &Ids) -> Option<&Credential> {
        self.credentials.get(ids)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, ids: &Ids) -> Option<&mut Credential> {
        self.credentials.get_mut(ids)
    }

    /// Puts a credential in, over one with these ids if there is one; times that it does not have are now.
    pub fn put(&mut self, ids: Ids, mut credential: Credential, now: Timestamp) {
        let now = self.tick(now);
        credential.create_time.get_or_insert(now);
        credential.update_time.get_or_insert(now);
        self.credentials.insert(ids, credential);
    }

    /// Takes one out.
    pub fn delete(&mut self, ids: &Ids) -> Option<Credential> {
        self.credentials.remove(ids)
    }

    /// An id that was not given out before; the same ones in the same order in every run.
    pub fn new_id(&mut self) -> String {
        self.created += 1;
        format!("created{:06}", self.created)
    }

    /// Everything, by client and id.
    pub fn all(&self) -> &BTreeMap<Ids, Credential> {
        &self.credentials
    }

    /// The time of a write that happens now: in microseconds, and later than that of any other.
    pub fn tick(&mut self, now: Timestamp) -> Timestamp {
        let now = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
        let next = match self.last_time {
            Some(last) if last >= now => last.saturating_add(SignedDuration::from_micros(1)).unwrap_or(last),
            _ => now,
        };
        self.last_time = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_writes_always_move_on() {
        let mut store = Store::default();
        let first = store.tick(Timestamp::UNIX_EPOCH);
        let second = store.tick(Timestamp::UNIX_EPOCH);
        assert!(second > first);
    }
}
