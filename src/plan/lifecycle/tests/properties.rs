//! What holds for all facts, however strange.

use proptest::option::of;
use proptest::prelude::*;

use super::*;

prop_compose! {
    fn any_credential()(
        id in 1_u32..5, owner in 0_usize..3, number in of(1_u32..5), creator in of("[ab]"), created in of(0_i64..NOW),
        seen in of(0_i64..NOW), is_in_sync: bool,
    ) -> Credential {
        let owner = [None, Some(resource().owner), Some(OwnerLabel::new("other", "uid"))][owner].clone();
        Credential {
            name: name(&format!("k{id}")), owner, attempt: number.map(attempt), creator, is_in_sync,
            create_time: created.map(at), last_seen_time: seen.map(at),
        }
    }
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let disclosure = prop_oneof![Just(Disclosure::Returned), Just(Disclosure::Withheld)];
    prop_oneof![
        (any_credential(), disclosure).prop_map(|(credential, disclosure)| Answer::Found(credential, disclosure)),
        Just(Answer::NotFound),
        Just(Answer::Failed),
    ]
}

fn any_listing() -> impl Strategy<Value = Listing> {
    let complete = (0_u64..2000, proptest::collection::vec(any_credential(), 0..5))
        .prop_map(|(began, credentials)| Listing::Complete { began: Duration::from_secs(began), credentials });
    prop_oneof![1 => Just(Listing::None), 1 => Just(Listing::Failed), 1 => Just(Listing::Forbidden), 6 => complete]
}

fn any_secret() -> impl Strategy<Value = SecretState> {
    let own = (1_u32..5, any::<bool>(), any::<bool>()).prop_map(|(id, is_intact, in_shape)| {
        let value = if is_intact { Value::AsWritten } else { Value::Changed };
        SecretState::Own(OwnSecret { value, in_shape, ..own_secret(&format!("k{id}"), id) })
    });
    prop_oneof![Just(SecretState::Absent), Just(SecretState::Foreign(ForeignSecret::Stranger)), own]
}

prop_compose! {
    fn any_scene()(
        listing in any_listing(), current in any_secret(), answers in proptest::collection::vec((1_u32..5, any_answer()), 0..4),
        flags in any::<[bool; 5]>(), recorded in of(1_u32..5), superseded_ids in proptest::collection::btree_set(1_u32..5, 0..3),
        attempt_number in of(1_u32..5), outcome in 0_usize..4,
    ) -> Scene {
        let mut scene = Scene::new();
        (scene.listing, scene.secrets.current) = (listing, current);
        let [reports_only, is_suspended, is_being_deleted, is_fresh, has_finalizer] = flags;
        scene.resource.reports_only = reports_only;
        scene.resource.is_suspended = is_suspended && reports_only;
        scene.resource.is_being_deleted = is_being_deleted;
        scene.resource.has_finalizer = has_finalizer;
        scene.resource.records.name = recorded.map(|id| name(&format!("k{id}")));
        scene.resource.records.superseded = superseded_ids
            .into_iter().map(|id| superseded(&format!("k{id}"), SupersededReason::Replaced)).collect();
        let outcomes =
            [AttemptOutcome::NotSent, AttemptOutcome::Unknown, AttemptOutcome::NothingCreated, AttemptOutcome::Answered];
        if let Some(number) = attempt_number {
            scene.remember(number, outcomes[outcome], 995);
        }
        for (id, answer) in answers {
            let answer = match answer {
                Answer::Found(credential, disclosure) => {
                    Answer::Found(Credential { name: name(&format!("k{id}")), ..credential }, disclosure)
                }
                other => other,
            };
            scene.memory.fetched.retain(|fetched| fetched.name != name(&format!("k{id}")));
            scene.fetch(&format!("k{id}"), answer);
        }
        scene.secrets.is_fresh = is_fresh;
        scene
    }
}

proptest! {
    /// The same facts give the same step.
    #[test]
    fn step_is_a_function_of_the_facts(scene in any_scene()) {
        prop_assert_eq!(scene.step(), scene.step());
    }

    /// No POST without an attempt that is stored, for this spec, after a complete LIST, in a resource that may write.
    #[test]
    fn post_needs_all_its_conditions(scene in any_scene()) {
        if let Step::Create { attempt, .. } = scene.step() {
            prop_assert_eq!(scene.resource.attempt, Some(attempt));
            prop_assert_eq!(scene.memory.attempt.unwrap().outcome, AttemptOutcome::NotSent);
            let is_listed = matches!(scene.listing, Listing::Complete { .. });
            prop_assert!(is_listed);
            prop_assert!(!scene.resource.reports_only && !scene.resource.is_being_deleted);
        }
    }

    /// What the Secret names is deleted only with its resource; nothing is deleted that a GET did not show.
    #[test]
    fn delete_spares_what_the_secret_names(scene in any_scene()) {
        if let Step::Delete(evidence) = scene.step() {
            let newest = scene.memory.fetched.last().unwrap();
            prop_assert_eq!(&newest.name, evidence.name());
            let is_found = matches!(newest.answer, Answer::Found(..));
            prop_assert!(is_found);
            let is_named = matches!(&scene.secrets.current, SecretState::Own(it) if it.credential.as_ref() == Some(evidence.name()));
            prop_assert!(!is_named || scene.resource.is_being_deleted);
        }
    }

    /// `Returned` is published only of a GET that returned the secret.
    #[test]
    fn withheld_secret_is_never_published(scene in any_scene()) {
        if let Step::Publish(publication) = scene.step() && publication.source == ValueSource::Returned {
            let of_it = |fetched: &&Fetched| fetched.name == publication.credential;
            let answer = &scene.memory.fetched.iter().find(of_it).unwrap().answer;
            let is_returned = matches!(answer, Answer::Found(_, Disclosure::Returned));
            prop_assert!(is_returned);
        }
    }

    /// A record that was stored is not asked for again: no loop of status writes.
    #[test]
    fn record_is_asked_for_once(scene in any_scene()) {
        let Step::Record { records, .. } = scene.step() else { return Ok(()) };
        let mut after = scene.clone();
        after.resource.records = records.clone();
        if let Step::Record { records: again, .. } = after.step() {
            prop_assert_ne!(again, records);
        }
    }
}
