//! Runs the controller: watches in, queue, passes, and the way out.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use futures::{Stream, StreamExt};
use kube::runtime::controller::{Config, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::runtime::{Predicate, WatchStreamExt, predicates};
use kube::{Api, ResourceExt};
use tokio::sync::watch;

use super::{Context, reconcile, watch as watches};
use crate::api::{ConfidenceClientCredential, RECONCILE_REQUESTED_AT};
use crate::confidence::AccountState;
use crate::health::Readiness;

type Key = ObjectRef<ConfidenceClientCredential>;

/// Passes at the same time. Each spends its time waiting for its turn at the account's gate or for an answer, so many cost
/// little; the bound is for memory.
const CONCURRENCY: u16 = 256;

/// How long work in hand may take to finish at the end.
const GRACE: Duration = Duration::from_secs(9);

/// How often what was held back of the events is told as sums.
const EVENT_SUMS: Duration = Duration::from_mins(1);

/// How often it is asked whether the CRD has come.
const CRD_PAUSE: Duration = Duration::from_secs(2);

/// Proof that the controller has ended.
#[derive(Debug)]
pub struct Stopped {
    /// Whether all work in hand was finished.
    pub cleanly: bool,
}

/// Runs until told to stop, or until the watches end for good, which they do not.
pub async fn run(
    context: Arc<Context>,
    store: (Store<ConfidenceClientCredential>, reflector::store::Writer<ConfidenceClientCredential>),
    readiness: Readiness,
    stop: watch::Receiver<bool>,
) -> Stopped {
    let stopped = {
        let mut stop = stop.clone();
        async move { drop(stop.wait_for(|it| *it).await) }
    };
    let stopped = futures::FutureExt::shared(futures::FutureExt::boxed(stopped));
    tokio::select! {
        () = wait_for_crd(&context, &readiness) => {}
        () = stopped.clone() => return Stopped { cleanly: true },
    }
    let (reader, writer) = store;
    let (wake, woken) = mpsc::unbounded();
    let resources = indexed(Arc::clone(&context), &reader, wake.clone(), readiness);
    let stream = resources.reflect(writer).applied_objects();
    let queue = Controller::for_stream(
        stream
            .predicate_filter(predicates::generation.combine(requested_at), kube::runtime::PredicateConfig::default()),
        reader,
    )
    .with_config(Config::default().concurrency(CONCURRENCY))
    .reconcile_on(woken as UnboundedReceiver<Key>)
    .graceful_shutdown_on(stopped.clone())
    .run(reconcile, |_, error, _| match *error {}, Arc::clone(&context))
    .for_each(|result| async move {
        if let Err(error) = result {
            tracing::debug!(%error, "queue");
        }
    });
    let side_work = async {
        tokio::join!(watch_secrets(&context, &wake), watch_account(&context, &wake), sum_up_events(&context));
    };
    let deadline = async {
        stopped.await;
        context.stop();
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = queue => Stopped { cleanly: true },
        () = deadline => Stopped { cleanly: false },
        () = side_work => Stopped { cleanly: false },
    }
}

#[allow(clippy::unnecessary_wraps)] // the signature of a predicate
fn requested_at(object: &ConfidenceClientCredential) -> Option<u64> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    object.annotations().get(RECONCILE_REQUESTED_AT).hash(&mut hasher);
    Some(hasher.finish())
}

/// Without the CRD there is nothing to watch; somebody may be about to install it.
async fn wait_for_crd(context: &Context, readiness: &Readiness) {
    let api: Api<ConfidenceClientCredential> = match context.settings.namespaces.first() {
        Some(namespace) => Api::namespaced(context.client.clone(), namespace),
        None => Api::all(context.client.clone()),
    };
    let mut told = None;
    loop {
        let why = match api.list_metadata(&kube::api::ListParams::default().limit(1)).await {
            Ok(_) => return,
            Err(kube::Error::Api(status)) if status.code == 404 => {
                "the CRD confidenceclientcredentials.iam.confidence.dev is not installed: apply crds/ or install the chart".to_owned()
            }
            Err(error) => format!("the resources cannot be listed: {error}"),
        };
        if told.as_ref() != Some(&why) {
            tracing::warn!("waiting: {why}");
            told = Some(why.clone());
        }
        readiness.set_waiting(why);
        tokio::time::sleep(CRD_PAUSE).await;
    }
}

/// The resources, with the index kept before the queue sees them, and without what nobody reads.
fn indexed(
    context: Arc<Context>,
    reader: &Store<ConfidenceClientCredential>,
    wake: UnboundedSender<Key>,
    readiness: Readiness,
) -> impl Stream<Item = kube::runtime::watcher::Result<Event<ConfidenceClientCredential>>> + Send + use<> {
    let stream = watches::resources(&context.client, &context.settings.namespaces, reader);
    stream
        .modify(|object| {
            object.metadata.managed_fields = None;
            object.annotations_mut().remove("kubectl.kubernetes.io/last-applied-configuration");
        })
        .default_backoff()
        .inspect(move |event| {
            let heirs = match event {
                Ok(Event::Apply(object) | Event::InitApply(object)) => context.index.apply(object),
                Ok(Event::Delete(object)) => {
                    let key = Key::from_obj(object);
                    context.memory.forget(&key);
                    context.index.delete(&key)
                }
                Ok(Event::Init) => Vec::new(),
                Ok(Event::InitDone) => {
                    readiness.set_ready();
                    Vec::new()
                }
                Err(error) => {
                    tracing::warn!(%error, "watching the resources failed; trying again");
                    Vec::new()
                }
            };
            wake_all(&context, &wake, heirs);
        })
}

async fn watch_secrets(context: &Context, wake: &UnboundedSender<Key>) {
    let mut secrets = Box::pin(watches::secrets(&context.client, &context.settings.namespaces).default_backoff());
    while let Some(event) = secrets.next().await {
        let users = match event {
            Ok(Event::Apply(secret) | Event::InitApply(secret)) => context.index.secret_changed(
                &secret.namespace().unwrap_or_default(),
                &secret.name_any(),
                secret.metadata.resource_version.as_deref(),
            ),
            Ok(Event::Delete(secret)) => {
                context.index.secret_changed(&secret.namespace().unwrap_or_default(), &secret.name_any(), None)
            }
            Ok(Event::Init | Event::InitDone) => Vec::new(),
            Err(error) => {
                tracing::warn!(%error, "watching Secrets failed; a changed Secret is noticed at the interval until it works");
                Vec::new()
            }
        };
        wake_all(context, wake, users);
    }
}

/// When the account's gate opens, those that wait for it go on; that it opened or closed is told once, about the pod.
async fn watch_account(context: &Context, wake: &UnboundedSender<Key>) {
    let mut account = context.confidence.account();
    let mut told = None;
    while account.changed().await.is_ok() {
        let state = *account.borrow_and_update();
        let held = match state {
            AccountState::Open => None,
            AccountState::Held { cause, .. } => Some(cause),
        };
        if held.is_none() {
            for key in context.memory.wake_held() {
                let _ = wake.unbounded_send(key);
            }
        }
        // A probe that failed only makes the window longer: that is no news.
        if held != told
            && let Some((namespace, name)) = &context.settings.pod
        {
            context.events.tell_account(namespace, name, held).await;
        }
        told = held;
    }
    std::future::pending::<()>().await;
}

async fn sum_up_events(context: &Context) {
    loop {
        tokio::time::sleep(EVENT_SUMS).await;
        context.events.tell_sums().await;
    }
}

fn wake_all(context: &Context, wake: &UnboundedSender<Key>, keys: Vec<Key>) {
    for key in keys {
        context.memory.wake(&key);
        // The queue ends only with the program.
        let _ = wake.unbounded_send(key);
    }
}
