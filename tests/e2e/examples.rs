//! The examples work as they stand.

use confidence_simulator::Config;
use testbed::ControlPlane;

use crate::world::{CLIENT, World, credential, run};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

/// Every example is applied as it stands, and those of existing credentials are brought in line.
#[tokio::test]
async fn example_is_applied_and_converges() {
    let world = World::new(Config::default()).await;
    for id in ["7hdlq2mzkq0vbnw3ccfa", "3pxcfkkmi5sppg0lfa8d", "9wq2mzkq0vbnw3ccfa7h"] {
        world.simulator.put(CLIENT, id, credential("Before"));
    }
    let _operator = world.operator(&[]);
    let applied = run(ControlPlane::shared(), &["apply", "-n", &world.namespace, "-f", EXAMPLES]);
    let created = applied.lines().filter(|line| line.ends_with(" created")).count();
    assert_eq!(created, documents(), "{applied}");
    world.until_reason("checkout-web", "InSync").await;
    world.until_reason("cart-backend", "InSync").await;
    world.until_reason("checkout-mobile", "DriftReported").await;
    assert_eq!(world.credential("3pxcfkkmi5sppg0lfa8d").secret, "replace-me");
}

/// How many objects there are in the examples; what is in folders is for another purpose.
fn documents() -> usize {
    let files = std::fs::read_dir(EXAMPLES).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files
        .map(|path| std::fs::read_to_string(path).unwrap())
        .map(|text| text.lines().filter(|line| line.starts_with("kind: ")).count())
        .sum()
}

/// A reason in a status leads a person to its section of the guide.
#[test]
fn every_reason_is_in_the_guide() {
    let guide = include_str!("../../docs/troubleshooting.md");
    let source = include_str!("../../src/api/v1alpha1/conditions.rs");
    let reasons = source.split_once("pub enum Reason {").unwrap().1.split_once("\n}").unwrap().0;
    let names = reasons.lines().map(str::trim).filter(|line| !line.starts_with("///") && !line.is_empty());
    let missing: Vec<_> =
        names.map(|line| line.trim_end_matches(',')).filter(|name| !guide.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "not in docs/troubleshooting.md: {missing:?}");
}
