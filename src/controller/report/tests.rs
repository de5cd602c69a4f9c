//! The status, case by case.
#![allow(clippy::unwrap_used)]

mod gitops;

use super::*;
use crate::api::status::ObservedSecret;
use crate::controller::outcome::Written;

fn facts(generation: i64) -> Facts {
    Facts {
        generation: Some(generation),
        requested_at: None,
        name: "clients/c/credentials/k".to_owned(),
        client: Some("clients/c".to_owned()),
        last_seen_resolution: Duration::from_hours(1),
        now: "2026-01-01T00:00:00Z".parse().unwrap(),
    }
}

fn credential(update_time: &str, last_seen: Option<&str>) -> ClientCredential {
    let json = serde_json::json!({
        "name": "clients/c/clientCredentials/k", "displayName": "x", "updateTime": update_time, "lastSeenTime": last_seen,
        "creator": "identities/1", "updater": "identities/2",
    });
    ClientCredential::from_json(json.to_string().as_bytes()).unwrap()
}

const T1: &str = "2025-01-01T00:00:00.123456789Z";
const T2: &str = "2025-01-02T00:00:00Z";

fn applied(credential: ClientCredential) -> Applied {
    Applied {
        credential,
        look: Look::Read,
        drifted: Vec::new(),
        differs: Vec::new(),
        written: None,
        report_only: false,
        secret: None,
    }
}

fn status(outcome: Applied) -> Status {
    next_status(&Status::default(), &facts(1), &Outcome::Applied(Box::new(outcome)))
}

fn condition(status: &Status, r#type: Type) -> Option<(String, String)> {
    find(&status.conditions, r#type).map(|it| (it.status.clone(), it.reason.clone()))
}

#[allow(clippy::unnecessary_wraps)] // to be compared with what may be absent
fn is(truth: &str, reason: &str) -> Option<(String, String)> {
    Some((truth.to_owned(), reason.to_owned()))
}

fn failed(before: &Status, generation: i64, problem: Problem) -> Status {
    next_status(before, &facts(generation), &Outcome::Failed(problem))
}

#[test]
fn in_sync_is_ready_and_tells_what_the_server_says_with_its_precision() {
    let status = status(applied(credential(T1, Some(T2))));
    assert_eq!(condition(&status, Type::Ready), is("True", "InSync"));
    assert_eq!(condition(&status, Type::Drifted), is("False", "InSync"));
    assert_eq!(condition(&status, Type::Stalled), None);
    assert_eq!(condition(&status, Type::Reconciling), None);
    assert_eq!(status.name.as_deref(), Some("clients/c/credentials/k"));
    assert_eq!(status.update_time.unwrap().0.to_string(), T1);
    assert_eq!(status.observed_generation, Some(1));
    assert!(status.conditions.iter().all(|it| it.observed_generation == Some(1)));
}

#[test]
fn the_same_again_is_the_same_status() {
    let once = status(applied(credential(T1, Some(T2))));
    let again = next_status(&once, &facts(1), &Outcome::Applied(Box::new(applied(credential(T1, Some(T2))))));
    assert_eq!(again, once);
}

#[test]
fn a_status_survives_the_api_server_unchanged() {
    let status = status(Applied {
        written: Some(Written { update_mask: "labels".to_owned() }),
        secret: Some(ObservedSecret {
            uid: "u".into(),
            resource_version: "1".into(),
            key: "k".into(),
            update_time: None,
        }),
        ..applied(credential(T1, Some(T2)))
    });
    let back: Status = serde_json::from_value(serde_json::to_value(&status).unwrap()).unwrap();
    assert_eq!(back, status);
}

#[test]
fn last_seen_moving_a_little_is_no_write_and_moving_much_is_one() {
    let before = status(applied(credential(T1, Some("2025-01-02T00:00:00Z"))));
    let see = |time| next_status(&before, &facts(1), &Outcome::Applied(Box::new(applied(credential(T1, Some(time))))));
    assert_eq!(see("2025-01-02T01:00:00Z"), before);
    assert_eq!(see("2025-01-02T01:00:01Z").last_seen_time.unwrap().0.to_string(), "2025-01-02T01:00:01Z");
}

#[test]
fn last_seen_is_taken_along_with_any_other_change() {
    let before = status(applied(credential(T1, Some("2025-01-02T00:00:00Z"))));
    let moved = applied(credential(T2, Some("2025-01-02T00:00:01Z")));
    let next = next_status(&before, &facts(1), &Outcome::Applied(Box::new(moved)));
    assert_eq!(next.last_seen_time.unwrap().0.to_string(), "2025-01-02T00:00:01Z");
}

#[test]
fn update_time_alone_is_no_news_where_our_own_looking_moves_it() {
    let look = |time| Outcome::Applied(Box::new(Applied { look: Look::Update, ..applied(credential(time, None)) }));
    let before = next_status(&Status::default(), &facts(1), &look(T1));
    assert_eq!(next_status(&before, &facts(1), &look(T2)), before);
    let read = Outcome::Applied(Box::new(applied(credential(T2, None))));
    assert_ne!(next_status(&before, &facts(1), &read), before);
}

#[test]
fn under_report_drift_is_ready_and_drifted() {
    let status = status(Applied {
        report_only: true,
        drifted: vec![Field::SdkType],
        differs: vec![Field::SdkType],
        ..applied(credential(T1, None))
    });
    assert_eq!(condition(&status, Type::Ready), is("True", "DriftReported"));
    assert_eq!(condition(&status, Type::Drifted), is("True", "DriftReported"));
    assert_eq!(status.drift.unwrap().fields, ["sdkType"]);
    assert_eq!(status.last_update, None);
}

#[test]
fn an_update_that_was_not_taken_is_stalled_and_names_the_fields() {
    let status = status(Applied {
        drifted: vec![Field::Labels, Field::Environments],
        differs: vec![Field::Labels],
        written: Some(Written { update_mask: "environments,labels".to_owned() }),
        ..applied(credential(T1, None))
    });
    assert_eq!(condition(&status, Type::Ready), is("False", "UpdateNotApplied"));
    assert_eq!(condition(&status, Type::Stalled), is("True", "UpdateNotApplied"));
    assert_eq!(status.drift.unwrap().fields, ["labels"]);
    assert_eq!(status.last_update.unwrap().update_mask, "environments,labels");
}

#[test]
fn what_only_a_person_can_mend_is_stalled_and_keeps_what_was_seen_before() {
    let before = status(applied(credential(T1, None)));
    let after = failed(&before, 2, Problem::stalled(Reason::SecretNotFound, "create it".into()));
    assert_eq!(condition(&after, Type::Ready), is("False", "SecretNotFound"));
    assert_eq!(condition(&after, Type::Stalled), is("True", "SecretNotFound"));
    assert_eq!(after.update_time, before.update_time);
    assert_eq!(after.observed_generation, Some(2));
}

#[test]
fn what_could_not_be_looked_at_nobody_can_tell() {
    let after = failed(&Status::default(), 1, Problem::retrying(Reason::TimedOut, "later".into()));
    assert_eq!(condition(&after, Type::Ready), is("Unknown", "TimedOut"));
    assert_eq!(condition(&after, Type::Reconciling), is("True", "TimedOut"));
    assert_eq!(condition(&after, Type::Drifted), None);
}

#[test]
fn drift_that_could_not_be_written_is_told() {
    let problem = Problem::retrying(Reason::ServerError, "later".into());
    let problem = problem.after(Applied { differs: vec![Field::DisplayName], ..applied(credential(T1, None)) });
    let after = failed(&Status::default(), 1, problem);
    assert_eq!(condition(&after, Type::Ready), is("False", "ServerError"));
    assert_eq!(condition(&after, Type::Drifted), is("True", "ServerError"));
    assert_eq!(after.drift.unwrap().fields, ["displayName"]);
    assert!(after.update_time.is_some());
}

#[test]
fn what_was_written_before_the_spec_changed_is_recorded_and_nothing_else_is_said() {
    let told = status(applied(credential(T1, None)));
    let done = Applied { written: Some(Written { update_mask: "labels".to_owned() }), ..applied(credential(T2, None)) };
    let problem = Problem { help: Help::Nobody, ..Problem::retrying(Reason::ServiceUnavailable, "x".into()) };
    let after = failed(&told, 2, problem.after(done));
    assert_eq!(after.last_update.unwrap().update_mask, "labels");
    assert_eq!((after.conditions, after.observed_generation), (told.conditions, told.observed_generation));
    assert_eq!(after.update_time, told.update_time);
}

#[test]
fn what_was_written_before_a_failure_is_told_all_the_same() {
    let secret = ObservedSecret { uid: "u".into(), resource_version: "1".into(), key: "k".into(), update_time: None };
    let before = Applied {
        differs: vec![Field::Labels],
        written: Some(Written { update_mask: "client_secret".to_owned() }),
        secret: Some(secret.clone()),
        ..applied(credential(T1, None))
    };
    let after = failed(&Status::default(), 1, Problem::retrying(Reason::ServerError, "later".into()).after(before));
    assert_eq!(after.observed_secret, Some(secret));
    assert_eq!(after.last_update.unwrap().update_mask, "client_secret");
}

#[test]
fn trouble_that_time_will_mend_is_told_once_whatever_its_cause_becomes() {
    let before = status(applied(credential(T1, None)));
    let first = failed(&before, 1, Problem::retrying(Reason::ConnectionLost, "a".into()));
    let held = Problem { help: Help::Account, ..Problem::retrying(Reason::ServiceUnavailable, "b".into()) };
    assert_eq!(failed(&first, 1, held.clone()), first);
    assert_eq!(condition(&failed(&first, 2, held), Type::Ready), is("Unknown", "ServiceUnavailable"));
    let stalled = failed(&first, 1, Problem::stalled(Reason::Forbidden, "c".into()));
    assert_eq!(condition(&stalled, Type::Ready), is("False", "Forbidden"));
}

#[test]
fn a_rejected_account_is_not_the_resources_fault() {
    let problem = Problem { help: Help::Account, ..Problem::retrying(Reason::Unauthenticated, "x".into()) };
    let after = failed(&Status::default(), 1, problem);
    assert_eq!(condition(&after, Type::Ready), is("False", "Unauthenticated"));
    assert_eq!(condition(&after, Type::Stalled), None);
}

#[test]
fn suspended_is_unknown_and_does_not_echo_the_annotation() {
    let facts = Facts { requested_at: Some("now".to_owned()), ..facts(1) };
    let suspended = next_status(&Status::default(), &facts, &Outcome::Suspended);
    assert_eq!(condition(&suspended, Type::Ready), is("Unknown", "Suspended"));
    assert_eq!(suspended.conditions.len(), 1);
    assert_eq!(suspended.last_handled_reconcile_at, None);
    let looked = next_status(&suspended, &facts, &Outcome::Applied(Box::new(applied(credential(T1, None)))));
    assert_eq!(looked.last_handled_reconcile_at.as_deref(), Some("now"));
}
