//! The status, case by case.
#![allow(clippy::unwrap_used)]

mod event;
mod gitops;

use super::*;
use crate::api::spec::DriftPolicy;
use crate::api::status::ObservedSecret;
use crate::plan::{Desired, Observation, Plan, SecretKnowledge, plan};

const T1: &str = "2025-01-01T00:00:00.123456789Z";
const T2: &str = "2025-01-02T00:00:00Z";

fn facts(generation: i64) -> Facts {
    Facts {
        generation: Some(generation),
        requests: Requests::default(),
        name: "clients/c/credentials/k".parse().ok(),
        client: Some("clients/c".to_owned()),
        last_seen_resolution: Duration::from_hours(1),
        has_reported_failure: false,
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

/// A spec that asks for another value of these fields than [`credential`] has.
fn asking(fields: &[Field]) -> Desired {
    let asks = |field| fields.contains(&field);
    Desired {
        display_name: if asks(Field::DisplayName) { "y" } else { "x" }.to_owned(),
        environments: asks(Field::Environments).then(|| ["environments/a".to_owned()].into()),
        labels: asks(Field::Labels).then(|| [("team".to_owned(), "a".to_owned())].into()),
        sdk_type: asks(Field::SdkType).then_some(crate::confidence::wire::SdkType::Backend),
        client_secret: None,
    }
}

fn planned(fields: &[Field], observed: &ClientCredential) -> Plan {
    let observed = Observation::read(observed.clone());
    plan(&asking(fields), &observed, &SecretKnowledge::default(), DriftPolicy::Correct)
}

/// What was observed differs in these fields, and nothing was written.
fn differing(credential: ClientCredential, fields: &[Field], is_report: bool) -> Applied {
    let plan = planned(fields, &credential);
    Applied::observed(Observation::read(credential), &plan, is_report, None)
}

fn in_sync(credential: ClientCredential) -> Applied {
    differing(credential, &[], false)
}

/// These fields were written, and those still differ.
fn written(
    credential: &ClientCredential,
    fields: &[Field],
    remaining: &[Field],
    secret: Option<ObservedSecret>,
) -> Applied {
    let Plan::Update(update) = planned(fields, credential) else { panic!("nothing to write") };
    let after = planned(remaining, credential);
    differing(credential.clone(), fields, false).answered(credential.clone(), &update, &after, secret)
}

fn done(applied: Applied) -> Outcome {
    Outcome::Applied(Box::new(applied))
}

fn status(applied: Applied) -> Status {
    next_status(&Status::default(), &facts(1), &done(applied))
}

fn failed(before: &Status, generation: i64, failure: Failure) -> Status {
    next_status(before, &facts(generation), &Outcome::Failed(failure))
}

fn blocked(reason: Reason) -> Failure {
    Failure { recovery: Recovery::Account, ..Failure::retry(reason, "blocked") }
}

fn condition(status: &Status, r#type: Type) -> Option<(String, String)> {
    find(&status.conditions, r#type).map(|it| (it.status.clone(), it.reason.clone()))
}

#[allow(clippy::unnecessary_wraps)] // to be compared with what may be absent
fn is(truth: &str, reason: &str) -> Option<(String, String)> {
    Some((truth.to_owned(), reason.to_owned()))
}

/// A resource in sync has one condition, and the times of the server with their precision.
#[test]
fn in_sync_is_ready_alone_with_full_precision() {
    let status = status(in_sync(credential(T1, Some(T2))));
    assert_eq!(condition(&status, Type::Ready), is("True", "InSync"));
    assert_eq!(status.conditions.len(), 1);
    assert_eq!(status.name.as_deref(), Some("clients/c/credentials/k"));
    assert_eq!(status.update_time.unwrap().0.to_string(), T1);
    assert_eq!(status.observed_generation, Some(1));
    assert_eq!(status.conditions[0].observed_generation, Some(1));
}

/// An unchanged credential costs no write.
#[test]
fn same_outcome_gives_the_same_status() {
    let once = status(in_sync(credential(T1, Some(T2))));
    assert_eq!(next_status(&once, &facts(1), &done(in_sync(credential(T1, Some(T2))))), once);
}

/// What the API server returns compares equal with what was written.
#[test]
fn status_survives_the_api_server_unchanged() {
    let secret = ObservedSecret { uid: "u".into(), resource_version: "1".into(), key: "k".into(), update_time: None };
    let status = status(written(&credential(T1, Some(T2)), &[Field::Labels], &[], Some(secret)));
    let back: Status = serde_json::from_value(serde_json::to_value(&status).unwrap()).unwrap();
    assert_eq!(back, status);
}

/// It moves with every flag that is resolved.
#[test]
fn last_seen_is_written_at_its_resolution() {
    let before = status(in_sync(credential(T1, Some("2025-01-02T00:00:00Z"))));
    let see = |time| next_status(&before, &facts(1), &done(in_sync(credential(T1, Some(time)))));
    assert_eq!(see("2025-01-02T01:00:00Z"), before);
    assert_eq!(see("2025-01-02T01:00:01Z").last_seen_time.unwrap().0.to_string(), "2025-01-02T01:00:01Z");
    let moved = next_status(&before, &facts(1), &done(in_sync(credential(T2, Some("2025-01-02T00:00:01Z")))));
    assert_eq!(moved.last_seen_time.unwrap().0.to_string(), "2025-01-02T00:00:01Z", "another change takes it along");
}

/// Where observing is an update, it moves `updateTime` itself.
#[test]
fn update_time_of_own_observing_is_no_news() {
    let observe = |time, method| {
        let observed = Observation { credential: credential(time, None), method };
        done(Applied::observed(observed, &Plan::InSync, false, None))
    };
    let before = next_status(&Status::default(), &facts(1), &observe(T1, Method::Update));
    assert_eq!(next_status(&before, &facts(1), &observe(T2, Method::Update)), before);
    assert_ne!(next_status(&before, &facts(1), &observe(T2, Method::Read)), before);
}

/// The policy Report is content with knowing.
#[test]
fn reported_drift_is_ready_and_drifted() {
    let status = status(differing(credential(T1, None), &[Field::SdkType], true));
    assert_eq!(condition(&status, Type::Ready), is("True", "DriftReported"));
    assert_eq!(condition(&status, Type::Drifted), is("True", "DriftReported"));
    assert_eq!(status.drift.unwrap().fields, ["sdkType"]);
    assert_eq!(status.last_update, None);
}

/// A server that ignores a field would otherwise be written at each interval, silently.
#[test]
fn unapplied_update_is_stalled_and_names_fields() {
    let status = status(written(&credential(T1, None), &[Field::Environments, Field::Labels], &[Field::Labels], None));
    assert_eq!(condition(&status, Type::Ready), is("False", "UpdateNotApplied"));
    assert_eq!(condition(&status, Type::Stalled), is("True", "UpdateNotApplied"));
    assert_eq!(status.drift.unwrap().fields, ["labels"]);
    assert_eq!(status.last_update.unwrap().update_mask, "environments,labels");
}

/// What was observed before stays.
#[test]
fn user_action_is_stalled_and_keeps_observations() {
    let before = status(in_sync(credential(T1, None)));
    let after = failed(&before, 2, Failure::stalled(Reason::SecretNotFound, "create it"));
    assert_eq!(condition(&after, Type::Ready), is("False", "SecretNotFound"));
    assert_eq!(condition(&after, Type::Stalled), is("True", "SecretNotFound"));
    assert_eq!(after.update_time, before.update_time);
    assert_eq!(after.observed_generation, Some(2));
}

/// Nobody can tell how a credential stands that could not be read.
#[test]
fn unobserved_failure_is_unknown_and_reconciling() {
    let after = failed(&Status::default(), 1, Failure::retry(Reason::TimedOut, "later"));
    assert_eq!(condition(&after, Type::Ready), is("Unknown", "TimedOut"));
    assert_eq!(condition(&after, Type::Reconciling), is("True", "TimedOut"));
    assert_eq!(condition(&after, Type::Drifted), None);
}

/// Drift that could not be written is known all the same; a second failure that observes nothing changes neither record.
#[test]
fn drift_survives_failures_in_one_piece() {
    let failure = Failure::retry(Reason::ServerError, "later");
    let observed = differing(credential(T1, None), &[Field::DisplayName], false);
    let first = failed(&Status::default(), 1, failure.clone().after(observed));
    assert_eq!(condition(&first, Type::Ready), is("False", "ServerError"));
    assert_eq!(condition(&first, Type::Drifted), is("True", "ServerError"));
    assert_eq!(first.drift.as_ref().unwrap().fields, ["displayName"]);
    let second = failed(&first, 2, failure);
    assert_eq!(second.drift, first.drift);
    assert_eq!(
        find(&second.conditions, Type::Drifted),
        find(&first.conditions, Type::Drifted),
        "judged for generation 1"
    );
    assert_eq!(find(&second.conditions, Type::Ready).unwrap().observed_generation, Some(2));
}

/// The spec changed while an update was in flight: another attempt reports.
#[test]
fn superseded_write_is_recorded_and_nothing_else() {
    let before = status(in_sync(credential(T1, None)));
    let failure = Failure { recovery: Recovery::None, ..Failure::retry(Reason::ServiceUnavailable, "x") };
    let after = failed(&before, 2, failure.after(written(&credential(T2, None), &[Field::Labels], &[], None)));
    assert_eq!(after.last_update.unwrap().update_mask, "labels");
    assert_eq!((after.conditions, after.observed_generation), (before.conditions, before.observed_generation));
    assert_eq!(after.update_time, before.update_time);
}

/// A second update may fail: the first one is recorded, so that its secret is not written twice.
#[test]
fn write_before_a_failure_is_recorded() {
    let secret = ObservedSecret { uid: "u".into(), resource_version: "1".into(), key: "k".into(), update_time: None };
    let before = written(&credential(T1, None), &[Field::SdkType], &[Field::Labels], Some(secret.clone()));
    let after = failed(&Status::default(), 1, Failure::retry(Reason::ServerError, "later").after(before));
    assert_eq!(after.observed_secret, Some(secret));
    assert_eq!(after.last_update.unwrap().update_mask, "sdk_type");
}

/// An outage costs one write: its causes change, and only the first is reported. Another process reports anew.
#[test]
fn passing_failure_is_reported_once_by_a_process() {
    let before = status(in_sync(credential(T1, None)));
    let first = failed(&before, 1, Failure::retry(Reason::ConnectionLost, "a"));
    let again = |generation, failure| {
        let facts = Facts { has_reported_failure: true, ..facts(generation) };
        next_status(&first, &facts, &Outcome::Failed(failure))
    };
    assert_eq!(again(1, blocked(Reason::ServiceUnavailable)), first);
    assert_eq!(
        condition(&again(2, blocked(Reason::ServiceUnavailable)), Type::Ready),
        is("Unknown", "ServiceUnavailable")
    );
    assert_eq!(condition(&again(1, Failure::stalled(Reason::Forbidden, "c")), Type::Ready), is("False", "Forbidden"));
    let restarted = failed(&first, 1, Failure::retry(Reason::TlsFailed, "b"));
    assert_eq!(condition(&restarted, Type::Ready), is("Unknown", "TlsFailed"));
}

/// The account's trouble is not the resource's fault.
#[test]
fn rejected_account_is_not_stalled() {
    let after = failed(&Status::default(), 1, blocked(Reason::Unauthenticated));
    assert_eq!(condition(&after, Type::Ready), is("False", "Unauthenticated"));
    assert_eq!(condition(&after, Type::Stalled), None);
}

/// A resource that lost its credential to another must not seem to hold it.
#[test]
fn conflict_gives_up_the_name() {
    let before = status(in_sync(credential(T1, None)));
    assert_eq!(failed(&before, 1, Failure::stalled(Reason::Conflict, "x")).name, None);
}

/// A request counts as handled when somebody acted on it.
#[test]
fn suspended_is_unknown_and_echoes_no_request() {
    let facts = Facts { requests: Requests { reconcile: Some("now".to_owned()), rotate: None }, ..facts(1) };
    let suspended = next_status(&Status::default(), &facts, &Outcome::Suspended);
    assert_eq!(condition(&suspended, Type::Ready), is("Unknown", "Suspended"));
    assert_eq!((suspended.conditions.len(), suspended.last_handled_reconcile_at.as_deref()), (1, None));
    let resumed = next_status(&suspended, &facts, &done(in_sync(credential(T1, None))));
    assert_eq!(resumed.last_handled_reconcile_at.as_deref(), Some("now"));
}
