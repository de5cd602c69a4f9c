//! The deletion of a resource.

use super::*;

fn removed(mut scene: Scene) -> Scene {
    scene.resource.is_being_deleted = true;
    scene
}

/// Superseded ones, the current one, one LIST, the Secret, the finalizer.
#[test]
fn deletion_keeps_its_order() {
    let mut scene = removed(Scene::rotated());
    for id in ["k1", "k2"] {
        assert_eq!(scene.step(), Step::get(&name(id), GetPurpose::Delete));
        scene.fetch(id, Answer::Found(credential(id, if id == "k1" { 1 } else { 2 }), Disclosure::Withheld));
        assert!(matches!(scene.step(), Step::Delete(evidence) if *evidence.name() == name(id)));
        scene.memory.fetched.pop();
        scene.memory.last_change = Some(CLOCK);
        scene.fetch(id, Answer::NotFound);
        if let Step::Record { records, .. } = scene.step() {
            scene.resource.records = records;
        }
    }
    scene.remember(2, AttemptOutcome::Answered, 900);
    assert_eq!(scene.step(), Step::List);
    scene.memory.last_change = None;
    scene.list(Vec::new());
    assert!(matches!(scene.step(), Step::DeleteSecret { .. }));
    scene.secrets.current = SecretState::Absent;
    assert_eq!(scene.step(), Step::RemoveFinalizer(None));
}

/// A failure is no proof that a credential is gone.
#[test]
fn failed_get_keeps_the_finalizer() {
    let mut scene = removed(Scene::published());
    scene.fetch("k1", Answer::Failed);
    assert_eq!(scene.step(), Step::wait(WaitReason::GetFailed));
}

/// A POST of unknown outcome may still land.
#[test]
fn deletion_waits_for_an_outstanding_attempt() {
    let mut scene = removed(Scene::published());
    scene.remember(2, AttemptOutcome::Unknown, 999);
    assert!(matches!(scene.step(), Step::Wait { reason: WaitReason::AttemptOutstanding, .. }));
}

/// The answer to the last POST came, and then the resource was deleted: only the memory names that credential.
#[test]
fn deletion_records_what_was_just_created() {
    let mut scene = removed(Scene::new());
    scene.remember(1, AttemptOutcome::Answered, 999);
    scene.memory.created = Some(Created { credential: credential("k1", 1), holds_secret: true, posted: CLOCK });
    let Step::Record { records, .. } = scene.step() else { panic!("{:?}", scene.step()) };
    assert_eq!(
        records.superseded,
        [Superseded { since: at(NOW), ..superseded("k1", SupersededReason::NeverPublished) }]
    );
}

/// Nothing may be deleted, or nothing can be: no call, no wait.
#[test]
fn release_makes_no_call() {
    let cases: [(Change, ReleaseReason); 6] = [
        (|scene| scene.resource.deletes_credential = false, ReleaseReason::Kept),
        (|scene| scene.resource.reports_only = true, ReleaseReason::Kept),
        (|scene| scene.resource.is_suspended = true, ReleaseReason::Kept),
        (|scene| scene.surroundings.is_crd_deleted = true, ReleaseReason::CrdDeleted),
        (
            |scene| scene.secrets.current = SecretState::Foreign(ForeignSecret::OtherInstance),
            ReleaseReason::OwnedElsewhere,
        ),
        (
            |scene| (scene.surroundings.is_account_gone, scene.surroundings.is_namespace_terminating) = (true, true),
            ReleaseReason::AccountGone,
        ),
    ];
    for (change, reason) in cases {
        let mut scene = removed(Scene::published());
        scene.listing = Listing::None;
        scene.remember(2, AttemptOutcome::Unknown, 999);
        change(&mut scene);
        assert_eq!(scene.step(), Step::RemoveFinalizer(Some(reason)));
    }
}

/// A credential of another owner stays.
#[test]
fn credential_of_another_owner_stays() {
    let mut scene = removed(Scene::published());
    let owner = Some(OwnerLabel::new("other", "uid"));
    scene.fetch("k1", Answer::Found(Credential { owner, ..credential("k1", 1) }, Disclosure::Withheld));
    assert!(matches!(scene.step(), Step::DeleteSecret { .. }), "{:?}", scene.step());
}

/// What never created anything needs no LIST.
#[test]
fn resource_without_records_ends_at_once() {
    let mut scene = removed(Scene::new());
    scene.listing = Listing::None;
    assert_eq!(scene.step(), Step::RemoveFinalizer(None));
}

/// A change of the policy adds or removes the finalizer at once.
#[test]
fn finalizer_follows_the_policy() {
    let mut scene = Scene::published();
    scene.resource.deletes_credential = false;
    assert_eq!(scene.step(), Step::RemoveFinalizer(None));
    (scene.resource.deletes_credential, scene.resource.has_finalizer) = (true, false);
    assert_eq!(scene.step(), Step::AddFinalizer);
}
