//! An hour in which Confidence fails in every way there is, for a thousand resources.

use std::time::Duration;

use confidence_operator::confidence::settings::Credentials;
use confidence_simulator::Credential;
use serde_json::json;

use super::{Stage, tell};
use crate::account::CLIENT;
use crate::record::show;

const RESOURCES: usize = 1_000;

/// Those whose credential somebody else changes meanwhile.
const EDITED: usize = 100;

/// So many calls in an hour, as docs/reliability.md says.
const CALLS: usize = 65;

/// The last window, the probe at its end, and then a list and the updates, slowly at first.
const OVER_WITHIN: Duration = Duration::from_secs(5 * 60 + 10 + 90);

#[test]
fn an_hour_of_outage_costs_a_thousand_resources_a_few_calls_and_two_statuses_each() {
    tell(async {
        let mut stage = Stage::new(Duration::from_mins(10), Credentials::Token("test-token".into()));
        for name in names() {
            stage.simulator.put(CLIENT, &name, Credential::named("as it was"));
            stage.apply(&name, json!({"displayName": "as it is to be"}));
        }
        stage.until("everything is as wanted", Duration::from_mins(5), |stage| stage.says("InSync")).await;
        stage.pass(Duration::from_mins(11)).await;

        let (calls, before) = (stage.judge.calls(), stage.judge.statuses_by_name());
        stage.replicas.place(0).outage.send_replace(true);
        for name in names().take(EDITED) {
            stage.simulator.edit(CLIENT, &name, |it| "as somebody else wants".clone_into(&mut it.display_name));
        }
        stage.pass(Duration::from_hours(1)).await;
        let (cost, told) = (stage.judge.calls() - calls, stage.judge.statuses_by_name());
        assert!(cost <= CALLS, "{cost} calls in an hour of outage");
        assert!(!stage.reasons().contains("InSync"), "{:?}", stage.reasons());

        stage.replicas.place(0).outage.send_replace(false);
        let in_line = |stage: &Stage| {
            let is_as_wanted = |credential: &Credential| credential.display_name == "as it is to be";
            stage.says("InSync") && stage.simulator.all().values().all(is_as_wanted)
        };
        let took = stage.until("everything is as wanted again", OVER_WITHIN, in_line).await;
        stage.pass(Duration::from_mins(11)).await;
        let after = stage.judge.statuses_by_name();
        for name in names() {
            let [before, told, after] = [&before, &told, &after].map(|it| it.get(&name).copied().unwrap_or_default());
            assert!(told - before <= 1 && after - told <= 1, "{name}: {before} statuses, then {told}, then {after}");
        }
        show(format_args!("an hour of outage: {cost} calls, over in {:.0} s", took.as_secs_f64()));
    });
}

fn names() -> impl Iterator<Item = String> {
    (0..RESOURCES).map(|number| format!("till-{number}"))
}
