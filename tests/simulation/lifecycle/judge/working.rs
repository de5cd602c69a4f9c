//! Invariant 4: from the first publication on the published value works, unless somebody else acted. That it works again in
//! the end, the oracle says.

use std::collections::{BTreeMap, BTreeSet};

use super::super::history::{At, Event};

pub fn check(events: &[At]) -> Result<(), String> {
    let mut secrets: BTreeMap<&String, &String> = BTreeMap::new();
    let mut values: BTreeMap<(&String, &String), (&String, &String)> = BTreeMap::new();
    let (mut excused, mut deleting): (BTreeSet<&String>, BTreeSet<&String>) = Default::default();
    for (_, event) in events {
        let touched = match event {
            Event::Landed { credential, secret, .. } => {
                secrets.insert(credential, secret);
                continue;
            }
            Event::Published { secret, uid, credential, value } => {
                values.insert((uid, secret), (credential, value));
                if works(&secrets, credential, value) {
                    excused.remove(uid);
                }
                BTreeSet::from([uid])
            }
            Event::SecretGone { secret } => {
                let all: BTreeSet<_> = values.keys().filter(|(_, it)| *it == secret).map(|(uid, _)| *uid).collect();
                values.retain(|(_, it), _| *it != secret);
                all
            }
            Event::Gone { credential } => {
                secrets.remove(credential);
                values.iter().filter(|(_, (it, _))| *it == credential).map(|((uid, _), _)| *uid).collect()
            }
            Event::Meddled { uid } => {
                excused.insert(uid);
                continue;
            }
            Event::Deleting { uid } => {
                deleting.insert(uid);
                continue;
            }
            _ => continue,
        };
        for uid in touched.into_iter().filter(|uid| !excused.contains(*uid) && !deleting.contains(*uid)) {
            let mut of_resource = values.iter().filter(|((of, _), _)| *of == uid);
            if !of_resource.any(|(_, (credential, value))| works(&secrets, credential, value)) {
                return Err(format!("no published value of {uid} works after {event:?}"));
            }
        }
    }
    Ok(())
}

fn works(secrets: &BTreeMap<&String, &String>, credential: &String, value: &String) -> bool {
    secrets.get(credential) == Some(&value)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{gone, history, landed, published};
    use super::*;

    #[test]
    fn rotation_keeps_a_working_value() {
        let events = [landed("a"), published("a"), landed("b"), published("b"), gone("a")];
        assert_eq!(check(&history(events)), Ok(()));
        let meddled = Event::Meddled { uid: "u".into() };
        assert_eq!(check(&history([landed("a"), published("a"), meddled, gone("a")])), Ok(()));
    }

    #[test]
    fn dead_published_value_is_rejected() {
        assert!(check(&history([landed("a"), published("a"), gone("a")])).is_err());
        assert!(check(&history([published("a")])).is_err());
    }
}
