//! The examples work as they stand.

use confidence_simulator::Config;
use testbed::ControlPlane;

use crate::world::{World, credential, run};

#[tokio::test]
async fn every_example_is_applied_and_brought_in_line() {
    let world = World::new(Config::default()).await;
    let client = crate::world::CLIENT;
    for id in ["7hdlq2mzkq0vbnw3ccfa", "3pxcfkkmi5sppg0lfa8d", "9wq2mzkq0vbnw3ccfa7h"] {
        world.simulator.put(client, id, credential("Before"));
    }
    let _operator = world.operator(&[]);
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    run(ControlPlane::shared(), &["apply", "-n", &world.namespace, "-f", examples]);
    world.until_reason("checkout-web", "InSync").await;
    world.until_reason("checkout-backend", "InSync").await;
    world.until_reason("checkout-mobile", "DriftReported").await;
    assert_eq!(std::fs::read_dir(examples).unwrap().count(), 3, "a new example belongs in here");
    assert_eq!(world.credential("3pxcfkkmi5sppg0lfa8d").secret, "replace-me");
}

#[test]
fn every_reason_has_its_line_in_the_troubleshooting_guide() {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/troubleshooting.md")).unwrap();
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/condition.rs")).unwrap();
    let reasons = source.split_once("pub enum Reason {").unwrap().1.split_once("\n}").unwrap().0;
    let names = reasons.lines().map(str::trim).filter(|line| !line.starts_with("///") && !line.is_empty());
    for name in names.map(|line| line.trim_end_matches(',')) {
        assert!(guide.contains(&format!("`{name}`")), "{name} is not in docs/troubleshooting.md");
    }
}
