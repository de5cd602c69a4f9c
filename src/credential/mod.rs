//! Client credentials: the only place that knows both Kubernetes and Confidence.
//!
//! One reconcile of a resource reads top to bottom in `Reconciler::attempt`:
//!
//! ```text
//! work queue ─► resolve ─► observe ─► plan ─► apply ─► report ─► status writer, events
//!                  │          │         ▲
//!               account    listing      └── observations, the status
//! ```
//!
//! Beside it, the `resync` checks all resources at their interval, and hands to the work queue what is not in sync. What the
//! watches show comes in through `watched`.

mod accounts;
mod apply;
mod client_secret;
mod controller;
mod groups;
mod in_sync;
mod intervals;
mod lifecycle;
mod listing;
mod observations;
mod observe;
mod outcome;
mod ownership;
mod report;
mod requests;
mod resolve;
mod resync;
mod secret_watch;
mod settings;
mod startup;
mod watch_log;
mod watched;
mod wire;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;
use kube::runtime::reflector::Store;
use tracing::Instrument;
use tracing::field::Empty;

use self::client_secret::SecretReader;
use self::intervals::Intervals;
use self::lifecycle::{End, Lifecycle};
use self::observations::ObservationCache;
use self::observe::Observer;
use self::outcome::{Applied, Outcome};
use self::report::Facts;
use self::requests::Requests;
use self::watched::CredentialClaims;
use crate::account::{Accounts, NoAccount, RATE_LIMIT_PATIENCE};
use crate::api::conditions::Reason;
use crate::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus as Status};
use crate::confidence::client::StillWanted;
use crate::confidence::{Priority, Recovery, Requester};
use crate::engine::health::Progress;
use crate::engine::{Attempt, AttemptId, Key, Next, PendingStatus, StatusWriter, WorkQueue};
use crate::metrics::{ControllerMetrics, HasOutcome};
use crate::plan::{Desired, FieldChange, Plan, plan};

pub(crate) use self::client_secret::value_of;
pub use self::controller::{Parts, Stopped, run};
pub(crate) use self::lifecycle::{Outlook, PreviewInputs, Unread, Upcoming, preview};
pub use self::observe::ObserveMode;
pub(crate) use self::outcome::Failure;
pub(crate) use self::resolve::client_of;
pub use self::settings::Settings;

/// The statuses of credentials.
type Statuses = Arc<StatusWriter<ConfidenceClientCredential>>;

/// The shortest wait before a created credential is looked at again.
const MIN_LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The resources, as the watch shows them.
#[derive(Clone)]
struct Objects(Store<ConfidenceClientCredential>);

impl Objects {
    fn get(&self, key: &Key) -> Option<Arc<ConfidenceClientCredential>> {
        self.0.get(&key.object_ref())
    }
}

/// What an attempt may do at Confidence, and for whom.
struct Calls<'a> {
    attempt: &'a Attempt,
    requester: Requester,
    /// Asked when the permit for a write comes: the resource may have changed meanwhile.
    still_wanted: StillWanted<'a>,
}

impl Calls<'_> {
    fn key(&self) -> &Key {
        &self.attempt.key
    }
}

/// Brings one resource after the other in line.
struct Reconciler {
    queue: WorkQueue,
    accounts: Accounts,
    claims: Arc<CredentialClaims>,
    secrets: SecretReader,
    cache: Arc<ObservationCache>,
    observer: Arc<Observer>,
    statuses: Statuses,
    objects: Objects,
    metrics: ControllerMetrics,
    progress: Progress,
    lifecycle: Lifecycle,
    intervals: Intervals,
    last_seen_resolution: Duration,
}

impl Reconciler {
    /// What kube's controller runs for each key that the work queue gives it. The work queue schedules every retry.
    async fn reconcile(object: Arc<ConfidenceClientCredential>, this: Arc<Self>) -> Result<Action, Infallible> {
        let key = Key::of(object.as_ref());
        if let Some(attempt) = this.queue.begin(&key) {
            let _working = this.progress.begin();
            // Read after the attempt began: only then it is at least as new as the attempt.
            let object = this.objects.get(&key).unwrap_or(object);
            let next = this.run(&object, &attempt).await;
            this.queue.finish(&attempt, next);
        }
        Ok(Action::await_change())
    }

    /// One attempt, and what it leads to. Every line of its log carries its id.
    async fn run(&self, object: &Arc<ConfidenceClientCredential>, attempt: &Attempt) -> Next {
        let Key { namespace, name } = &attempt.key;
        let span =
            tracing::info_span!("reconcile", id = %attempt_id(attempt), %namespace, resource = %name, outcome = Empty);
        let work = async {
            let outcome = self.metrics.measured(self.outcome(object, attempt)).await;
            tracing::Span::current().record("outcome", outcome.label());
            self.report(object, attempt, &outcome);
            self.next(object, &outcome)
        };
        work.instrument(span).await
    }

    async fn outcome(&self, object: &Arc<ConfidenceClientCredential>, attempt: &Attempt) -> Outcome {
        if object.spec.suspend {
            // What was observed before counts no more when the resource is resumed.
            self.cache.invalidate(&attempt.key);
        }
        let result = if object.spec.client.is_some() {
            Box::pin(self.live(object, attempt)).await
        } else if object.metadata.deletion_timestamp.is_some() {
            // An adopted credential stays as it is.
            Ok(Outcome::Released)
        } else if object.spec.suspend {
            Ok(Outcome::Suspended)
        } else {
            self.attempt(object, attempt).await.map(|applied| Outcome::Applied(Box::new(applied)))
        };
        result.unwrap_or_else(Outcome::Failed)
    }

    /// The same for a credential that the operator creates: its lifecycle decides step by step.
    async fn live(&self, object: &Arc<ConfidenceClientCredential>, attempt: &Attempt) -> Result<Outcome, Failure> {
        let account = resolve::account_of(&self.accounts, object);
        if object.metadata.deletion_timestamp.is_none() || account.as_ref().err() == Some(&NoAccount::Pending) {
            account.clone()?;
        }
        let desired = Desired::from_spec(&object.spec)?;
        let is_current = || self.queue.is_current(attempt) && self.may_use(object, account.as_ref().ok());
        let calls = Calls { attempt, requester: requester(attempt), still_wanted: &is_current };
        let end = self.lifecycle.reconcile(object, account.clone(), desired, &calls).await?;
        Ok(match end {
            End::Rest(life, applied) => Outcome::Living(applied, life),
            End::Suspended => Outcome::Suspended,
            End::Released => Outcome::Released,
        })
    }

    /// The stages, in order.
    async fn attempt(&self, object: &Arc<ConfidenceClientCredential>, attempt: &Attempt) -> Result<Applied, Failure> {
        let key = &attempt.key;
        self.check_ownership(object, key)?;
        let resolved = resolve::resolve(object, attempt, &self.accounts, &self.secrets).await?;
        let status = self.statuses.current(key, &self.newest(key, object));
        if Requests::of(object).reconcile != status.last_handled_reconcile_at {
            self.cache.invalidate(key);
        }
        let is_current = || self.queue.is_current(attempt) && self.may_use(object, Some(&resolved.account));
        let calls = Calls { attempt, requester: requester(attempt), still_wanted: &is_current };
        let interval = self.intervals.of(object);
        let mut observed = self.observer.observe(&resolved, &calls, interval).await?;
        let known = apply::secret_knowledge(&resolved, key, &status, &self.cache);
        let mut planned = plan(&resolved.desired, &observed, &known, resolved.policy);
        if matches!(planned, Plan::NeedsFreshRead) {
            observed = self.observer.observe_alone(&resolved, &calls, interval).await?;
            planned = plan(&resolved.desired, &observed, &known, resolved.policy);
        }
        apply::apply(&resolved, observed, planned, &known, &calls, &self.cache).await
    }

    /// Hands the status to its writer, if it is to say something else than it says.
    fn report(&self, object: &Arc<ConfidenceClientCredential>, attempt: &Attempt, outcome: &Outcome) {
        let key = &attempt.key;
        let newest = self.newest(key, object);
        let before = self.statuses.current(key, &newest);
        self.count(&before, object.metadata.generation, outcome);
        if matches!(outcome, Outcome::Released) || self.is_too_early_to_report(object, attempt, outcome) {
            return;
        }
        let facts = Facts::of(object, self.last_seen_resolution, self.cache.has_reported_failure(key));
        let status = report::next_status(&before, &facts, outcome);
        self.cache.set_reported_failure(key, matches!(outcome, Outcome::Failed(_)));
        if status != before {
            let events = report::events(&before, &status, outcome);
            self.statuses.put(key, &newest, PendingStatus { status, events, attempt: attempt_id(attempt) });
        }
    }

    /// Whether a failure may well be over before anybody reads of it, or says nothing of the resource.
    fn is_too_early_to_report(
        &self,
        object: &ConfidenceClientCredential,
        attempt: &Attempt,
        outcome: &Outcome,
    ) -> bool {
        let Outcome::Failed(failure) = outcome else { return false };
        if failure.has_written() {
            return false;
        }
        match (failure.recovery, failure.reason) {
            (Recovery::None, _) => true,
            (Recovery::Account, Reason::RateLimited) => {
                let account = self.accounts.by_name(&lane_of(object));
                account.is_some_and(|account| account.blocked_for() < RATE_LIMIT_PATIENCE)
            }
            (Recovery::Retry, Reason::SecretUnreadable) => attempt.failures_before == 0,
            _ => false,
        }
    }

    fn count(&self, before: &Status, generation: Option<i64>, outcome: &Outcome) {
        if let Some(applied) = outcome.applied() {
            let was_in_sync = report::is_in_sync(before, generation);
            let is_foreign = |change: &FieldChange| applied.is_foreign(change, was_in_sync);
            self.metrics.drift(applied.drifted(), is_foreign, applied.remaining(), applied.written().is_some());
        }
    }

    fn next(&self, object: &ConfidenceClientCredential, outcome: &Outcome) -> Next {
        match outcome {
            Outcome::Suspended | Outcome::Released => Next::Done,
            Outcome::Applied(applied) if applied.is_converged() => Next::Done,
            Outcome::Applied(_) => Next::Stalled,
            Outcome::Living(applied, life) => match life.look_again {
                Some(after) if after < self.intervals.of(object) => Next::RetryAfter(after.max(MIN_LOOK_AGAIN)),
                _ if applied.is_converged() && !life.needs_checks() => Next::Done,
                _ => Next::Stalled,
            },
            Outcome::Failed(failure) => match failure.recovery {
                Recovery::UserAction => Next::Stalled,
                Recovery::Account => {
                    let group = lane_of(object);
                    let at_latest = self.accounts.by_name(&group).map(|account| account.wait()).unwrap_or_default();
                    Next::Blocked { group, at_latest }
                }
                Recovery::Retry | Recovery::None => failure.retry_after.map_or(Next::Retry, Next::RetryAfter),
            },
        }
    }

    /// A resource as the watch shows it by now: its status may have been written since the attempt began.
    fn newest(&self, key: &Key, object: &Arc<ConfidenceClientCredential>) -> Arc<ConfidenceClientCredential> {
        let shown = self.objects.get(key).filter(|shown| shown.metadata.uid == object.metadata.uid);
        shown.unwrap_or_else(|| Arc::clone(object))
    }
}

/// Whose slots a resource takes: those of its account.
fn lane_of(object: &ConfidenceClientCredential) -> Arc<str> {
    crate::account::name_of(object.metadata.namespace.as_deref().unwrap_or_default(), object.spec.account_ref.as_ref())
}

/// A correction of drift is background work, although it is a write.
fn requester(attempt: &Attempt) -> Requester {
    let priority = match attempt.priority {
        crate::engine::Priority::Interactive => Priority::Interactive,
        crate::engine::Priority::Background => Priority::Background,
    };
    Requester { priority, flow: Arc::clone(&attempt.key.namespace) }
}

/// The id of an attempt, for the log.
fn attempt_id(attempt: &Attempt) -> AttemptId {
    AttemptId(u32::try_from(attempt.id & u64::from(u32::MAX)).unwrap_or_default())
}
