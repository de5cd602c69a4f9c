//! The seeds of the fuzz targets, and random changes of them, through the same checks.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "../fuzz/src/lib.rs"]
mod checks;

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

type Check = fn(&[u8]);

const TARGETS: [(&str, Check); 5] = [
    ("credential", checks::credential),
    ("page", checks::page),
    ("refusal", checks::refusal),
    ("token", checks::token),
    ("name", checks::name),
];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn every_seed_holds() {
    for (target, check) in TARGETS {
        let seeds = seeds(target);
        assert!(seeds.len() >= 5, "{target}: {} seeds", seeds.len());
        for seed in &seeds {
            check(seed);
        }
    }
}

#[test]
fn every_target_of_cargo_fuzz_is_replayed_here() {
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml")).unwrap();
    let targets: Vec<_> = manifest.lines().filter(|line| line.starts_with("path = \"targets/")).collect();
    assert_eq!(targets, TARGETS.map(|(name, _)| format!("path = \"targets/{name}.rs\"")));
}

/// A change of some bytes: put in the place of as many.
type Change = (Index, Vec<u8>, u8);

fn change(text: &mut Vec<u8>, (at, bytes, instead_of): &Change) {
    let at = at.index(text.len() + 1);
    let end = (at + usize::from(*instead_of)).min(text.len());
    text.splice(at..end, bytes.iter().copied());
}

/// Bytes that mean something in JSON, and any.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(
            &["{", "}", "[]", "{}", "null", "\"", ",", ":", "1e999", "-1", "true", "\\u0000", "/"][..]
        )
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn changed_seeds_hold(seed in any::<Index>(), changes in prop::collection::vec((any::<Index>(), piece(), 0_u8..6), 1..6)) {
        for (target, check) in TARGETS {
            let seeds = seeds(target);
            let mut text = seeds[seed.index(seeds.len())].clone();
            for it in &changes {
                change(&mut text, it);
            }
            check(&text);
        }
    }

    #[test]
    fn any_bytes_hold(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (_, check) in TARGETS {
            check(&bytes);
        }
    }
}
