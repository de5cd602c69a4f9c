//! Invariant 6: the process that holds the only copy of a withheld secret creates no other credential before it is published,
//! as long as the credential is there.

use std::collections::{BTreeMap, BTreeSet};

use super::super::history::{At, Event};

pub fn check(events: &[At]) -> Result<(), String> {
    let mut of_attempt: BTreeMap<&String, (&String, &String)> = BTreeMap::new();
    // The resources and credentials, by the process and the attempt of its POST.
    let mut held: BTreeMap<(&String, &String), (&String, &String)> = BTreeMap::new();
    let mut published: BTreeSet<&String> = BTreeSet::new();
    for (_, event) in events {
        match event {
            Event::Landed { uid, credential, attempt: Some(attempt), .. } => {
                of_attempt.insert(attempt, (uid, credential));
            }
            Event::Held { process, attempt } => {
                if let Some(landed) = of_attempt.get(attempt).filter(|(_, it)| !published.contains(*it)) {
                    held.insert((process, attempt), *landed);
                }
            }
            Event::ProcessEnded { process } => held.retain(|(of, _), _| *of != process),
            Event::Published { credential, .. } => {
                published.insert(credential);
                held.retain(|_, (_, it)| *it != credential);
            }
            Event::Gone { credential } => held.retain(|_, (_, it)| *it != credential),
            Event::Posted { uid, attempt } => {
                if let Some(((process, _), (_, credential))) = held.iter().find(|(_, (of, _))| *of == uid) {
                    return Err(format!(
                        "a POST of {uid} with {attempt} while {process} holds the secret of {credential}"
                    ));
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

    fn held(credential: &str) -> Event {
        Event::Held { process: "0/1".into(), attempt: format!("attempt-{credential}") }
    }

    #[test]
    fn published_secret_may_be_followed() {
        assert_eq!(check(&history([landed("a"), held("a"), published("a"), posted("2")])), Ok(()));
        assert_eq!(check(&history([landed("a"), held("a"), gone("a"), posted("2")])), Ok(()));
        let ended = Event::ProcessEnded { process: "0/1".into() };
        assert_eq!(check(&history([landed("a"), held("a"), ended, posted("2")])), Ok(()));
    }

    #[test]
    fn dropped_secret_is_rejected() {
        assert!(check(&history([landed("a"), held("a"), posted("2")])).is_err());
    }
}
