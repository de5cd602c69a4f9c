//! The steps of the demo about a credential that the operator creates.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use confidence_operator::api::ConfidenceClientCredential;
use confidence_simulator::{CallKind, Simulator};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tokio::task::JoinHandle;

use super::stage::{CLIENT, NAMESPACE, Stage, check, heading};

/// The resource, its Secret, and the key in it.
const NAME: &str = "cart-backend";
const KEY: &str = "CONFIDENCE_CLIENT_SECRET";

const TWO_DAYS: Duration = Duration::from_hours(48);

/// An application that reads its secret from the Secret and resolves flags with it, like a pod with a mounted volume.
pub(super) struct Application {
    resolved: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Application {
    fn start(secrets: Api<Secret>, simulator: Simulator) -> Self {
        let (resolved, failed) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let counts = (Arc::clone(&resolved), Arc::clone(&failed));
        let task = tokio::spawn(async move {
            let mut value = None;
            loop {
                // A failed read leaves the last value, as a volume does.
                value = secrets.get(NAME).await.ok().and_then(|secret| value_of(&secret)).or(value);
                let is_resolved = value.as_ref().is_some_and(|value| simulator.resolve(value).is_ok());
                (if is_resolved { &counts.0 } else { &counts.1 }).fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        Self { resolved, failed, task }
    }

    /// Ends it. Returns how often it resolved, and how often it could not.
    fn stop(self) -> (usize, usize) {
        self.task.abort();
        (self.resolved.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}

fn value_of(secret: &Secret) -> Option<String> {
    String::from_utf8(secret.data.as_ref()?.get(KEY)?.0.clone()).ok()
}

fn live(stage: &Stage) -> usize {
    stage.simulator.all().keys().filter(|(client, _)| client == CLIENT).count()
}

/// One manifest: a credential at Confidence, and its secret in a Secret.
pub(super) async fn create(stage: &Stage) -> Result<Application, String> {
    heading("1. A team asks for a credential: the operator creates it and publishes its secret");
    let manifest = format!(
        "apiVersion: iam.confidence.dev/v1alpha1
kind: ConfidenceClientCredential
metadata: {{name: {NAME}, namespace: {NAMESPACE}}}
spec:
  client: clients/{CLIENT}
  displayName: Cart backend
  publishedSecret:
    name: {NAME}
    keys: {{clientSecret: {KEY}}}
  rotation:
    every: 720h
"
    );
    stage.kubectl(&["apply", "-f", "-"], &manifest)?;
    stage.kubectl(&["wait", "--for=condition=Ready", &format!("ccc/{NAME}"), "-n", NAMESPACE], "")?;
    let posts = stage.simulator.calls().into_iter().filter(|call| call.kind == CallKind::Create).count();
    check(posts == 1 && live(stage) == 1, "Confidence received one POST and has one credential")?;
    let application = Application::start(stage.secrets(), stage.simulator.clone());
    let is_resolving = || application.resolved.load(Ordering::Relaxed) > 0;
    stage.until(NAME, "used by the application", |_| is_resolving()).await?;
    check(is_resolving(), "an application reads the Secret and resolves flags with it")?;
    Ok(application)
}

/// Old and new overlap; the application notices nothing.
pub(super) async fn rotate(stage: &Stage, application: Application) -> Result<(), String> {
    heading("2. The credential is rotated while the application goes on");
    annotate(stage, "iam.confidence.dev/rotate-requested-at=today")?;
    let is_rotated = |object: &ConfidenceClientCredential| {
        let rotation = object.status.as_ref().and_then(|status| status.rotation.as_ref());
        rotation.is_some_and(|it| it.last_handled_rotate_at.as_deref() == Some("today"))
    };
    let object = stage.until(NAME, "rotated", is_rotated).await?;
    let conditions = object.status.map(|status| status.conditions).unwrap_or_default();
    for it in conditions {
        println!("  {}={} {}: {}", it.type_, it.status, it.reason, it.message);
    }
    check(live(stage) == 2, "both credentials work: the old one stays until nobody uses it")?;
    println!("(two days pass at Confidence, in which the application uses the new secret)");
    let days = i64::try_from(TWO_DAYS.as_millis()).unwrap_or_default();
    stage.simulator.reconfigure(|config| config.clock_skew_milliseconds += days);
    let seen = application.resolved.load(Ordering::Relaxed);
    stage.until(NAME, "used", |_| application.resolved.load(Ordering::Relaxed) > seen + 1).await?;
    annotate(stage, "iam.confidence.dev/reconcile-requested-at=two-days-later")?;
    stage.until(NAME, "left with one credential", |_| live(stage) == 1).await?;
    check(live(stage) == 1, "the old one is silent, so the operator has deleted it")?;
    let (resolved, failed) = application.stop();
    check(failed == 0, &format!("the application resolved {resolved} times without one failure"))
}

/// Nothing is left.
pub(super) async fn delete(stage: &Stage) -> Result<(), String> {
    heading("3. The resource is deleted: nothing is left");
    stage.kubectl(&["delete", &format!("ccc/{NAME}"), "-n", NAMESPACE], "")?;
    let secret = stage.secrets().get_opt(NAME).await.map_err(|error| error.to_string())?;
    stage.simulator.reconfigure(|config| config.clock_skew_milliseconds = 0);
    check(live(stage) == 0 && secret.is_none(), "no credential at Confidence, no Secret in the cluster")
}

fn annotate(stage: &Stage, annotation: &str) -> Result<(), String> {
    stage.kubectl(&["annotate", &format!("ccc/{NAME}"), "-n", NAMESPACE, annotation], "").map(drop)
}
