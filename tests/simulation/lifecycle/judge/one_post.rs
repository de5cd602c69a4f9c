//! Invariant 1: at most one POST of a resource is outstanding, and each carries an attempt that was stored before.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::history::{At, Event};

/// So long a lost answer is waited for, from the attempt on: a request timeout to the POST, another for it, and a minute.
const OUTSTANDING: Duration = Duration::from_secs(80);

struct Post {
    /// When its attempt was stored.
    stored: Duration,
    attempt: String,
    has_landed: bool,
    /// Whether the annotation names the attempt, and whether the process that sent it may still run.
    is_recorded: bool,
    is_remembered: bool,
}

impl Post {
    fn new(stored: Duration, attempt: &str) -> Self {
        Self { stored, attempt: attempt.to_owned(), has_landed: false, is_recorded: true, is_remembered: true }
    }
}

pub fn check(events: &[At]) -> Result<(), String> {
    let mut stored: BTreeMap<(&String, &String), Duration> = BTreeMap::new();
    let mut outstanding: BTreeMap<&String, Post> = BTreeMap::new();
    for (at, event) in events {
        match event {
            Event::Attempt { uid, attempt } => drop(stored.insert((uid, attempt), *at)),
            Event::Posted { uid, attempt } => {
                let Some(stored) = stored.get(&(uid, attempt)).copied() else {
                    return Err(format!("a POST of {uid} with the attempt {attempt}, which was not stored"));
                };
                if let Some(post) = outstanding.get(uid).filter(|post| *at < post.stored + OUTSTANDING) {
                    return Err(format!(
                        "a POST of {uid} with {attempt} while that of {} is outstanding",
                        post.attempt
                    ));
                }
                outstanding.insert(uid, Post::new(stored, attempt));
            }
            Event::PostEnded { attempt } => outstanding.retain(|_, post| post.attempt != *attempt),
            Event::Landed { attempt: Some(attempt), .. } => {
                outstanding.values_mut().filter(|it| it.attempt == *attempt).for_each(|it| it.has_landed = true);
            }
            // Without the record and the process nothing tells of it.
            Event::RecordsLost { uid, with_attempt: true } => {
                outstanding.retain(|of, post| {
                    post.is_recorded &= of != &uid;
                    post.is_recorded || post.is_remembered
                });
            }
            Event::ProcessEnded { .. } => {
                outstanding.retain(|_, post| {
                    post.is_remembered = false;
                    post.is_recorded
                });
            }
            // Whoever lists sees it.
            Event::Listed => outstanding.retain(|_, post| !post.has_landed),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{attempt, history, posted};
    use super::*;

    #[test]
    fn answered_post_may_be_followed() {
        let ended = Event::PostEnded { attempt: "1".into() };
        let events = [attempt("1"), posted("1"), ended, attempt("2"), posted("2")];
        assert_eq!(check(&history(events)), Ok(()));
    }

    #[test]
    fn second_post_is_rejected() {
        assert!(check(&history([attempt("1"), posted("1"), attempt("2"), posted("2")])).is_err());
        assert!(check(&history([posted("1")])).is_err(), "its attempt was not stored");
        let lost = Event::RecordsLost { uid: "u".into(), with_attempt: true };
        let events = [attempt("1"), posted("1"), lost, attempt("2"), posted("2")];
        assert!(check(&history(events)).is_err(), "its process knows it");
    }

    #[test]
    fn post_that_nothing_tells_of_may_be_followed() {
        let lost = Event::RecordsLost { uid: "u".into(), with_attempt: true };
        let ended = Event::ProcessEnded { process: "0/1".into() };
        let events = [attempt("1"), posted("1"), ended, lost, attempt("2"), posted("2")];
        assert_eq!(check(&history(events)), Ok(()));
    }
}
