//! A secret that somebody else changed is found by the server's time alone, so that an update of our own must not hide it.

use std::time::Duration;

use confidence_operator::confidence::settings::Credentials;
use confidence_simulator::Credential;
use serde_json::json;

use super::{Stage, tell};
use crate::account::CLIENT;

const INTERVAL: Duration = Duration::from_mins(10);

#[test]
fn a_secret_that_somebody_else_changed_is_found_although_the_spec_changes_before_the_next_look() {
    tell(async {
        let mut stage = Stage::new(INTERVAL, Credentials::Token("test-token".into()));
        stage.simulator.put(CLIENT, "till-0", Credential::named("as it was"));
        stage.put_secret("secret-till-0", "ours");
        let secret = json!({"secretKeyRef": {"name": "secret-till-0", "key": "secret"}});
        stage.apply("till-0", json!({"displayName": "Till", "clientSecret": secret}));
        stage.until("it is in line", Duration::from_secs(2), |stage| stage.says("InSync")).await;
        stage.simulator.edit(CLIENT, "till-0", |it| "theirs".clone_into(&mut it.secret));
        stage.pass(INTERVAL / 4).await;
        stage.apply("till-0", json!({"displayName": "Shelf", "clientSecret": secret}));
        let is_ours = |stage: &Stage| stage.simulator.get(CLIENT, "till-0").unwrap().secret == "ours";
        stage.until("the secret is ours again", INTERVAL * 3, is_ours).await;
    });
}
