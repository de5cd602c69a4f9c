//! The published Secret.

use super::*;

/// What the server returned outweighs all; then this process's own record; then the API server's field managers.
#[test]
fn value_is_judged_by_the_best_evidence() {
    let present = ValueEvidence { is_present: true, ..ValueEvidence::default() };
    let not_ours = ValueEvidence { is_key_ours: Some(false), ..present };
    for (evidence, value) in [
        (present, Value::AsWritten),
        (ValueEvidence { is_present: false, equals_returned: Some(true), ..present }, Value::Changed),
        (ValueEvidence { equals_returned: Some(false), equals_published: Some(true), ..present }, Value::Changed),
        (ValueEvidence { equals_returned: Some(true), equals_published: Some(false), ..not_ours }, Value::AsWritten),
        (ValueEvidence { equals_published: Some(false), ..present }, Value::Changed),
        (not_ours, Value::Changed),
        (ValueEvidence { is_restored: true, ..not_ours }, Value::AsWritten),
    ] {
        assert_eq!(evidence.judge(), value, "{evidence:?}");
    }
}

/// A copy records the same switch in another object; a status that lags records an earlier one.
#[test]
fn restored_secret_is_told_from_a_lagging_status() {
    let record = Scene::published().resource.records.published;
    for (name, uid, published_at, expected) in [
        ("s-0", "s", 10, false),
        ("s-0", "t", 10, true),
        ("s-0", "t", 5, true),
        ("s-0", "t", 11, false),
        ("s-1", "t", 10, false),
    ] {
        let version = SecretVersion { uid: uid.to_owned(), resource_version: "1".to_owned() };
        let is_restored = |record| is_restored(record, name, &version, Some(at(published_at)));
        assert_eq!(is_restored(record.as_ref()), expected, "{name} {uid} {published_at}");
        assert!(!is_restored(None));
    }
}

/// A Secret that is somebody else's is never written.
#[test]
fn foreign_secret_stalls_the_resource() {
    for whose in [ForeignSecret::Stranger, ForeignSecret::OtherInstance, ForeignSecret::OlderResource] {
        let mut scene = Scene::published();
        scene.secrets.current = SecretState::Foreign(whose);
        assert_eq!(scene.step(), Step::Stall(StallReason::SecretNotOurs));
    }
}

/// A copy of the objects in another cluster: neither the Secret nor the credential is that instance's.
#[test]
fn copied_annotation_creates_nothing() {
    let mut scene = Scene::new();
    scene.resource.has_finalizer = true;
    scene.resource.attempt = Some(attempt(1));
    let owner = Some(OwnerLabel::new("other cluster", "uid"));
    scene.list(vec![Credential { owner, ..credential("k1", 1) }]);
    assert_eq!(scene.step(), Step::Stall(StallReason::OwnedElsewhere));
}

/// The new name is written first, from the value in the old Secret, then the old one is removed, then the status says so.
#[test]
fn renamed_secret_is_written_before_the_old_goes() {
    let mut scene = Scene::published();
    let old = scene.secret().clone();
    scene.secrets = Secrets { current: SecretState::Absent, former: Some(old.clone()), is_fresh: false };
    let Step::Publish(publication) = scene.step() else { panic!("{:?}", scene.step()) };
    assert_eq!((publication.source, publication.over), (ValueSource::Published, None));
    assert_eq!(publication.published_at, at(10), "the switch to the credential was then");
    scene.secrets.current = SecretState::Own(OwnSecret { name: "s-1".to_owned(), ..old.clone() });
    assert_eq!(scene.step(), Step::DeleteSecret { name: old.name, version: old.version });
    scene.secrets.former = None;
    assert!(matches!(scene.step(), Step::Record { records, .. } if records.published.as_ref().unwrap().name == "s-1"));
}

/// A copy stands under the new name, and the secret that was just published under the former one is not held any more.
#[test]
fn credential_of_former_secret_is_not_given_back() {
    let mut scene = Scene::published();
    scene.remember(2, AttemptOutcome::Answered, 999);
    scene.secrets.former = Some(OwnSecret { name: "s-1".to_owned(), ..own_secret("k2", 2) });
    scene.memory.created = Some(Created { credential: credential("k2", 2), holds_secret: false, posted: CLOCK });
    scene.list(vec![credential("k1", 1), credential("k2", 2)]);
    scene.fetch("k2", Answer::Found(credential("k2", 2), Disclosure::Withheld));
    assert!(!matches!(scene.step(), Step::Record { stall: Some(_), .. } | Step::Delete(_)), "{:?}", scene.step());
}

/// Keys, labels or annotations differ from the spec: the value stays.
#[test]
fn secret_out_of_shape_is_written_again() {
    let mut scene = Scene::published();
    scene.secret().in_shape = false;
    assert!(matches!(scene.step(), Step::Publish(it) if it.source == ValueSource::Published && it.over.is_some()));
}

/// Whoever may edit Secrets cannot have the operator put its labels on somebody else's credential.
#[test]
fn edited_annotation_labels_no_foreign_credential() {
    let mut scene = Scene::published();
    scene.secret().credential = Some(name("victim"));
    let victim =
        Credential { owner: None, attempt: None, creator: Some("somebody".to_owned()), ..credential("victim", 0) };
    scene.fetch("victim", Answer::Found(victim, Disclosure::Withheld));
    assert_eq!(scene.step(), Step::Stall(StallReason::OwnedElsewhere));
}
