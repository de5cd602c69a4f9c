//! Runs the controller: watches in, queue, passes, and the way out.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::controller::{Config, Controller};
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::Event;
use tokio::sync::watch;

use super::context::Ends;
use super::key::Key;
use super::report::is_settled;
use super::{Context, publish, reconcile, rounds, secrets, watch as watches};
use crate::api::ConfidenceClientCredential;
use crate::confidence::AccountState;
use crate::engine::health::Readiness;
use crate::metrics::Operation;

/// Passes at the same time. Each spends its time waiting for its turn at the account's gate or for an answer, so many cost
/// little; but each has a connection, or a stream of one, and its buffers.
const CONCURRENCY: u16 = 64;

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
        biased;
        () = wait_for_crd(&context, &readiness) => {}
        () = stopped.clone() => return Stopped { cleanly: true },
    }
    let (reader, writer) = store;
    let Some(Ends { queue: woken, writer: mut to_write }) = context.take_ends() else {
        return Stopped { cleanly: false };
    };
    context.set_objects(reader.clone());
    let resources = indexed(Arc::clone(&context), &reader, readiness);
    let queue = Controller::for_stream(news(resources.reflect(writer).applied_objects(), Arc::clone(&context)), reader)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(woken.map(|key| key.object_ref()))
        .graceful_shutdown_on(stopped.clone())
        .run(reconcile, |_, error, _| match *error {}, Arc::clone(&context))
        .for_each(|result| async move {
            if let Err(error) = result {
                tracing::debug!(%error, "queue");
            }
        });
    let side_work = async {
        tokio::join!(
            secrets::watch(&context),
            watch_account(&context),
            watch_credentials(&context),
            sum_up_events(&context),
            publish::run(&context, &mut to_write),
            rounds::run(&context)
        );
    };
    // What the last passes found out is still written.
    let queue = async {
        queue.await;
        context.drafts.all_written().await;
    };
    let deadline = async {
        stopped.await;
        context.stop();
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        biased;
        () = queue => Stopped { cleanly: true },
        () = deadline => Stopped { cleanly: false },
        () = side_work => Stopped { cleanly: false },
    }
}

/// The objects of which the queue has to hear: a status or a label is no reason for a pass. What the first list names is
/// queued when it is complete (`rounds`), and what comes during a pass is seen at the pass's end: what kube's queue has
/// to hold back leaves it in no order.
fn news(
    objects: impl Stream<Item = kube::runtime::watcher::Result<ConfidenceClientCredential>> + Send + 'static,
    context: Arc<Context>,
) -> impl Stream<Item = kube::runtime::watcher::Result<ConfidenceClientCredential>> + Send + 'static {
    let is_for_the_queue = move |object: &ConfidenceClientCredential| {
        let key = Key::of(object);
        context.is_listed() && !context.memory.is_in_hand(&key) && context.memory.is_news(&key, object)
    };
    objects.filter(move |object| std::future::ready(object.as_ref().map_or(true, &is_for_the_queue)))
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
        readiness.require("the resources", why);
        tokio::time::sleep(CRD_PAUSE).await;
    }
}

/// The resources, with the index kept before the queue sees them.
fn indexed(
    context: Arc<Context>,
    reader: &Store<ConfidenceClientCredential>,
    readiness: Readiness,
) -> impl Stream<Item = kube::runtime::watcher::Result<Event<ConfidenceClientCredential>>> + Send + use<> {
    let stream = watches::resources(&context.client, &context.settings.namespaces, reader);
    stream.inspect(move |event| match event {
        Ok(Event::InitApply(object)) => {
            let key = Key::of(object);
            if is_settled(object) {
                context.memory.adopt(&key, object);
            } else {
                context.memory.expect(&key);
            }
            take_up(&key, object, &context);
        }
        Ok(Event::Apply(object)) => take_up(&Key::of(object), object, &context),
        Ok(Event::Delete(object)) => {
            let key = Key::of(object);
            context.memory.forget(&key);
            context.drafts.forget(&key);
            context.wake_all(context.index.delete(&key));
        }
        // The first list, or the first list again: nothing was done yet because of what it named before.
        Ok(Event::Init) => {
            context.index.clear();
            context.memory.clear();
        }
        Ok(Event::InitDone) => {
            readiness.requirement("the resources").set_met();
            context.show(|it| it.resources = true);
        }
        Err(error) => {
            context.metrics.kubernetes_error(Operation::WatchResources);
            tracing::warn!(%error, "watching the resources failed; trying again");
        }
    })
}

fn take_up(key: &Key, object: &ConfidenceClientCredential, context: &Context) {
    context.drafts.seen(key, object);
    context.wake_all(context.index.apply(key, object));
}

/// When the account's gate opens, those that wait for it go on; that it opened or closed is told once, about the pod.
async fn watch_account(context: &Context) {
    let mut account = context.confidence.account();
    let mut told = None;
    while account.changed().await.is_ok() {
        let state = *account.borrow_and_update();
        context.note_account(state);
        let held = match state {
            AccountState::Available => None,
            AccountState::Blocked { cause, .. } => Some(cause),
        };
        if held.is_none() {
            context.memory.wake_held().into_iter().for_each(|key| context.enqueue(key));
        }
        // A probe that failed only makes the window longer: that is no news.
        if held != told
            && context.guard.may_write()
            && let Some((namespace, name)) = &context.settings.pod
        {
            context.events.tell_account(namespace, name, held).await;
        }
        told = held;
    }
    std::future::pending::<()>().await;
}

/// What Confidence refused to the account's old credentials may be granted to new ones.
async fn watch_credentials(context: &Context) {
    let mut credentials = context.confidence.credentials();
    while credentials.changed().await.is_ok() {
        context.reading.forget_refusal();
        context.looks.forget_refusals();
        context.memory.wake_stalled().into_iter().for_each(|key| context.enqueue(key));
    }
    std::future::pending::<()>().await;
}

async fn sum_up_events(context: &Context) {
    loop {
        tokio::time::sleep(EVENT_SUMS).await;
        if context.guard.may_write() {
            context.events.tell_sums().await;
        }
    }
}
