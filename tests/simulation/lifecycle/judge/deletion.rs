//! Invariant 3: no DELETE of a credential that the published Secret names then, of one that no POST of ours created, or of one
//! in use.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::history::{At, Event};
use super::super::schedule::UNTIL_UNUSED_FOR;

/// So old the GET before a DELETE may be: what waits for its turn in between.
const FRESH: Duration = Duration::from_mins(1);

pub fn check(events: &[At]) -> Result<(), String> {
    let mut ours: BTreeMap<&String, &String> = BTreeMap::new();
    let mut named: BTreeMap<&String, &String> = BTreeMap::new();
    let mut fetched: BTreeMap<&String, (Duration, Option<Duration>)> = BTreeMap::new();
    let (mut deleting, mut retired) = (BTreeSet::new(), BTreeSet::new());
    for (at, event) in events {
        match event {
            Event::Landed { uid, credential, attempt: Some(_), .. } => drop(ours.insert(credential, uid)),
            Event::Published { secret, credential, .. } => drop(named.insert(secret, credential)),
            Event::SecretGone { secret } => drop(named.remove(secret)),
            Event::Fetched { credential, unused_for } => drop(fetched.insert(credential, (*at, *unused_for))),
            Event::Deleting { uid } => drop(deleting.insert(uid)),
            Event::Retire { credential } => drop(retired.insert(credential)),
            Event::Delete { credential } => {
                let Some(uid) = ours.get(credential) else {
                    return Err(format!("the DELETE of {credential}, which no POST of ours created"));
                };
                let Some((_, unused_for)) = fetched.get(credential).filter(|(then, _)| *at <= *then + FRESH) else {
                    return Err(format!("the DELETE of {credential} without a GET before"));
                };
                if deleting.contains(uid) {
                    continue;
                }
                if named.values().any(|it| *it == credential) {
                    return Err(format!("the DELETE of {credential}, which the published Secret names"));
                }
                let is_in_use = unused_for.is_some_and(|unused_for| unused_for < UNTIL_UNUSED_FOR);
                if is_in_use && !retired.contains(credential) {
                    return Err(format!("the DELETE of {credential}, which was unused for {unused_for:?} only"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{delete, history, landed, published};
    use super::*;

    fn fetched(seconds: u64) -> Event {
        Event::Fetched { credential: "a".into(), unused_for: Some(Duration::from_secs(seconds)) }
    }

    #[test]
    fn unused_credential_may_be_deleted() {
        let events = [landed("a"), landed("b"), published("a"), published("b"), fetched(3_600), delete("a")];
        assert_eq!(check(&history(events)), Ok(()));
        let retired = Event::Retire { credential: "a".into() };
        assert_eq!(check(&history([landed("a"), retired, fetched(1), delete("a")])), Ok(()));
    }

    #[test]
    fn deletion_without_grounds_is_rejected() {
        assert!(check(&history([landed("a"), published("a"), fetched(3_600), delete("a")])).is_err(), "published");
        assert!(check(&history([landed("a"), fetched(3_599), delete("a")])).is_err(), "in use");
        assert!(check(&history([fetched(3_600), delete("a")])).is_err(), "not ours");
        assert!(check(&history([landed("a"), delete("a")])).is_err(), "nobody looked");
    }
}
