//! The rules for created credentials, design section 3: each a function of what happened, which tells what broke it.

mod deletion;
mod finalizer;
mod held;
mod live;
mod one_post;
mod rest;
mod told;
mod unasked;
mod working;

use super::history::At;

/// Tells what broke a rule.
type Rule = fn(&[At]) -> Result<(), String>;

/// By the numbers of the invariants.
const RULES: [(u8, Rule); 9] = [
    (1, one_post::check),
    (2, live::check),
    (3, deletion::check),
    (4, working::check),
    (5, told::check),
    (6, held::check),
    (7, unasked::check),
    (8, finalizer::check),
    (10, rest::check),
];

/// The first rule that is broken.
pub fn judge(events: &[At]) -> Option<String> {
    let broken = |(number, check): &(u8, Rule)| check(events).err().map(|what| format!("invariant {number}: {what}"));
    RULES.iter().find_map(broken)
}

#[cfg(test)]
mod testing {
    use std::time::Duration;

    use super::super::history::{At, Event};

    /// Events, a second after each other.
    pub fn history(events: impl IntoIterator<Item = Event>) -> Vec<At> {
        events.into_iter().enumerate().map(|(at, event)| (Duration::from_secs(at.try_into().unwrap()), event)).collect()
    }

    pub fn attempt(attempt: &str) -> Event {
        Event::Attempt { uid: "u".into(), attempt: attempt.into() }
    }

    pub fn posted(attempt: &str) -> Event {
        Event::Posted { uid: "u".into(), attempt: attempt.into() }
    }

    pub fn landed(credential: &str) -> Event {
        let attempt = Some(format!("attempt-{credential}"));
        Event::Landed {
            uid: "u".into(),
            credential: credential.into(),
            attempt,
            secret: format!("secret-{credential}"),
        }
    }

    pub fn published(credential: &str) -> Event {
        let value = format!("secret-{credential}");
        Event::Published { secret: "s".into(), uid: "u".into(), credential: credential.into(), value }
    }

    pub fn gone(credential: &str) -> Event {
        Event::Gone { credential: credential.into() }
    }

    pub fn delete(credential: &str) -> Event {
        Event::Delete { credential: credential.into() }
    }

    pub fn released(is_kept: bool) -> Event {
        Event::Released { uid: "u".into(), is_kept }
    }
}
