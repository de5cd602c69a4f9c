//! Retiring a superseded credential, sentence by sentence, and what has to hold before another one is created.

use super::*;

const HOUR: i64 = 3600;

fn verdict(old: Option<i64>, new: Option<i64>, now: i64) -> Verdict {
    let usage = Usage { switch: at(0), since: at(0), old_last_seen: old.map(at), new_last_seen: new.map(at) };
    may_retire(&resource().rotation, usage, at(now))
}

/// The default: an hour at least, and a day unused.
#[test]
fn superseded_credential_is_retired_by_use() {
    let (day, retired) = (24 * HOUR, Verdict::Retire(RetireReason::Unused));
    for (old, new, now, expected) in [
        (None, None, HOUR, Verdict::Overlap(at(day))),
        (None, None, day - 1, Verdict::Overlap(at(day))),
        (None, None, day, retired),
        (Some(-5), None, day, retired),
        (Some(10), Some(5), HOUR - 1, Verdict::Overlap(at(day + 10))),
        (Some(10), Some(5), HOUR, Verdict::InUse(at(day + 10))),
        (Some(10), Some(5), day + 10, retired),
        (Some(10), None, day + 10, Verdict::NewNotSeen),
        (Some(10), Some(-5), day + 10, Verdict::NewNotSeen),
        (Some(50 * HOUR), Some(5), 60 * HOUR, Verdict::InUse(at(74 * HOUR))),
    ] {
        assert_eq!(verdict(old, new, now), expected, "old {old:?}, new {new:?}, now {now}");
    }
}

/// `atLeast` holds although `untilUnusedFor` is over.
#[test]
fn at_least_bounds_the_overlap_from_below() {
    let mut rotation = resource().rotation;
    (rotation.at_least, rotation.until_unused_for) = (Duration::from_hours(5), Duration::from_hours(1));
    let usage = Usage { switch: at(0), since: at(0), old_last_seen: None, new_last_seen: None };
    assert_eq!(may_retire(&rotation, usage, at(2 * HOUR)), Verdict::Overlap(at(5 * HOUR)));
}

/// `atMost` ends an overlap although the old one is in use.
#[test]
fn at_most_retires_what_is_in_use() {
    let mut rotation = resource().rotation;
    rotation.at_most = Some(Duration::from_hours(30));
    let usage = Usage { switch: at(0), since: at(0), old_last_seen: Some(at(29 * HOUR)), new_last_seen: None };
    assert!(matches!(may_retire(&rotation, usage, at(30 * HOUR - 1)), Verdict::InUse(_)));
    assert_eq!(may_retire(&rotation, usage, at(30 * HOUR)), Verdict::Retire(RetireReason::AtMost));
}

/// The LIST says that it is silent; the GET, that it was used just now.
#[test]
fn fresh_get_overrules_the_list() {
    let mut scene = Scene::rotated();
    assert_eq!(scene.step(), Step::get(&name("k1"), GetPurpose::Delete));
    let used = Credential { last_seen_time: Some(at(NOW - 5)), ..credential("k1", 1) };
    scene.fetch("k1", Answer::Found(used, Disclosure::Withheld));
    let last_seen = at(NOW - 5);
    assert!(
        matches!(scene.step(), Step::Rest { rotation, .. } if rotation == RotationState::OldStillInUse { last_seen })
    );
}

/// The LIST says that the stray was never used; the GET, that it was: somebody has its secret.
#[test]
fn stray_that_a_get_shows_used_stays() {
    let mut scene = Scene::published();
    scene.resource.records.superseded =
        vec![Superseded { since: at(NOW), ..superseded("k9", SupersededReason::NeverPublished) }];
    scene.list(vec![credential("k1", 1), credential("k9", 9)]);
    let used = Credential { last_seen_time: Some(at(NOW - 5)), ..credential("k9", 9) };
    scene.fetch("k9", Answer::Found(used, Disclosure::Withheld));
    assert!(matches!(scene.step(), Step::Rest { .. }), "{:?}", scene.step());
}

/// The annotation `retire` ends an overlap by a person's word.
#[test]
fn retire_annotation_deletes_what_is_in_use() {
    let mut scene = Scene::rotated();
    scene.resource.retire = Some(name("k1"));
    let used = Credential { last_seen_time: Some(at(NOW - 5)), ..credential("k1", 1) };
    scene.fetch("k1", Answer::Found(used, Disclosure::Withheld));
    let Step::Delete(evidence) = scene.step() else { panic!("{:?}", scene.step()) };
    assert_eq!(evidence.grounds(), Grounds::Retired(RetireReason::Requested));
}

/// A stray that was never published and never used goes at once.
#[test]
fn stray_that_was_never_published_goes_at_once() {
    let mut scene = Scene::published();
    scene.resource.records.superseded =
        vec![Superseded { since: at(NOW), ..superseded("k9", SupersededReason::NeverPublished) }];
    scene.list(vec![credential("k1", 1), credential("k9", 9)]);
    scene.fetch("k9", Answer::Found(credential("k9", 9), Disclosure::Withheld));
    assert!(matches!(scene.step(), Step::Delete(_)));
}

/// A leader that was replaced may hold the secret of its stray, and publish it. That the annotation is gone changes nothing.
#[test]
fn young_stray_of_another_process_is_spared() {
    let mut scene = Scene::published();
    scene.resource.attempt = None;
    scene.resource.records.superseded = vec![superseded("k9", SupersededReason::NeverPublished)];
    let landed = |ago| Credential { create_time: Some(at(NOW - ago)), ..credential("k9", 9) };
    scene.list(vec![credential("k1", 1), landed(79)]);
    scene.fetch("k9", Answer::Found(landed(79), Disclosure::Withheld));
    assert!(matches!(scene.step(), Step::Rest { look_again, .. } if look_again == Some(at(NOW + 1))));
    scene.memory.fetched.clear();
    scene.fetch("k9", Answer::Found(landed(80), Disclosure::Withheld));
    assert!(matches!(scene.step(), Step::Delete(_)), "{:?}", scene.step());
}

/// A copy of our labels by another identity is none of ours: not recorded, not deleted, not counted.
#[test]
fn copied_labels_make_no_superseded_credential() {
    let mut scene = Scene::published();
    scene.list(vec![credential("k1", 1), Credential { creator: Some("somebody".to_owned()), ..credential("copy", 1) }]);
    assert!(matches!(scene.step(), Step::Rest { rotation: RotationState::None, .. }));
}

/// A status that was lost in an overlap is found again by the creator.
#[test]
fn lost_status_in_an_overlap_is_recovered() {
    let mut scene = Scene::rotated();
    scene.resource.records = Records::default();
    let Step::Record { records, .. } = scene.step() else { panic!("{:?}", scene.step()) };
    assert_eq!(records.name, Some(name("k2")));
    assert_eq!(records.superseded, [superseded("k1", SupersededReason::Replaced)]);
}

/// A rotation stops at two, a repair at the cap.
#[test]
fn too_many_live_credentials_stall_the_resource() {
    let mut scene = Scene::published();
    scene.secrets.current = SecretState::Absent;
    let busy = |id: &str, number| Credential { last_seen_time: Some(at(NOW)), ..credential(id, number) };
    let others: Vec<_> = ["k2", "k3", "k4", "k5"].into_iter().zip(2..).map(|(id, number)| busy(id, number)).collect();
    let recorded =
        |it: &Credential| Superseded { name: it.name.clone(), ..superseded("k0", SupersededReason::Replaced) };
    for (count, is_stalled) in [(3, false), (4, true)] {
        let mut scene = scene.clone();
        scene.resource.records.superseded = others.iter().take(count).map(recorded).collect();
        scene.list(others.iter().take(count).cloned().chain([credential("k1", 1)]).collect());
        scene.fetch("k1", Answer::Found(credential("k1", 1), Disclosure::Withheld));
        assert_eq!(scene.step() == Step::Stall(StallReason::TooManyLive), is_stalled, "{:?}", scene.step());
    }
}

/// An attempt that was given up may still land, so it takes a place below the cap.
#[test]
fn unresolved_attempts_count_towards_the_cap() {
    let mut scene = Scene::published();
    scene.secrets.current = SecretState::Absent;
    scene.fetch("k1", Answer::Found(credential("k1", 1), Disclosure::Withheld));
    let unresolved = |number| Unresolved { attempt: attempt(number), since: at(NOW) };
    scene.resource.records.unresolved = (2..=4).map(unresolved).collect();
    assert!(matches!(scene.step(), Step::WriteAttempt { .. }), "{:?}", scene.step());
    scene.resource.records.unresolved = (2..=5).map(unresolved).collect();
    assert_eq!(scene.step(), Step::Stall(StallReason::TooManyLive));
}

/// A repair waits for the first minute of what it replaces; a first create and a rotation do not.
#[test]
fn repair_waits_a_minute() {
    let mut scene = Scene::published();
    scene.secret().value = Value::Changed;
    let young = Credential { create_time: Some(at(NOW - 59)), ..credential("k1", 1) };
    scene.list(vec![young.clone()]);
    scene.fetch("k1", Answer::Found(young, Disclosure::Withheld));
    let until = Some(Until::Server(at(NOW + 1)));
    assert_eq!(scene.step(), Step::Wait { until, reason: WaitReason::TooYoungToReplace });
}

/// The server drops labels, or tells no secret: recorded with the stall, then deleted, then left alone.
#[test]
fn unusable_answer_is_recorded_deleted_and_stalls() {
    for (owner, stall) in [(None, StallReason::LabelsNotKept), (Some(resource().owner), StallReason::SecretNotReturned)]
    {
        let mut scene = Scene::new();
        scene.resource.has_finalizer = true;
        scene.remember(1, AttemptOutcome::Answered, 999);
        let answer = Credential { owner, ..credential("k1", 1) };
        let holds_secret = stall == StallReason::LabelsNotKept;
        scene.memory.created = Some(Created { credential: answer.clone(), holds_secret, posted: CLOCK });
        assert_eq!(scene.step(), Step::get(&name("k1"), GetPurpose::VerifyCreated));
        scene.fetch("k1", Answer::Found(answer, Disclosure::Withheld));
        let Step::Record { records, stall: told } = scene.step() else { panic!("{:?}", scene.step()) };
        assert_eq!(told, Some(stall));
        (scene.resource.records, scene.resource.bar) = (records, told);
        assert!(matches!(scene.step(), Step::Delete(_)), "{:?}", scene.step());
        scene.memory = Memory { dry_run: DryRun::Accepted, ..Memory::default() };
        scene.remember(1, AttemptOutcome::Answered, 999);
        scene.resource.records.superseded.clear();
        assert_eq!(scene.step(), Step::Stall(stall));
    }
}

/// An account that may not list creates nothing, and keeps what there is.
#[test]
fn account_that_may_not_list_creates_nothing() {
    let mut scene = Scene::new();
    scene.listing = Listing::Forbidden;
    assert_eq!(scene.step(), Step::Stall(StallReason::CannotList));
    let mut scene = Scene::published();
    scene.listing = Listing::Forbidden;
    scene.fetch("k1", Answer::Found(credential("k1", 1), Disclosure::Withheld));
    assert!(matches!(scene.step(), Step::Rest { .. }));
}
