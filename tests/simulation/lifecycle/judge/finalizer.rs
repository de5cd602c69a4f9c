//! Invariant 8: when the finalizer goes, no credential of the resource is live and its Secret is gone, unless it asked to keep them. What somebody else
//! labelled otherwise is nobody's. Where the status is lost and the Secret was never there or somebody meddled with it, no
//! record tells what is ours, and a label alone never deletes.

use std::collections::{BTreeMap, BTreeSet};

use super::super::history::{At, Event};

pub fn check(events: &[At]) -> Result<(), String> {
    let mut live: BTreeMap<&String, &String> = BTreeMap::new();
    // The Secrets, with whose they are.
    let mut secrets: BTreeMap<&String, &String> = BTreeMap::new();
    let (mut lost, mut traced): (BTreeSet<&String>, BTreeSet<&String>) = Default::default();
    for (_, event) in events {
        match event {
            Event::Landed { uid, credential, attempt: Some(_), .. } => drop(live.insert(credential, uid)),
            Event::RecordsLost { uid, .. } => drop(lost.insert(uid)),
            Event::Published { uid, secret, .. } => {
                traced.insert(uid);
                secrets.insert(secret, uid);
            }
            Event::SecretGone { secret } => drop(secrets.remove(secret)),
            Event::Meddled { uid } => drop(traced.remove(uid)),
            Event::Gone { credential } | Event::Relabelled { credential } => drop(live.remove(credential)),
            Event::Released { uid, .. } if lost.contains(uid) && !traced.contains(uid) => {}
            Event::Released { uid, is_kept: false } => {
                if let Some((credential, _)) = live.iter().find(|(_, of)| *of == &uid) {
                    return Err(format!("the finalizer of {uid} goes while {credential} is live"));
                }
                if let Some((secret, _)) = secrets.iter().find(|(_, of)| *of == &uid) {
                    return Err(format!("the finalizer of {uid} goes while Secret {secret} is there"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{gone, history, landed, published, released};
    use super::*;

    #[test]
    fn finalizer_may_go_after_the_credential() {
        assert_eq!(check(&history([landed("a"), gone("a"), released(false)])), Ok(()));
        assert_eq!(check(&history([landed("a"), released(true)])), Ok(()));
    }

    #[test]
    fn finalizer_that_goes_too_early_is_rejected() {
        assert!(check(&history([landed("a"), published("a"), gone("a"), released(false)])).is_err(), "a Secret");
        let removed = Event::SecretGone { secret: "s".into() };
        assert_eq!(check(&history([landed("a"), published("a"), gone("a"), removed, released(false)])), Ok(()));
        assert!(check(&history([landed("a"), released(false)])).is_err());
        let lost = Event::RecordsLost { uid: "u".into(), with_attempt: true };
        assert!(check(&history([landed("a"), landed("b"), published("b"), lost, released(false)])).is_err());
    }

    #[test]
    fn credential_that_no_record_tells_may_stay() {
        let lost = Event::RecordsLost { uid: "u".into(), with_attempt: true };
        let meddled = Event::Meddled { uid: "u".into() };
        let events = [landed("a"), landed("b"), published("b"), lost, meddled, gone("b"), released(false)];
        assert_eq!(check(&history(events)), Ok(()));
    }
}
