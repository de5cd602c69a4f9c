//! What only a person can mend is looked at once an interval, and at once when somebody has done something about it.

use std::time::Duration;

use confidence_operator::confidence::settings::Credentials;
use confidence_simulator::Credential;
use confidence_simulator::config::UPDATE;
use serde_json::{Value, json};

use super::{Stage, tell, token};
use crate::account::CLIENT;

const INTERVAL: Duration = Duration::from_mins(10);

/// Time enough for a pass, and far less than an interval.
const AT_ONCE: Duration = Duration::from_secs(2);

fn spec(name: &str) -> Value {
    json!({"displayName": name, "clientSecret": {"secretKeyRef": {"name": "secret-till-0", "key": "secret"}}})
}

/// One resource that is refused, told so, and due at its interval.
async fn refused(reason: &str, prepare: impl FnOnce(&Stage)) -> Stage {
    let mut stage = Stage::new(INTERVAL, Credentials::Token("test-token".into()));
    prepare(&stage);
    stage.put_secret("secret-till-0", "first");
    stage.apply("till-0", spec("Till"));
    stage.until("the refusal is told", AT_ONCE, |stage| stage.says(reason)).await;
    stage
}

/// There is exactly one call each interval, with its jitter.
async fn is_looked_at_at_its_interval(stage: &mut Stage) {
    let first = stage.simulator.call_count();
    stage.pass(INTERVAL * 12).await;
    let times: Vec<u64> = stage.simulator.calls_since(first).iter().map(|call| call.milliseconds).collect();
    assert!((11..=13).contains(&times.len()), "{} calls in 12 intervals", times.len());
    for gap in times.windows(2).map(|pair| Duration::from_millis(pair[1] - pair[0])) {
        assert!((INTERVAL.mul_f64(0.89)..INTERVAL.mul_f64(1.11)).contains(&gap), "{gap:?} between two looks");
    }
}

/// Exactly one call comes at once of what somebody does.
async fn is_looked_at_at_once(stage: &mut Stage, what: &str, act: impl FnOnce(&mut Stage)) {
    // The round may just have been made, or be about to come.
    let before = stage.simulator.call_count();
    act(stage);
    stage.until(what, AT_ONCE, |stage| stage.simulator.call_count() > before).await;
    stage.pass(AT_ONCE).await;
    assert_eq!(stage.simulator.call_count(), before + 1, "{what}");
}

async fn is_looked_at_when_somebody_does_something(stage: &mut Stage) {
    is_looked_at_at_once(stage, "a new spec", |stage| stage.apply("till-0", spec("Shelf"))).await;
    is_looked_at_at_once(stage, "the annotation", |stage| stage.annotate("till-0", "now")).await;
    is_looked_at_at_once(stage, "a new Secret", |stage| stage.put_secret("secret-till-0", "second")).await;
}

#[test]
fn a_credential_that_is_not_there_is_looked_for_once_an_interval_and_when_somebody_does_something() {
    tell(async {
        let mut stage = refused("CredentialNotFound", |_| {}).await;
        is_looked_at_at_its_interval(&mut stage).await;
        is_looked_at_when_somebody_does_something(&mut stage).await;
        stage.simulator.put(CLIENT, "till-0", Credential::named("as it was"));
        stage.until("it is found", INTERVAL.mul_f64(1.2), |stage| stage.says("InSync")).await;
    });
}

#[test]
fn what_the_account_may_not_read_is_asked_for_once_an_interval_and_when_somebody_does_something() {
    tell(async {
        let mut stage = refused("Forbidden", |stage| {
            stage.simulator.put(CLIENT, "till-0", Credential::named("as it was"));
            stage.simulator.add_token("test-token", token(UPDATE));
        })
        .await;
        is_looked_at_at_its_interval(&mut stage).await;
        is_looked_at_when_somebody_does_something(&mut stage).await;
    });
}

#[test]
fn what_the_account_may_not_read_is_asked_for_soon_with_a_new_token() {
    tell(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "narrow").unwrap();
        let mut stage = Stage::new(INTERVAL, Credentials::TokenFile(path.clone()));
        stage.simulator.put(CLIENT, "till-0", Credential::named("as it was"));
        stage.simulator.add_token("narrow", token(UPDATE));
        stage.apply("till-0", json!({"displayName": "Till"}));
        stage.until("the refusal is told", AT_ONCE, |stage| stage.says("Forbidden")).await;
        stage.pass(INTERVAL.mul_f64(0.5)).await;
        std::fs::write(&path, "test-token").unwrap();
        // The files are looked at every fifteen seconds.
        stage.until("the new token is used", Duration::from_secs(16), |stage| stage.says("InSync")).await;
    });
}
