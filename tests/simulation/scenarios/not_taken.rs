//! A field that the server never takes is tried once an interval, and nothing else with it.

use std::time::Duration;

use confidence_operator::confidence::settings::Credentials;
use confidence_simulator::{CallKind, Credential, Fault, FaultKind};
use serde_json::json;

use super::{Stage, tell};
use crate::account::CLIENT;

const INTERVAL: Duration = Duration::from_mins(10);

#[test]
fn a_field_that_is_never_taken_does_not_have_the_secret_written_again() {
    tell(async {
        let mut stage = Stage::new(INTERVAL, Credentials::Token("test-token".into()));
        stage.simulator.put(CLIENT, "till-0", Credential::named("as it was"));
        stage.simulator.fault(Fault::always(FaultKind::NotTaken { fields: vec!["labels".to_owned()] }));
        stage.put_secret("secret-till-0", "first");
        let secret = json!({"secretKeyRef": {"name": "secret-till-0", "key": "secret"}});
        stage.apply("till-0", json!({"displayName": "Till", "labels": {"team": "a"}, "clientSecret": secret}));
        stage.until("it is told", Duration::from_secs(2), |stage| stage.says("UpdateNotApplied")).await;
        stage.pass(INTERVAL * 6).await;
        let calls = stage.simulator.calls();
        let masks: Vec<&[String]> =
            calls.iter().filter(|it| it.kind == CallKind::Update).map(|it| it.mask.as_slice()).collect();
        assert!((6..=8).contains(&masks.len()), "{masks:?}");
        assert!(masks[1..].iter().all(|mask| *mask == ["labels"]), "{masks:?}");
    });
}
