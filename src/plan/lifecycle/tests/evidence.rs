//! What a deletion needs.

use super::*;

fn proven() -> Scene {
    let mut scene = Scene::rotated();
    scene.fetch("k1", Answer::Found(credential("k1", 1), Disclosure::Withheld));
    scene
}

fn is_proven(scene: &Scene) -> bool {
    Evidence::gather(&scene.facts(), &name("k1"), Grounds::Retired(RetireReason::Unused)).is_some()
}

/// Each proof that is missing makes a deletion impossible.
#[test]
fn evidence_needs_each_proof() {
    assert!(is_proven(&proven()));
    let breaks: [(&str, Change); 6] = [
        ("no GET", |scene| scene.memory.fetched.clear()),
        ("a GET of another one since", |scene| scene.fetch("k2", Answer::NotFound)),
        ("a GET that shows no label", |scene| {
            let bare = Credential { owner: None, ..credential("k1", 1) };
            scene.memory.fetched[0].answer = Answer::Found(bare, Disclosure::Withheld);
        }),
        ("no record", |scene| {
            scene.resource.records.superseded.clear();
            scene.resource.attempt = None;
        }),
        ("a Secret from the cache", |scene| scene.secrets.is_fresh = false),
        ("a Secret that names it", |scene| scene.secret().credential = Some(name("k1"))),
    ];
    for (what, break_it) in breaks {
        let mut scene = proven();
        break_it(&mut scene);
        assert!(!is_proven(&scene), "{what}");
    }
}
