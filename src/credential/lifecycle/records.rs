//! Between the resource and the facts of the decision: what is asked for, and the records in its annotations and status.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::api::conditions::{Reason, Type, find};
use crate::api::spec::{DeletionPolicy, DriftPolicy};
use crate::api::status::{self, Time};
use crate::api::{ATTEMPT, ConfidenceClientCredential, ConfidenceClientCredentialStatus as Status, FINALIZER, RETIRE};
use crate::confidence::name::CredentialName;
use crate::credential::requests::Requests;
use crate::plan::InvalidSpec;
use crate::plan::lifecycle::{
    Attempt, OwnerLabel, PublishedRecord, Records, Resource, Rotation, StallReason, Superseded, SupersededReason,
    Unresolved,
};

/// What a resource asks for and records.
///
/// # Errors
/// When the spec has a value that this version does not know.
pub(super) fn resource_of(
    object: &ConfidenceClientCredential,
    status: &Status,
    instance: &str,
    unresolved_since: &HashMap<Attempt, Timestamp>,
    now: Timestamp,
) -> Result<Resource, InvalidSpec> {
    let (spec, metadata) = (&object.spec, &object.metadata);
    let client = spec.client.as_deref().and_then(|client| client.strip_prefix("clients/"));
    let published = spec.published_secret.as_ref();
    let annotation = |name: &str| metadata.annotations.as_ref().and_then(|all| all.get(name));
    let uid = metadata.uid.clone().unwrap_or_default();
    let deletion_policy = spec.effective_deletion_policy();
    if deletion_policy == DeletionPolicy::Unknown {
        return Err(InvalidSpec::new(
            "spec.deletionPolicy",
            "this version of the operator does not know the value; upgrade it",
        ));
    }
    Ok(Resource {
        owner: OwnerLabel::new(instance, &uid),
        uid,
        generation: metadata.generation.unwrap_or_default(),
        client: client.ok_or_else(|| InvalidSpec::new("spec.client", "is not the name of a client"))?.to_owned(),
        secret_name: published.ok_or_else(|| InvalidSpec::new("spec.publishedSecret", "is missing"))?.name.clone(),
        rotation: rotation_of(object)?,
        deletes_credential: deletion_policy == DeletionPolicy::Delete,
        reports_only: spec.drift_policy != DriftPolicy::Correct,
        is_suspended: spec.suspend,
        is_being_deleted: metadata.deletion_timestamp.is_some(),
        has_finalizer: metadata.finalizers.iter().flatten().any(|it| it == FINALIZER),
        attempt: annotation(ATTEMPT).and_then(|it| it.parse().ok()),
        rotate_requested_at: Requests::of(object).rotate,
        retire: annotation(RETIRE).and_then(|it| it.parse().ok()),
        records: records_of(status, unresolved_since, now),
        bar: bar_of(object, status),
    })
}

fn rotation_of(object: &ConfidenceClientCredential) -> Result<Rotation, InvalidSpec> {
    let rotation = object.spec.rotation.clone().unwrap_or_default();
    let invalid = |error: String| InvalidSpec::new("spec.rotation", error);
    Ok(Rotation {
        every: rotation.every().map_err(invalid)?,
        at_least: rotation.overlap.at_least().map_err(invalid)?,
        until_unused_for: rotation.overlap.until_unused_for().map_err(invalid)?,
        at_most: rotation.overlap.at_most().map_err(invalid)?,
    })
}

/// Why no POST may be sent: as the status says for this generation and request.
fn bar_of(object: &ConfidenceClientCredential, status: &Status) -> Option<StallReason> {
    let stalled = find(&status.conditions, Type::Stalled)?;
    let is_same_request = status.last_handled_reconcile_at == Requests::of(object).reconcile;
    if stalled.observed_generation != object.metadata.generation || !is_same_request {
        return None;
    }
    [(Reason::LabelsNotKept, StallReason::LabelsNotKept), (Reason::SecretNotReturned, StallReason::SecretNotReturned)]
        .into_iter()
        .find_map(|(reason, bar)| (stalled.reason == reason.to_string()).then_some(bar))
}

/// The records in a status.
fn records_of(status: &Status, unresolved_since: &HashMap<Attempt, Timestamp>, now: Timestamp) -> Records {
    let rotation = status.rotation.clone().unwrap_or_default();
    let unresolved = |text: &String| {
        let attempt: Attempt = text.parse().ok()?;
        // A restart forgets since when: the wait begins anew, which costs time alone.
        Some(Unresolved { attempt, since: unresolved_since.get(&attempt).copied().unwrap_or(now) })
    };
    Records {
        name: status.name.as_deref().and_then(|name| name.parse().ok()),
        create_time: status.create_time.map(|it| it.0),
        creator: status.creator.clone(),
        published: status.published_secret.as_ref().and_then(published_of),
        superseded: rotation.superseded.iter().filter_map(superseded_of).collect(),
        unresolved: rotation.unresolved_attempts.iter().filter_map(unresolved).collect(),
        last_handled_rotate_at: rotation.last_handled_rotate_at,
    }
}

fn published_of(record: &status::PublishedSecret) -> Option<PublishedRecord> {
    Some(PublishedRecord {
        name: record.name.clone(),
        uid: record.uid.clone(),
        credential: record.credential.parse().ok()?,
        published_at: record.published_time?.0,
    })
}

fn superseded_of(record: &status::Superseded) -> Option<Superseded> {
    Some(Superseded { name: record.name.parse().ok()?, since: record.since.0, why: why_of(&record.why) })
}

const NEVER_PUBLISHED: &str = "NeverPublished";
const LABELS_NOT_KEPT: &str = "LabelsNotKept";
const REPLACED: &str = "Replaced";

/// What nobody knows was published, as far as retiring goes: that keeps it longest.
fn why_of(text: &str) -> SupersededReason {
    match text {
        NEVER_PUBLISHED => SupersededReason::NeverPublished,
        LABELS_NOT_KEPT => SupersededReason::LabelsNotKept,
        _ => SupersededReason::Replaced,
    }
}

fn why_text(why: SupersededReason) -> &'static str {
    match why {
        SupersededReason::NeverPublished => NEVER_PUBLISHED,
        SupersededReason::LabelsNotKept => LABELS_NOT_KEPT,
        SupersededReason::Replaced => REPLACED,
    }
}

/// Puts records into a status. `last_seen` knows when a superseded credential was last used.
pub(super) fn put_records(
    status: &mut Status,
    records: &Records,
    next_rotation: Option<Timestamp>,
    last_seen: impl Fn(&CredentialName) -> Option<Timestamp>,
) {
    status.name = records.name.as_ref().map(ToString::to_string);
    status.create_time = records.create_time.map(Time);
    status.creator.clone_from(&records.creator);
    status.published_secret = records.published.as_ref().map(|record| status::PublishedSecret {
        name: record.name.clone(),
        uid: record.uid.clone(),
        credential: record.credential.to_string(),
        published_time: Some(Time(record.published_at)),
    });
    let known = status.rotation.take().unwrap_or_default().superseded;
    let before = |name: &str| known.iter().find(|it| it.name == name).and_then(|it| it.last_seen_time);
    let superseded = |it: &Superseded| {
        let name = it.name.to_string();
        let last_seen_time = last_seen(&it.name).map(Time).or_else(|| before(&name));
        status::Superseded { last_seen_time, name, since: Time(it.since), why: why_text(it.why).to_owned() }
    };
    let rotation = status::Rotation {
        next_rotation_time: next_rotation.map(Time),
        last_handled_rotate_at: records.last_handled_rotate_at.clone(),
        superseded: records.superseded.iter().map(superseded).collect(),
        unresolved_attempts: records.unresolved.iter().map(|it| it.attempt.to_string()).collect(),
    };
    status.rotation = (rotation != status::Rotation::default()).then_some(rotation);
}
