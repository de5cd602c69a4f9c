//! Third stage: carries out the plan, with one update as a rule, and checks the answer.

use secrecy::ExposeSecret;
use tokio::time::Instant;

use super::Context;
use super::key::Key;
use super::memory::{KnownValue, Remembered};
use super::observe::Observed;
use super::outcome::{Applied, Help, Problem, Written};
use super::resolve::Resolved;
use crate::api::spec::DriftPolicy;
use crate::api::status::{ObservedSecret, Time};
use crate::confidence::Priority;
use crate::confidence::wire::{ClientCredential, Field};
use crate::plan::{Knowledge, Look, plan};

/// What is known of the secret that was last written, beside what the server tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownSecret<'a> {
    /// From the status.
    pub(super) written: Option<&'a ObservedSecret>,
    /// From memory.
    pub(super) value: Option<KnownValue>,
}

/// Updates in one pass: the answer to the first is a look, and may show what was not known when it was planned.
const UPDATES: usize = 2;

/// Whether to write from what is remembered would hide that somebody else wrote since: where the server withholds the
/// secret, `updateTime` is all that tells of it, and our own write moves that.
pub(super) fn would_hide_others(
    resolved: &Resolved,
    observed: &Observed,
    known: KnownSecret<'_>,
    context: &Context,
) -> bool {
    let is_secret_kept = resolved.desired.client_secret.is_some() && resolved.policy == DriftPolicy::Correct;
    if !is_secret_kept || !observed.remembered || observed.look == Look::Update {
        return false;
    }
    let plan = plan(&resolved.desired, &observed.credential, knowledge(resolved, observed.look, known, context));
    plan.update().is_some_and(|update| !update.names(Field::ClientSecret))
}

/// Compares, writes what differs, and checks what came of it.
pub(super) async fn apply(
    resolved: &Resolved,
    key: &Key,
    observed: Observed,
    known: KnownSecret<'_>,
    context: &Context,
) -> Result<Applied, Problem> {
    let knowledge = knowledge(resolved, observed.look, known, context);
    let report_only = resolved.policy == DriftPolicy::Report;
    let secret = known.written.cloned();
    let mut done =
        Done { credential: observed.credential, drifted: Vec::new(), differs: Vec::new(), written: None, secret };
    let ended = if report_only {
        done.differs = plan(&resolved.desired, &done.credential, knowledge).drift();
        done.drifted.clone_from(&done.differs);
        done.secret = secret_record(resolved, &done.credential, knowledge, &done.differs, false);
        Ok(())
    } else {
        carry_out(resolved, key, &mut done, knowledge, context).await
    };
    let Done { credential, drifted, differs, written, secret } = done;
    let applied = Applied { credential, look: knowledge.look, drifted, differs, written, report_only, secret };
    match ended {
        Ok(()) => Ok(applied),
        Err(problem) => Err(problem.after(applied)),
    }
}

fn knowledge<'a>(resolved: &Resolved, look: Look, known: KnownSecret<'a>, context: &Context) -> Knowledge<'a> {
    let same_value = is_same_value(resolved, known, context);
    Knowledge { look, policy: resolved.policy, written: known.written, same_value }
}

fn is_same_value(resolved: &Resolved, known: KnownSecret<'_>, context: &Context) -> bool {
    let desired = resolved.desired.client_secret.as_ref();
    let digest = desired.map(|it| context.memory.digest(it.value.expose_secret()));
    digest.is_some() && digest == known.value.map(|it| it.value)
}

/// What was done, and what was seen last.
struct Done {
    credential: ClientCredential,
    drifted: Vec<Field>,
    differs: Vec<Field>,
    written: Option<Written>,
    /// What is known of the secret at Confidence.
    secret: Option<ObservedSecret>,
}

/// Sets down in `done` what it does: that stands even where it ends early.
async fn carry_out(
    resolved: &Resolved,
    key: &Key,
    done: &mut Done,
    knowledge: Knowledge<'_>,
    context: &Context,
) -> Result<(), Problem> {
    for _ in 0..UPDATES {
        // What the first update wrote of the secret, the second need not write again.
        let secret = done.secret.clone();
        let knowledge = Knowledge { written: secret.as_ref(), ..knowledge };
        let plan = plan(&resolved.desired, &done.credential, knowledge);
        let drift = plan.drift();
        done.secret = secret_record(resolved, &done.credential, knowledge, &drift, false);
        let Some(update) = plan.update() else { break };
        done.drifted.extend(drift.iter().filter(|field| !done.drifted.contains(field)).copied().collect::<Vec<_>>());
        done.differs.clone_from(&drift);
        let answer = match context
            .confidence
            .update(&resolved.name, update, Priority::Interactive, &|| context.is_current(key))
            .await
        {
            Ok(answer) => answer,
            Err(error) => {
                let outcome_unknown = error.outcome_unknown();
                let problem = Problem::from(error);
                // What the account was turned away with says nothing about the credential. Anything else may.
                if outcome_unknown || problem.help != Help::Account {
                    context.memory.forget_look(key);
                }
                return Err(problem);
            }
        };
        context.memory.saw(key, Remembered::new(answer.clone(), knowledge.look, Instant::now()));
        done.differs = not_taken(resolved, &answer, knowledge);
        done.credential = answer;
        // A write of which nothing was taken changed nothing, and so is no news: repeated at each interval, it would
        // otherwise cost a status write each time.
        if drift.iter().any(|field| !done.differs.contains(field)) {
            done.written = Some(Written { update_mask: update.update_mask() });
        }
        // Even where nothing was taken, the server's updateTime may have moved by our own doing.
        done.secret = secret_record(resolved, &done.credential, knowledge, &done.differs, true);
        if done.differs.iter().all(|field| drift.contains(field)) {
            break;
        }
    }
    Ok(())
}

/// The managed fields that differ although they were written. A secret that the answer withholds counts as taken.
fn not_taken(resolved: &Resolved, answer: &ClientCredential, knowledge: Knowledge<'_>) -> Vec<Field> {
    let mut differs = plan(&resolved.desired, answer, knowledge).drift();
    if answer.client_secret.is_none() {
        differs.retain(|field| *field != Field::ClientSecret);
    }
    differs
}

/// What is known of the secret at Confidence after the pass.
fn secret_record(
    resolved: &Resolved,
    credential: &ClientCredential,
    knowledge: Knowledge<'_>,
    differs: &[Field],
    wrote: bool,
) -> Option<ObservedSecret> {
    let desired = resolved.desired.client_secret.as_ref()?;
    let told = credential.client_secret.is_some();
    if differs.contains(&Field::ClientSecret) || (!wrote && (told || knowledge.written.is_none())) {
        // Nothing was written, or nothing was taken: the record of the last write stands.
        return knowledge.written.cloned();
    }
    // Where looking is itself an update, updateTime moves by our own doing and would tell of others what is not so.
    let update_time = match knowledge.look {
        Look::Read if wrote => credential.update_time.map(Time),
        Look::Read => knowledge.written.and_then(|it| it.update_time),
        Look::Update => None,
    };
    Some(desired.written(update_time))
}

/// Remembers the value that is known to be at Confidence, so that a new version of the Secret with the same value writes
/// nothing.
pub(super) fn remember_secret(resolved: &Resolved, applied: &Applied, key: &Key, context: &Context) {
    let Some(secret) = &resolved.desired.client_secret else { return };
    let told = applied.credential.client_secret.is_some();
    let written = applied.secret.as_ref().is_some_and(|it| secret.is_version(it));
    if !applied.differs.contains(&Field::ClientSecret) && (told || written) {
        let value = context.memory.digest(secret.value.expose_secret());
        context.memory.set_secret(key, KnownValue { value, version: context.memory.digest(&secret.resource_version) });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::plan::{Desired, DesiredSecret};

    fn resolved() -> Resolved {
        let secret = DesiredSecret {
            value: "s".into(),
            uid: "u".to_owned(),
            resource_version: "2".to_owned(),
            key: "k".to_owned(),
        };
        Resolved {
            name: "clients/c/credentials/k".parse().unwrap(),
            desired: Desired {
                display_name: "x".to_owned(),
                environments: None,
                labels: None,
                sdk_type: None,
                client_secret: Some(secret),
            },
            policy: DriftPolicy::Correct,
        }
    }

    fn recorded(
        look: Look,
        written: Option<&ObservedSecret>,
        differs: &[Field],
        wrote: bool,
    ) -> Option<ObservedSecret> {
        let answer = br#"{"displayName":"x","updateTime":"2026-01-01T00:00:00Z"}"#;
        let answer = ClientCredential::from_json(answer).unwrap();
        let knowledge = Knowledge { look, policy: DriftPolicy::Correct, written, same_value: false };
        secret_record(&resolved(), &answer, knowledge, differs, wrote)
    }

    fn earlier() -> ObservedSecret {
        let time = Some(Time("2025-01-01T00:00:00Z".parse().unwrap()));
        ObservedSecret { uid: "u".to_owned(), resource_version: "1".to_owned(), key: "k".to_owned(), update_time: time }
    }

    #[test]
    fn a_written_secret_is_recorded_with_the_update_time_that_was_answered() {
        let record = recorded(Look::Read, None, &[], true).unwrap();
        assert_eq!(record.resource_version, "2");
        assert_eq!(record.update_time.unwrap().0.to_string(), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn where_looking_moves_the_update_time_none_is_recorded() {
        assert_eq!(recorded(Look::Update, None, &[], true).unwrap().update_time, None);
    }

    #[test]
    fn a_secret_that_was_not_taken_or_never_written_is_not_recorded_as_written() {
        assert_eq!(recorded(Look::Read, Some(&earlier()), &[Field::ClientSecret], true), Some(earlier()));
        assert_eq!(recorded(Look::Read, None, &[], false), None);
    }

    #[test]
    fn a_new_version_with_the_same_value_is_recorded_and_the_update_time_kept() {
        let record = recorded(Look::Read, Some(&earlier()), &[], false).unwrap();
        assert_eq!((record.resource_version.as_str(), record.update_time), ("2", earlier().update_time));
    }
}
