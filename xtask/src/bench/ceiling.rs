//! What bounds the figures: how fast this control plane takes status writes, and how fast the simulator answers.

use confidence_operator::api::ConfidenceClientCredential;
use futures::{StreamExt, TryStreamExt, stream};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::operator::cpu_of_children;
use super::stage::{Stage, credential, spec};

/// Objects that statuses are written to.
const OBJECTS: usize = 1_000;

/// Writes at the same time, as in the operator.
const AT_ONCE: usize = 16;

/// Calls that the simulator is asked to answer.
const CALLS: usize = 2_000;

/// Status writes a second that the control plane takes, and milliseconds of its CPU for one.
pub(super) async fn status_writes(stage: &Stage) -> Result<(f64, f64), String> {
    let api: Api<ConfidenceClientCredential> = Api::namespaced(stage.client.clone(), "default");
    let api = &api;
    each(|number| async move {
        // As large as those that are measured: a write costs the API server in proportion.
        let object = ConfidenceClientCredential::new(&name(number), spec(number, "BACKEND"));
        api.create(&PostParams::default(), &object).await.map(drop)
    })
    .await?;
    let cpu = || cpu_of_children(stage.plane.starter_id());
    let (began, cpu_before) = (Instant::now(), cpu()?);
    each(|number| async move {
        api.patch_status(&name(number), &PatchParams::default(), &Patch::Merge(status(number))).await.map(drop)
    })
    .await?;
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu()? - cpu_before);
    each(|number| async move { api.delete(&name(number), &DeleteParams::default()).await.map(drop) }).await?;
    Ok((per_second(OBJECTS, seconds), cpu * 1000.0 / per_second(OBJECTS, 1.0)))
}

async fn each<F, W>(work: F) -> Result<(), String>
where
    F: Fn(usize) -> W,
    W: Future<Output = kube::Result<()>>,
{
    let all = stream::iter((0..OBJECTS).map(work)).buffer_unordered(AT_ONCE).try_collect::<()>();
    all.await.map_err(|error| error.to_string())
}

fn name(number: usize) -> String {
    format!("ceiling-{number}")
}

/// As large as those that the operator writes.
fn status(number: usize) -> Value {
    let time = "2026-01-01T00:00:00Z";
    let message = "every managed field is as the spec says";
    let condition = |kind: &str, status: &str| {
        json!({"type": kind, "status": status, "reason": "InSync", "message": message, "observedGeneration": 1,
            "lastTransitionTime": time})
    };
    json!({"status": {
        "observedGeneration": 1, "name": format!("clients/ceiling/credentials/{number}"), "client": "clients/ceiling",
        "createTime": time, "updateTime": time, "creator": "identities/1bhq4c2zqigdzqg6ufni",
        "updater": "identities/1bhq4c2zqigdzqg6ufni",
        "conditions": [condition("Ready", "True"), condition("Drifted", "False")],
        "lastUpdate": {"updateMask": "display_name,environments,labels,sdk_type", "time": time},
    }})
}

/// Calls a second that the simulator answers to a client that does nothing else.
pub(super) async fn simulator(stage: &Stage) -> Result<f64, String> {
    let http = reqwest::Client::new();
    let (client, id) = credential(0);
    let url = format!("{}/v1/clients/{client}/credentials/{id}", stage.setting.confidence_url);
    let began = Instant::now();
    let calls = stream::iter(0..CALLS).map(|_| http.get(&url).bearer_auth("test-token").send());
    calls.buffer_unordered(64).try_for_each(async |_| Ok(())).await.map_err(|error| error.to_string())?;
    Ok(per_second(CALLS, began.elapsed().as_secs_f64()))
}

#[allow(clippy::cast_precision_loss)] // thousands
fn per_second(count: usize, seconds: f64) -> f64 {
    count as f64 / seconds
}
