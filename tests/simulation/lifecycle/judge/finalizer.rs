//! Invariant 8: when the finalizer goes, no credential of the resource is live, unless it asked to keep it. What somebody else
//! labelled otherwise is nobody's.

use std::collections::BTreeMap;

use super::super::history::{At, Event};

pub fn check(events: &[At]) -> Result<(), String> {
    let mut live: BTreeMap<&String, &String> = BTreeMap::new();
    for (_, event) in events {
        match event {
            Event::Landed { uid, credential, attempt: Some(_), .. } => drop(live.insert(credential, uid)),
            Event::Gone { credential } | Event::Relabelled { credential } => drop(live.remove(credential)),
            Event::Released { uid, is_kept: false } => {
                if let Some((credential, _)) = live.iter().find(|(_, of)| *of == &uid) {
                    return Err(format!("the finalizer of {uid} goes while {credential} is live"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{gone, history, landed, released};
    use super::*;

    #[test]
    fn finalizer_may_go_after_the_credential() {
        assert_eq!(check(&history([landed("a"), gone("a"), released(false)])), Ok(()));
        assert_eq!(check(&history([landed("a"), released(true)])), Ok(()));
    }

    #[test]
    fn live_credential_without_finalizer_is_rejected() {
        assert!(check(&history([landed("a"), released(false)])).is_err());
    }
}
