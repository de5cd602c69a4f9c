//! The controller: the only place that knows both Kubernetes and Confidence.
//!
//! A pass over one resource reads top to bottom in `pass`: resolve the spec, observe the credential, apply the plan; its
//! `Outcome` is all that a status is made from. One file a stage. What is remembered between passes is in `memory`, the
//! statuses that are still to be written in `drafts`, what the watches feed in `index`. Nothing here polls one resource:
//! `rounds` looks at all of them, and hands to the queue what is not in order.

mod apply;
mod context;
mod drafts;
mod events;
mod index;
mod key;
mod looks;
mod memory;
mod observe;
mod outcome;
mod publish;
mod report;
mod resolve;
mod rounds;
mod run;
mod schedule;
mod secrets;
mod watch;

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::runtime::controller::Action;
use tracing::Instrument;
use tracing::field::Empty;

use self::drafts::Wanted;
use self::key::Key;
use self::memory::Turn;
use self::observe::Demand;
use self::outcome::{Applied, Help, Outcome, Problem};
use self::schedule::Next;
use crate::api::ConfidenceClientCredential;
use crate::api::conditions::Reason;
use crate::metrics::HasOutcome;

pub use self::context::{Context, Settings};
pub use self::observe::ObserveMode;
pub use self::run::{Stopped, run};

/// For so many intervals a look is good enough to plan from.
const LOOKS_LAST: u32 = 2;

/// Tells the passes in the log apart.
#[derive(Clone, Copy, Debug)]
struct PassId(u32);

impl fmt::Display for PassId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// One turn of the queue: goes on if the resource is due, and says when it is due next.
async fn reconcile(object: Arc<ConfidenceClientCredential>, context: Arc<Context>) -> Result<Action, Infallible> {
    if object.metadata.deletion_timestamp.is_some() || context.is_stopping() {
        return Ok(Action::await_change());
    }
    let key = Key::of(&object);
    let wait = match context.memory.begin(&key, &object) {
        Turn::Rest(wait) => wait,
        Turn::Go { priority, confirm } => {
            let _working = context.progress.begin();
            let demand = Demand { priority, confirm, max_age: LOOKS_LAST * context.interval(&object) };
            let next = turn(&object, &key, demand, &context).await;
            let wait = context.memory.end(&key, next);
            // What came meanwhile was left to this.
            if wait == Some(Duration::ZERO) || context.has_news(&key) {
                context.enqueue(key);
                return Ok(Action::await_change());
            }
            wait
        }
    };
    Ok(wait.map_or_else(Action::await_change, Action::requeue))
}

/// A pass, and what it leads to.
async fn turn(object: &Arc<ConfidenceClientCredential>, key: &Key, demand: Demand, context: &Context) -> Next {
    let id = PassId(fastrand::u32(..));
    let work = async {
        let outcome = context.metrics.measured(pass(object, key, demand, context)).await;
        count(&outcome, context);
        tracing::Span::current().record("outcome", outcome.label());
        report(object, key, id, &outcome, context);
        next(&outcome, context)
    };
    // Every line of a pass carries its id, so that the passes over one resource can be told apart.
    let span = tracing::info_span!("pass", %id, namespace = &*key.namespace, resource = &*key.name, outcome = Empty);
    work.instrument(span).await
}

/// One pass over one resource.
async fn pass(object: &Arc<ConfidenceClientCredential>, key: &Key, demand: Demand, context: &Context) -> Outcome {
    if object.spec.suspend {
        return Outcome::Suspended;
    }
    match bring_in_line(object, key, demand, context).await {
        Ok(applied) => Outcome::Applied(Box::new(applied)),
        Err(problem) => Outcome::Failed(problem),
    }
}

async fn bring_in_line(
    object: &Arc<ConfidenceClientCredential>,
    key: &Key,
    demand: Demand,
    context: &Context,
) -> Result<Applied, Problem> {
    own(object, key, context)?;
    let resolved = resolve::resolve(object, context).await?;
    let mut observed = observe::observe(&resolved, key, demand, context).await?;
    let status = context.drafts.current(key, &context.newest(key, object));
    let known = apply::KnownSecret { written: status.observed_secret.as_ref(), value: context.memory.secret(key) };
    if apply::would_hide_others(&resolved, &observed, known, context) {
        observed = observe::observe(&resolved, key, Demand { confirm: true, ..demand }, context).await?;
    }
    let applied = apply::apply(&resolved, key, observed, known, context).await?;
    apply::remember_secret(&resolved, &applied, key, context);
    Ok(applied)
}

/// Two resources that name one credential would write in turn for ever: the older one owns it.
fn own(object: &ConfidenceClientCredential, key: &Key, context: &Context) -> Result<(), Problem> {
    let name = resolve::credential_name(&object.spec)?;
    let Some(owner) = context.index.other_owner(&name, key) else { return Ok(()) };
    Err(Problem::stalled(
        Reason::Conflict,
        format!(
            "{owner} names the same credential and is older, so it owns it; delete one of the two, or name another \
             credential in this one"
        ),
    ))
}

/// Sets down what the status is to say, if that is something else than what it says.
fn report(object: &Arc<ConfidenceClientCredential>, key: &Key, pass: PassId, outcome: &Outcome, context: &Context) {
    if let Outcome::Failed(problem) = outcome
        && !problem.has_written()
        && (problem.help == Help::Nobody || context.is_too_soon_to_tell(key, problem))
    {
        return;
    }
    let newest = context.newest(key, object);
    let before = context.drafts.current(key, &newest);
    let facts = report::Facts::of(object, context.settings.last_seen_resolution);
    let after = report::next_status(&before, &facts, outcome);
    if after != before {
        let events = events::drafts(&before, &after, outcome);
        context.write_status(key, &newest, Wanted { status: after, events, pass });
    }
}

fn count(outcome: &Outcome, context: &Context) {
    if let Outcome::Applied(applied) = outcome {
        context.metrics.drift(&applied.drifted, &applied.differs, applied.written.is_some());
    }
}

fn next(outcome: &Outcome, context: &Context) -> Next {
    match outcome {
        Outcome::Suspended => Next::Rest { settled: true },
        Outcome::Applied(applied) => Next::Rest { settled: applied.differs.is_empty() || applied.report_only },
        Outcome::Failed(problem) => match problem.help {
            Help::Person => Next::Rest { settled: false },
            Help::Account => Next::AccountOpens(context.account_wait()),
            Help::Time | Help::Nobody => Next::Backoff,
        },
    }
}

/// Locks what no holder leaves half-changed: a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
