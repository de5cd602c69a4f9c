//! Invariant 5: the operator publishes a value only for the credential that it is the secret of.

use std::collections::BTreeMap;

use super::super::history::{At, Event};

pub fn check(events: &[At]) -> Result<(), String> {
    let mut told: BTreeMap<&String, &String> = BTreeMap::new();
    for (_, event) in events {
        match event {
            Event::Landed { credential, secret, .. } => drop(told.insert(credential, secret)),
            Event::Published { secret, credential, value, .. } if told.get(credential) != Some(&value) => {
                return Err(format!("{secret} holds for {credential} what nobody told for it"));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{history, landed, published};
    use super::*;

    #[test]
    fn told_value_is_accepted() {
        assert_eq!(check(&history([landed("a"), published("a")])), Ok(()));
    }

    #[test]
    fn value_of_another_credential_is_rejected() {
        let Event::Published { secret, uid, value, .. } = published("a") else { unreachable!() };
        let mixed = Event::Published { secret, uid, credential: "b".into(), value };
        assert!(check(&history([landed("a"), landed("b"), mixed])).is_err());
    }
}
