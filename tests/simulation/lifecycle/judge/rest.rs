//! Invariant 10: at rest nothing is written anywhere, and nothing is called but LIST and GET.

use super::super::history::{At, Event};

pub fn check(events: &[At]) -> Result<(), String> {
    let at_rest = events.iter().skip_while(|(_, event)| *event != Event::Rest).map(|(_, event)| event);
    for event in at_rest {
        match event {
            Event::Wrote { what } => return Err(format!("a write of {what} at rest")),
            Event::Call { method } if method != "GET" => return Err(format!("a {method} at rest")),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::history;
    use super::*;

    fn call(method: &str) -> Event {
        Event::Call { method: method.into() }
    }

    #[test]
    fn reading_at_rest_is_accepted() {
        assert_eq!(check(&history([call("POST"), Event::Rest, call("GET")])), Ok(()));
    }

    #[test]
    fn writing_at_rest_is_rejected() {
        assert!(check(&history([Event::Rest, call("PATCH")])).is_err());
        assert!(check(&history([Event::Rest, Event::Wrote { what: "Resource till-0".into() }])).is_err());
    }
}
