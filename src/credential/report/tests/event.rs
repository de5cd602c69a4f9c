//! The events, case by case.

use super::*;

fn told(before: &Status, outcome: &Outcome) -> Vec<(String, String)> {
    let after = next_status(before, &facts(1), outcome);
    events(before, &after, outcome).into_iter().map(|event| (event.reason, event.note)).collect()
}

fn reasons(before: &Status, outcome: &Outcome) -> Vec<String> {
    told(before, outcome).into_iter().map(|(reason, _)| reason).collect()
}

/// Somebody else changed a field of a resource that was in sync.
#[test]
fn foreign_change_is_drift_and_names_fields() {
    let before = status(in_sync(credential(T1, None)));
    let corrected = done(written(&credential(T2, None), &[Field::Labels], &[], None));
    assert_eq!(
        told(&before, &corrected),
        [
            ("DriftDetected".to_owned(), "labels differed from the spec at Confidence".to_owned()),
            ("Updated".to_owned(), "Updated labels at Confidence".to_owned())
        ]
    );
}

/// A spec edit is the user's own doing, also where its first attempt failed.
#[test]
fn own_edit_is_no_drift() {
    let corrected = done(written(&credential(T2, None), &[Field::Labels], &[], None));
    let of_older_spec = next_status(&Status::default(), &facts(0), &done(in_sync(credential(T1, None))));
    assert_eq!(reasons(&of_older_spec, &corrected), ["Updated"]);
    let after_failure = failed(&of_older_spec, 1, Failure::retry(Reason::TimedOut, "later"));
    assert_eq!(reasons(&after_failure, &corrected), ["Updated"]);
}

/// Drift that is only reported is told when it changes, with whoever wrote the credential last if that is known.
#[test]
fn reported_drift_is_told_once() {
    let drifted = done(differing(credential(T1, None), &[Field::SdkType], true));
    let note = &told(&Status::default(), &drifted)[0].1;
    assert!(note.ends_with("; identities/2 wrote the credential last"), "{note}");
    let before = next_status(&Status::default(), &facts(1), &drifted);
    assert!(told(&before, &drifted).is_empty());
    let nameless = ClientCredential { updater: Some(String::new()), ..credential(T1, None) };
    let note = &told(&Status::default(), &done(differing(nameless, &[Field::SdkType], true)))[0].1;
    assert!(note.ends_with("at Confidence"), "{note}");
}

/// An outage is an event of the account; a resource's own failure is told when its reason changes.
#[test]
fn blocked_account_is_no_event_of_the_resource() {
    assert!(told(&Status::default(), &Outcome::Failed(blocked(Reason::ServiceUnavailable))).is_empty());
    let stalled = Outcome::Failed(Failure::stalled(Reason::Forbidden, "no"));
    assert_eq!(reasons(&Status::default(), &stalled), ["Forbidden"]);
    let before = next_status(&Status::default(), &facts(1), &stalled);
    assert!(told(&before, &stalled).is_empty());
}
