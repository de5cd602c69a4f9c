//! Invariant 2: never more than five live credentials of a resource, not counting what a proxy made of one POST.

use std::collections::{BTreeMap, BTreeSet};

use super::super::history::{At, Event};

const MOST: usize = 5;

pub fn check(events: &[At]) -> Result<(), String> {
    let mut attempts: BTreeSet<&String> = BTreeSet::new();
    let mut live: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
    for (_, event) in events {
        match event {
            Event::Landed { uid, credential, attempt: Some(attempt), .. } if attempts.insert(attempt) => {
                let all = live.entry(uid).or_default();
                all.insert(credential);
                if all.len() > MOST {
                    return Err(format!("{} live credentials of {uid}: {all:?}", all.len()));
                }
            }
            Event::Gone { credential } => live.values_mut().for_each(|all| all.retain(|it| *it != credential)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{gone, history, landed};
    use super::*;

    #[test]
    fn five_live_credentials_are_accepted() {
        let events = ["a", "b", "c", "d", "e"].map(landed).into_iter().chain([gone("a"), landed("f")]);
        assert_eq!(check(&history(events)), Ok(()));
    }

    #[test]
    fn sixth_live_credential_is_rejected() {
        assert!(check(&history(["a", "b", "c", "d", "e", "f"].map(landed))).is_err());
    }
}
