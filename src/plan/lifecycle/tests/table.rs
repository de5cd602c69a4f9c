//! The table of the design, section 3, row by row, and the rules of creating.

use super::*;

/// Row 1: nothing is concluded before a LIST, or from one that failed.
#[test]
fn nothing_happens_before_a_list() {
    let mut scene = Scene::published();
    scene.secrets.current = SecretState::Absent;
    scene.listing = Listing::None;
    assert_eq!(scene.step(), Step::List);
    scene.listing = Listing::Failed;
    assert_eq!(scene.step(), Step::wait(WaitReason::ListFailed));
}

/// Row 2: what is as it was left needs no step.
#[test]
fn published_credential_rests() {
    let rest = Step::Rest { rotation: RotationState::None, next_rotation: None, look_again: None };
    assert_eq!(Scene::published().step(), rest);
}

/// Row 2: the managed fields are brought in line.
#[test]
fn drifted_credential_is_corrected() {
    let mut scene = Scene::published();
    scene.list(vec![Credential { is_in_sync: false, ..credential("k1", 1) }]);
    assert_eq!(scene.step(), Step::Correct(name("k1")));
}

/// Row 3: the secret is asked for, and the same value published again.
#[test]
fn lost_secret_that_is_returned_is_republished() {
    let mut scene = Scene::published();
    scene.secrets.current = SecretState::Absent;
    assert_eq!(scene.step(), Step::get(&name("k1"), GetPurpose::ReadSecret));
    scene.fetch("k1", Answer::Found(credential("k1", 1), Disclosure::Returned));
    let Step::Publish(publication) = scene.step() else { panic!("{:?}", scene.step()) };
    assert_eq!((publication.credential, publication.source), (name("k1"), ValueSource::Returned));
    assert_eq!(publication.published_at, at(10));
}

/// Row 4: a secret that nobody tells is lost.
#[test]
fn lost_secret_that_is_withheld_is_replaced() {
    let mut scene = Scene::published();
    scene.secret().value = Value::Changed;
    scene.fetch("k1", Answer::Found(credential("k1", 1), Disclosure::Withheld));
    scene.creates(CreateReason::SecretLost);
}

/// Row 5: absence from a LIST is no proof, a 404 is.
#[test]
fn missing_credential_is_replaced_after_a_404() {
    let mut scene = Scene::published();
    scene.list(Vec::new());
    assert_eq!(scene.step(), Step::get(&name("k1"), GetPurpose::Missing));
    let mut failed = scene.clone();
    failed.fetch("k1", Answer::Failed);
    assert_eq!(failed.step(), Step::wait(WaitReason::GetFailed));
    scene.fetch("k1", Answer::NotFound);
    scene.creates(CreateReason::CredentialGone);
}

/// Row 5: labels that somebody took off are put back; another owner's are respected.
#[test]
fn credential_without_labels_is_relabelled() {
    for (owner, step) in [
        (None, Step::Relabel(name("k1"))),
        (Some(OwnerLabel::new("other", "uid")), Step::Stall(StallReason::OwnedElsewhere)),
    ] {
        let mut scene = Scene::published();
        scene.list(Vec::new());
        scene.fetch("k1", Answer::Found(Credential { owner, ..credential("k1", 1) }, Disclosure::Withheld));
        assert_eq!(scene.step(), step);
    }
}

/// Row 6: dry run, attempt with the finalizer, POST, Secret, status.
#[test]
fn first_credential_is_created_in_order() {
    let mut scene = Scene::new();
    scene.memory.dry_run = DryRun::NotDone;
    assert_eq!(scene.step(), Step::DryRunSecret);
    scene.memory.dry_run = DryRun::Accepted;
    let first = Attempt { number: 1, nonce: 99 };
    assert_eq!(scene.step(), Step::WriteAttempt { attempt: first, with_finalizer: true });
    scene.creates(CreateReason::First);
    scene.resource.has_finalizer = true;
    scene.resource.attempt = Some(first);
    let created = Credential { attempt: Some(first), ..credential("k1", 1) };
    scene.memory.created = Some(Created { credential: created, holds_secret: true, posted: CLOCK });
    let Step::Publish(publication) = scene.step() else { panic!("{:?}", scene.step()) };
    assert_eq!((publication.source, publication.published_at), (ValueSource::Held, at(NOW)));
    scene.secrets.current = SecretState::Own(OwnSecret { attempt: Some(first), ..own_secret("k1", 1) });
    assert!(matches!(scene.step(), Step::Record { records, .. } if records.name == Some(name("k1"))));
}

/// Row 7: an attempt of unknown outcome is waited for, listed for, and given up.
#[test]
fn lost_answer_is_waited_out() {
    let mut scene = Scene::new();
    scene.resource.has_finalizer = true;
    scene.remember(1, AttemptOutcome::Unknown, 999);
    let until = Some(Until::Clock(Duration::from_secs(999 + 80)));
    assert_eq!(scene.step(), Step::Wait { until, reason: WaitReason::AttemptOutstanding });
    scene.remember(1, AttemptOutcome::Unknown, 900);
    scene.memory.attempt.as_mut().unwrap().lists = 1;
    assert_eq!(scene.step(), Step::List);
    scene.memory.attempt.as_mut().unwrap().lists = 2;
    let Step::Record { records, .. } = scene.step() else { panic!("{:?}", scene.step()) };
    assert_eq!(records.unresolved, [Unresolved { attempt: attempt(1), since: at(NOW) }]);
    scene.resource.records = records;
    let next = Attempt { number: 2, nonce: 99 };
    assert_eq!(scene.step(), Step::WriteAttempt { attempt: next, with_finalizer: false });
}

/// Row 7: a LIST that began before the end of the wait may have missed the credential.
#[test]
fn list_before_the_waits_end_is_repeated() {
    let mut scene = Scene::new();
    scene.resource.has_finalizer = true;
    scene.remember(1, AttemptOutcome::Unknown, 900);
    scene.listing = Listing::Complete { began: Duration::from_secs(900 + 79), credentials: Vec::new() };
    assert_eq!(scene.step(), Step::List);
    scene.listing = Listing::Complete { began: Duration::from_secs(900 + 80), credentials: Vec::new() };
    assert!(matches!(scene.step(), Step::Record { .. }), "{:?}", scene.step());
}

/// Somebody removed the annotation: another process could send its POST too.
#[test]
fn attempt_that_is_not_stored_sends_nothing() {
    let mut scene = Scene::new();
    scene.remember(1, AttemptOutcome::NotSent, CLOCK.as_secs());
    scene.list(Vec::new());
    scene.resource.has_finalizer = true;
    scene.memory.attempt.as_mut().unwrap().since = CLOCK.saturating_sub(Duration::from_secs(1));
    assert!(matches!(scene.step(), Step::Create { .. }), "{:?}", scene.step());
    scene.resource.attempt = None;
    assert!(matches!(scene.step(), Step::WriteAttempt { .. }), "{:?}", scene.step());
}

/// A backup brings back an older annotation, or none: what this process knows is waited for, and the older one is not.
#[test]
fn restored_annotation_hides_no_outstanding_attempt() {
    for stored in [None, Some(attempt(1))] {
        let mut scene = Scene::new();
        scene.resource.has_finalizer = true;
        scene.remember(2, AttemptOutcome::Unknown, 999);
        scene.resource.attempt = stored;
        let until = Some(Until::Clock(Duration::from_secs(999 + 80)));
        assert_eq!(scene.step(), Step::Wait { until, reason: WaitReason::AttemptOutstanding }, "{stored:?}");
        scene.memory.attempt.as_mut().unwrap().outcome = AttemptOutcome::NothingCreated;
        let next = Attempt { number: 3, nonce: 99 };
        assert_eq!(scene.step(), Step::WriteAttempt { attempt: next, with_finalizer: false }, "{stored:?}");
    }
}

/// The stray of an attempt that a backup brought back is no secret that another process holds.
#[test]
fn stray_of_restored_annotation_is_replaced() {
    let mut scene = Scene::new();
    scene.resource.has_finalizer = true;
    scene.remember(2, AttemptOutcome::NothingCreated, 900);
    scene.resource.attempt = Some(attempt(1));
    scene.list(vec![credential("k1", 1)]);
    scene.fetch("k1", Answer::Found(credential("k1", 1), Disclosure::Withheld));
    let step = scene.step();
    assert!(!matches!(step, Step::Wait { reason: WaitReason::AttemptOutstanding, .. }), "{step:?}");
}

/// Row 7: it turns up in a LIST, and is published at once.
#[test]
fn lost_answer_that_turns_up_is_published() {
    let mut scene = Scene::new();
    scene.resource.has_finalizer = true;
    scene.remember(1, AttemptOutcome::Unknown, 999);
    scene.list(vec![credential("k1", 1)]);
    scene.fetch("k1", Answer::Found(credential("k1", 1), Disclosure::Returned));
    assert!(matches!(scene.step(), Step::Publish(it) if it.credential == name("k1")));
}

/// Row 7: a rotation that was cut off goes on.
#[test]
fn cut_off_rotation_goes_on() {
    let mut scene = Scene::published();
    scene.resource.attempt = Some(attempt(2));
    scene.list(vec![credential("k1", 1), credential("k2", 2)]);
    scene.fetch("k2", Answer::Found(credential("k2", 2), Disclosure::Returned));
    assert!(matches!(scene.step(), Step::Publish(it) if it.credential == name("k2")));
}

/// A leader that was replaced may still hold the secret of what it created.
#[test]
fn stray_of_another_process_is_not_deleted_at_once() {
    let mut scene = Scene::published();
    scene.remember(2, AttemptOutcome::Unknown, 999);
    scene.memory.attempt.as_mut().unwrap().generation = None;
    scene.list(vec![credential("k1", 1), credential("k2", 2)]);
    scene.fetch("k2", Answer::Found(credential("k2", 2), Disclosure::Withheld));
    assert!(matches!(scene.step(), Step::Wait { reason: WaitReason::AttemptOutstanding, .. }));
}

/// Row 8: a rotation is due by the server's createTime, or by request.
#[test]
fn rotation_is_created_when_due() {
    let mut scene = Scene::published();
    scene.resource.rotation.every = Some(Duration::from_secs(500_000));
    scene.creates(CreateReason::Rotated);
    scene.resource.rotation.every = None;
    scene.resource.rotate_requested_at = Some("now".to_owned());
    scene.creates(CreateReason::Rotated);
    scene.resource.records.last_handled_rotate_at = Some("now".to_owned());
    assert!(matches!(scene.step(), Step::Rest { .. }));
}

/// No time of ours counts: a status or a Secret that is lost, restored or written anew moves no rotation.
#[test]
fn rotation_goes_by_the_servers_create_time() {
    let every = Some(Duration::from_secs(500_000));
    for (created, ours, is_due) in [(NOW - 5, 0, false), (0, NOW - 5, true)] {
        let mut scene = Scene::published();
        scene.resource.rotation.every = every;
        scene.secret().published_at = Some(at(ours));
        scene.resource.records.published.as_mut().unwrap().published_at = at(ours);
        scene.resource.records.create_time = Some(at(created));
        let server = Credential { create_time: Some(at(created)), ..credential("k1", 1) };
        scene.list(vec![server.clone()]);
        assert_eq!(matches!(scene.step(), Step::WriteAttempt { .. }), is_due, "{:?}", scene.step());
        let due = rotation_due(&scene.resource, &server);
        scene.resource.records.create_time = Some(at(ours));
        assert_eq!(rotation_due(&scene.resource, &server), due);
    }
}

/// A credential that names no createTime has no schedule, whatever the status says.
#[test]
fn status_time_rotates_no_undated_credential() {
    let mut scene = Scene::published();
    scene.resource.rotation.every = Some(Duration::from_secs(500_000));
    scene.list(vec![Credential { create_time: None, ..credential("k1", 1) }]);
    assert!(matches!(scene.step(), Step::Rest { next_rotation: None, .. }), "{:?}", scene.step());
}

/// A lost status rotates nothing: the annotation that is there counts as handled.
#[test]
fn lost_status_takes_the_request_as_handled() {
    let mut scene = Scene::published();
    scene.resource.rotate_requested_at = Some("old".to_owned());
    scene.resource.records = Records::default();
    let Step::Record { records, .. } = scene.step() else { panic!("{:?}", scene.step()) };
    assert_eq!(records.last_handled_rotate_at.as_deref(), Some("old"));
    scene.resource.records = records;
    assert!(matches!(scene.step(), Step::Rest { .. }));
}

/// The new credential takes the unmanaged fields of the one that it replaces.
#[test]
fn rotation_names_the_credential_it_replaces() {
    let mut scene = Scene::published();
    scene.resource.rotate_requested_at = Some("now".to_owned());
    scene.remember(2, AttemptOutcome::NotSent, 999);
    assert!(matches!(scene.step(), Step::Create { replaces, .. } if replaces == Some(name("k1"))));
}

/// A request during an overlap stays pending, not echoed.
#[test]
fn request_during_an_overlap_stays_pending() {
    let mut scene = Scene::rotated();
    scene.resource.rotate_requested_at = Some("now".to_owned());
    scene.list(vec![Credential { last_seen_time: Some(at(NOW)), ..credential("k1", 1) }, credential("k2", 2)]);
    assert!(matches!(scene.step(), Step::Rest { rotation: RotationState::OldStillInUse { .. }, .. }));
    assert_eq!(scene.resource.records.last_handled_rotate_at, None);
}

/// The jitter is at most a tenth, and fixed by the uid.
#[test]
fn rotation_jitter_is_fixed_by_the_uid() {
    let mut times = std::collections::BTreeSet::new();
    for uid in 0..100 {
        let mut resource = resource();
        resource.uid = format!("uid-{uid}");
        resource.rotation.every = Some(Duration::from_secs(1000));
        let due = rotation_due(&resource, &credential("k1", 1)).unwrap();
        assert_eq!(rotation_due(&resource, &credential("k1", 1)), Some(due));
        assert!((at(900)..=at(1100)).contains(&due), "{due}");
        times.insert(due);
    }
    assert!(times.len() > 90);
}

/// `Report` and `suspend` write nothing.
#[test]
fn report_and_suspend_write_nothing() {
    let mut scene = Scene::new();
    scene.resource.reports_only = true;
    assert!(matches!(scene.step(), Step::Report(step) if matches!(*step, Step::WriteAttempt { .. })));
    scene.resource.is_suspended = true;
    assert_eq!(scene.step(), Step::Suspended);
}
