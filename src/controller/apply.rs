//! Third stage: carries out the plan with at most one update, and checks the answer.

use kube::runtime::reflector::ObjectRef;
use secrecy::ExposeSecret;

use super::Context;
use super::memory::SecretDigest;
use super::observe::Observed;
use super::outcome::{Applied, Problem, Written};
use super::resolve::Resolved;
use crate::api::ConfidenceClientCredential;
use crate::api::spec::DriftPolicy;
use crate::api::status::{Time, WrittenSecret};
use crate::confidence::Urgency;
use crate::confidence::wire::{ClientCredential, Field};
use crate::plan::{Knowledge, Look, Plan, plan};

/// What is known of the secret that was last written, beside what the server tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownSecret<'a> {
    /// From the status.
    pub(super) written: Option<&'a WrittenSecret>,
    /// From memory: the digest of the value that was last written.
    pub(super) digest: Option<SecretDigest>,
}

/// Compares, writes what differs, and checks what came of it.
pub(super) async fn apply(
    resolved: &Resolved,
    observed: Observed,
    known: KnownSecret<'_>,
    context: &Context,
) -> Result<Applied, Problem> {
    let knowledge = Knowledge {
        look: observed.look,
        policy: resolved.policy,
        written: known.written,
        same_value: is_same_value(resolved, known, context),
    };
    let plan = plan(&resolved.desired, &observed.credential, knowledge);
    let drifted = plan.drift();
    let report_only = resolved.policy == DriftPolicy::Report;
    let (credential, differs, written) = if report_only || plan.is_empty() {
        (observed.credential, drifted.clone(), None)
    } else {
        carry_out(&plan, resolved, observed, knowledge, context).await?
    };
    let secret = secret_record(resolved, &credential, knowledge, &differs, written.is_some());
    Ok(Applied { credential, look: knowledge.look, drifted, differs, written, report_only, secret })
}

fn is_same_value(resolved: &Resolved, known: KnownSecret<'_>, context: &Context) -> bool {
    let desired = resolved.desired.client_secret.as_ref();
    let digest = desired.map(|it| context.memory.digest(it.value.expose_secret()));
    digest.is_some() && digest == known.digest
}

async fn carry_out(
    plan: &Plan,
    resolved: &Resolved,
    observed: Observed,
    knowledge: Knowledge<'_>,
    context: &Context,
) -> Result<(ClientCredential, Vec<Field>, Option<Written>), Problem> {
    let Some(update) = plan.update() else { return Ok((observed.credential, Vec::new(), None)) };
    let answer = match context.confidence.update(&resolved.name, update, Urgency::Write).await {
        Ok(answer) => answer,
        Err(error) => return Err(Problem::from(error).after(observed.credential, observed.look, plan.drift())),
    };
    let differs = not_taken(resolved, &answer, knowledge);
    // A write of which nothing was taken changed nothing, and so is no news: repeated at each interval, it would
    // otherwise cost a status write each time.
    let took = plan.drift().iter().any(|field| !differs.contains(field));
    Ok((answer, differs, took.then(|| Written { update_mask: update.update_mask() })))
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
) -> Option<WrittenSecret> {
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
pub(super) fn remember_secret(
    resolved: &Resolved,
    applied: &Applied,
    key: &ObjectRef<ConfidenceClientCredential>,
    context: &Context,
) {
    let Some(secret) = &resolved.desired.client_secret else { return };
    let told = applied.credential.client_secret.is_some();
    let written = applied.secret.as_ref().is_some_and(|it| secret.is_version(it));
    if !applied.differs.contains(&Field::ClientSecret) && (told || written) {
        context.memory.set_secret(key, context.memory.digest(secret.value.expose_secret()));
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

    fn recorded(look: Look, written: Option<&WrittenSecret>, differs: &[Field], wrote: bool) -> Option<WrittenSecret> {
        let answer = br#"{"displayName":"x","updateTime":"2026-01-01T00:00:00Z"}"#;
        let answer = ClientCredential::from_json(answer).unwrap();
        let knowledge = Knowledge { look, policy: DriftPolicy::Correct, written, same_value: false };
        secret_record(&resolved(), &answer, knowledge, differs, wrote)
    }

    fn earlier() -> WrittenSecret {
        let time = Some(Time("2025-01-01T00:00:00Z".parse().unwrap()));
        WrittenSecret { uid: "u".to_owned(), resource_version: "1".to_owned(), key: "k".to_owned(), update_time: time }
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
