//! Invariant 7: a credential whose published value works is replaced only on request or by its age, whatever is lost,
//! restored or started again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::history::{At, Event};
use super::super::schedule::EVERY;

/// What is known of one resource.
#[derive(Default)]
struct Resource<'a> {
    /// The credential that was last published.
    current: Option<&'a String>,
    /// Whether somebody else acted since then.
    is_excused: bool,
    /// When a rotation was asked for, until a credential is published whose attempt began after that.
    asked: Option<Duration>,
    is_scheduled: bool,
}

pub fn check(events: &[At]) -> Result<(), String> {
    let mut resources: BTreeMap<&String, Resource<'_>> = BTreeMap::new();
    // When each credential was created, and when its attempt was stored, by the server's clock.
    let mut born: BTreeMap<&String, (Duration, Duration)> = BTreeMap::new();
    let mut gone: BTreeSet<&String> = BTreeSet::new();
    let mut stored: BTreeMap<&String, Duration> = BTreeMap::new();
    let mut jumped = Duration::ZERO;
    let mut posted: BTreeSet<&String> = BTreeSet::new();
    for (at, event) in events {
        let now = *at + jumped;
        match event {
            Event::Jumped { by } => jumped += *by,
            Event::Attempt { attempt, .. } => drop(stored.insert(attempt, now)),
            Event::Landed { credential, attempt, .. } => {
                let begun = attempt.as_ref().and_then(|it| stored.get(it)).copied().unwrap_or(now);
                born.insert(credential, (now, begun));
            }
            Event::Gone { credential } => drop(gone.insert(credential)),
            Event::Relabelled { credential } => {
                resources.values_mut().filter(|it| it.current == Some(credential)).for_each(|it| it.is_excused = true);
            }
            Event::Meddled { uid } => resources.entry(uid).or_default().is_excused = true,
            Event::RotationAsked { uid } => resources.entry(uid).or_default().asked = Some(now),
            Event::Scheduled { uid } => resources.entry(uid).or_default().is_scheduled = true,
            Event::Published { uid, credential, .. } => {
                let resource = resources.entry(uid).or_default();
                if resource.current != Some(credential) {
                    let is_open = |asked: &Duration| born.get(credential).is_some_and(|(_, begun)| begun <= asked);
                    let asked = resource.asked.filter(is_open);
                    *resource = Resource { current: Some(credential), asked, is_excused: false, ..*resource };
                }
            }
            Event::Posted { uid, attempt } if posted.insert(attempt) => {
                let Some(resource) = resources.get(uid) else { continue };
                let Some((current, (created, _))) = resource.current.and_then(|it| born.get_key_value(it)) else {
                    continue;
                };
                let is_due = resource.is_scheduled && now >= *created + EVERY.mul_f64(0.9);
                let is_rotation = resource.asked.is_some() || is_due;
                if !is_rotation && !resource.is_excused && !gone.contains(current) {
                    return Err(format!("a POST of {uid} with {attempt}, and nobody asked to replace {current}"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{gone, history, landed, posted, published};
    use super::*;

    fn replaced_after(event: Event) -> Result<(), String> {
        check(&history([landed("a"), published("a"), event, posted("2")]))
    }

    #[test]
    fn reasons_to_replace_are_accepted() {
        let uid = || "u".to_owned();
        assert_eq!(check(&history([posted("1"), landed("a"), published("a")])), Ok(()));
        assert_eq!(replaced_after(Event::RotationAsked { uid: uid() }), Ok(()));
        assert_eq!(replaced_after(gone("a")), Ok(()));
        assert_eq!(replaced_after(Event::Meddled { uid: uid() }), Ok(()));
        let aged =
            [Event::Scheduled { uid: uid() }, landed("a"), published("a"), Event::Jumped { by: EVERY }, posted("2")];
        assert_eq!(check(&history(aged)), Ok(()));
    }

    #[test]
    fn rotation_that_nobody_asked_for_is_rejected() {
        assert!(replaced_after(Event::ProcessEnded { process: "0/1".into() }).is_err(), "a restart");
        assert!(replaced_after(Event::Jumped { by: EVERY }).is_err(), "it has no schedule");
        assert!(replaced_after(Event::Scheduled { uid: "u".into() }).is_err(), "it is young");
        let asked = Event::RotationAsked { uid: "u".into() };
        let twice = [landed("a"), published("a"), asked, posted("2"), landed("b"), published("b"), posted("3")];
        assert!(check(&history(twice)).is_err(), "one request is one rotation");
    }
}
