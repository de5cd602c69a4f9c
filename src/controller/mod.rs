//! The controller: the only place that knows both Kubernetes and Confidence.
//!
//! A pass over one resource reads top to bottom in `pass`: resolve the spec, observe the credential, apply the plan; its
//! `Outcome` is all that a status is made from. One file a stage; what is remembered between passes is
//! in `memory`, when the next one comes in `schedule`, and what the watches feed in `index`.

mod apply;
mod context;
mod events;
mod index;
mod memory;
mod observe;
mod outcome;
mod publish;
mod report;
mod resolve;
mod run;
mod schedule;
mod watch;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use tracing::Instrument;

use self::memory::{Turn, Unreported};
use self::outcome::{Applied, Help, Outcome, Problem};
use self::schedule::Next;
use crate::api::ConfidenceClientCredential;
use crate::api::condition::Reason;
use crate::confidence::Urgency;

pub use self::context::{Context, Settings};
pub use self::observe::ObserveMode;
pub use self::run::{Stopped, run};

/// One turn of the queue: goes on if the resource is due, and says when it is due next.
async fn reconcile(object: Arc<ConfidenceClientCredential>, context: Arc<Context>) -> Result<Action, Infallible> {
    if object.metadata.deletion_timestamp.is_some() || context.is_stopping() {
        return Ok(Action::await_change());
    }
    let (asked, unreported) = match context.memory.begin(&object) {
        Turn::Wait(wait) => return Ok(Action::requeue(wait)),
        Turn::Go { asked, unreported } => (asked, unreported),
    };
    let _working = context.progress.begin();
    let next = match unreported {
        // What was done before is told before anything else is; only if nobody asks for more is that all.
        Some(unreported) => {
            let next = report(&object, unreported.outcome, &context).await;
            if asked { turn(&object, Urgency::Write, &context).await } else { next }
        }
        None => turn(&object, if asked { Urgency::Write } else { Urgency::Check }, &context).await,
    };
    let wait = context.memory.end(&ObjectRef::from_obj(object.as_ref()), next);
    Ok(wait.map_or_else(Action::await_change, Action::requeue))
}

/// A pass and its report.
async fn turn(object: &Arc<ConfidenceClientCredential>, urgency: Urgency, context: &Context) -> Next {
    let id = format!("{:08x}", fastrand::u32(..));
    let work = async {
        let outcome = context.metrics.measured(pass(object, urgency, context)).await;
        count(&outcome, context);
        report(object, outcome, context).await
    };
    // Every line of a pass carries its id, so that the passes over one resource can be told apart.
    work.instrument(tracing::info_span!("pass", id)).await
}

/// One pass over one resource.
async fn pass(object: &ConfidenceClientCredential, urgency: Urgency, context: &Context) -> Outcome {
    if object.spec.suspend {
        return Outcome::Suspended;
    }
    match bring_in_line(object, urgency, context).await {
        Ok(applied) => Outcome::Applied(Box::new(applied)),
        Err(problem) => Outcome::Failed(problem),
    }
}

async fn bring_in_line(
    object: &ConfidenceClientCredential,
    urgency: Urgency,
    context: &Context,
) -> Result<Applied, Problem> {
    let key = ObjectRef::from_obj(object);
    own(object, &key, context)?;
    let resolved = resolve::resolve(object, context).await?;
    let observed = observe::observe(&resolved, urgency, context).await?;
    let (status, _) = context.memory.current(object);
    let known = apply::KnownSecret { written: status.client_secret.as_ref(), digest: context.memory.secret(&key) };
    let applied = apply::apply(&resolved, observed, known, context).await?;
    apply::remember_secret(&resolved, &applied, &key, context);
    Ok(applied)
}

/// Two resources that name one credential would write in turn for ever: the older one owns it.
fn own(
    object: &ConfidenceClientCredential,
    key: &ObjectRef<ConfidenceClientCredential>,
    context: &Context,
) -> Result<(), Problem> {
    let name = resolve::credential_name(&object.spec)?;
    let Some(owner) = context.index.other_owner(&name, key) else { return Ok(()) };
    let owner = format!("{}/{}", owner.namespace.as_deref().unwrap_or_default(), owner.name);
    Err(Problem::stalled(
        Reason::Conflict,
        format!(
            "{owner} names the same credential and is older, so it owns it; delete one of the two, or name another \
             credential in this one"
        ),
    ))
}

/// Writes the status and tells the events; says when to come back.
async fn report(object: &Arc<ConfidenceClientCredential>, outcome: Outcome, context: &Context) -> Next {
    if matches!(&outcome, Outcome::Failed(problem) if problem.help == Help::Nobody) {
        return Next::Backoff;
    }
    match publish::publish(object, &outcome, context).await {
        Ok(published) => {
            // Told only by the replica that works: another may by now.
            if let Some(published) = published.filter(|_| context.guard.may_write()) {
                let drafts = events::drafts(&published.before, &published.after, &outcome);
                context.events.tell(object, drafts).await;
            }
            next(object, &outcome, context)
        }
        Err(error) => {
            tracing::warn!(resource = %object.name_any(), namespace = object.namespace(), %error, "status not written");
            context.memory.keep(&ObjectRef::from_obj(object.as_ref()), Unreported { outcome });
            Next::Backoff
        }
    }
}

fn count(outcome: &Outcome, context: &Context) {
    if let Outcome::Applied(applied) = outcome {
        context.metrics.drift(&applied.drifted, &applied.differs, applied.written.is_some());
    }
}

fn next(object: &ConfidenceClientCredential, outcome: &Outcome, context: &Context) -> Next {
    let interval = object.spec.own_interval().and_then(Result::ok).unwrap_or(context.settings.interval);
    match outcome {
        Outcome::Suspended => Next::Never,
        Outcome::Applied(_) => Next::Look(interval),
        Outcome::Failed(problem) => match problem.help {
            Help::Person => Next::Look(interval),
            Help::Account => Next::AccountOpens(context.account_wait()),
            Help::Time | Help::Nobody => Next::Backoff,
        },
    }
}

/// Locks what no holder leaves half-changed: a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
