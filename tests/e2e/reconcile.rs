//! The main job: drift is found and mended with one minimal update, and nothing else is done.

use confidence_simulator::{CallKind, Config};
use serde_json::json;

use crate::world::{CLIENT, World, condition, status, version};

#[tokio::test]
async fn a_credential_that_differs_is_updated_with_exactly_the_fields_that_differ() {
    let world = World::new(Config::default()).await;
    world.seed("minimal");
    let _operator = world.operator(&[]);
    world.apply("minimal", json!({"environments": ["production", "staging"], "sdkType": "BACKEND"})).await;
    let object = world.until_reason("minimal", "InSync").await;
    let updates = world.updates();
    assert_eq!(updates.len(), 1, "{updates:#?}");
    assert_eq!(updates[0].mask, ["environments", "sdk_type"]);
    assert_eq!(
        updates[0].body,
        json!({"displayName": "Checkout", "environments": ["production", "staging"], "sdkType": "BACKEND"})
    );
    assert_eq!(world.credential("minimal").environments, ["production", "staging"]);
    let status = status(&object);
    assert_eq!(status.name.unwrap(), format!("clients/{CLIENT}/credentials/minimal"));
    assert_eq!(status.last_update.unwrap().update_mask, "environments,sdk_type");
    assert_eq!(status.update_time.unwrap().0, world.credential("minimal").update_time.unwrap());
    assert_eq!(status.creator.as_deref(), Some("identities/creator"));
    assert_eq!(status.updater.as_deref(), Some("identities/operator"));
    assert_eq!(condition(&object, "Drifted"), Some(("False".into(), "InSync".into())));
}

#[tokio::test]
async fn nothing_changed_is_no_update_and_no_status_write() {
    let world = World::new(Config::default()).await;
    world.seed("quiet");
    let _operator = world.operator(&["--interval", "1s"]);
    world.apply("quiet", json!({})).await;
    let before = world.until_reason("quiet", "InSync").await;
    let looks = world.calls(CallKind::Get).len();
    world.simulator.until(|calls| calls.iter().filter(|call| call.kind == CallKind::Get).count() >= looks + 4).await;
    let after = world.api().get("quiet").await.unwrap();
    assert_eq!(version(&after), version(&before));
    assert!(world.updates().is_empty());
}
