//! Second stage: what the credential is at Confidence.
//!
//! What is remembered of the last look will do, if it is not too old: the answer to what is written because of it is the
//! next look. Else, reading is the normal way. Where it is not offered or not allowed, an update of `display_name`, which is managed
//! anyway, answers with the whole credential.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::key::Key;
use super::memory::Remembered;
use super::outcome::Problem;
use super::resolve::Resolved;
use super::{Context, looks};
use crate::api::conditions::Reason;
use crate::api::spec::DriftPolicy;
use crate::confidence::wire::{ClientCredential, CredentialUpdate};
use crate::confidence::{Cause, Error, Priority};
use crate::plan::Look;

/// How long it is remembered that reading is not offered: a person who grants the scope need not restart anything.
const READING_REFUSED_FOR: Duration = Duration::from_hours(1);

/// The credential as it was seen.
#[derive(Debug)]
pub(super) struct Observed {
    pub(super) credential: ClientCredential,
    pub(super) look: Look,
    /// Whether it was seen earlier than in this pass.
    pub(super) remembered: bool,
}

/// What a pass may look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// A person waits for it.
    pub(super) priority: Priority,
    /// What was seen longer ago than this is not good enough.
    pub(super) max_age: Duration,
    /// Only the credential itself is, because a list lacks it.
    pub(super) confirm: bool,
}

/// The way of looking (`--observe`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ObserveMode {
    /// Read; where reading is not offered or not allowed, look through an update of the display name.
    #[default]
    Auto,
    /// Only ever read.
    Read,
    /// Only ever look through an update of the display name.
    Update,
}

/// Whether the account may read, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Reading {
    refused_at: Mutex<Option<Instant>>,
}

impl Reading {
    pub(super) fn is_refused(&self) -> bool {
        let refused_at = *super::lock(&self.refused_at);
        refused_at.is_some_and(|at| at.elapsed() < READING_REFUSED_FOR)
    }

    /// Reading may be tried again: the account has other credentials.
    pub(super) fn forget_refusal(&self) {
        *super::lock(&self.refused_at) = None;
    }

    fn set_refused(&self) {
        *super::lock(&self.refused_at) = Some(Instant::now());
    }
}

/// Looks at the credential: at what is remembered, in a list together with others, or by itself.
pub(super) async fn observe(
    resolved: &Resolved,
    key: &Key,
    demand: Demand,
    context: &Context,
) -> Result<Observed, Problem> {
    if !demand.confirm
        && let Some(observed) = context.memory.look(key, demand.max_age).and_then(|look| usable(look, resolved))
    {
        return Ok(Observed { remembered: true, ..observed });
    }
    let at = Instant::now();
    let observed = look(resolved, key, demand, context).await?;
    // What is read was so when it was asked for, or later; what an update answers, when it was answered.
    let at = if observed.look == Look::Read { at } else { Instant::now() };
    context.memory.saw(key, Remembered::new(observed.credential.clone(), observed.look, at));
    Ok(observed)
}

/// Whether a look at hand will do: the server's secret is not kept, and so cannot be compared any more; and a resource
/// that was made anew under its name may name another credential.
fn usable(look: Remembered, resolved: &Resolved) -> Option<Observed> {
    let lacks_secret = look.told && resolved.desired.client_secret.is_some();
    let is_anothers = look.credential.name.as_ref().is_some_and(|name| *name != resolved.name);
    let usable = !lacks_secret && !is_anothers;
    usable.then_some(Observed { credential: look.credential, look: look.look, remembered: false })
}

async fn look(resolved: &Resolved, key: &Key, demand: Demand, context: &Context) -> Result<Observed, Problem> {
    let mode = context.settings.observe;
    if mode == ObserveMode::Update || (mode == ObserveMode::Auto && context.reading.is_refused()) {
        return through_update(resolved, key, demand.priority, context, None).await;
    }
    if !demand.confirm {
        let together =
            looks::look_together(key, &resolved.name.client().into(), demand.max_age, demand.priority, context).await?;
        if let Some(observed) = together.and_then(|look| usable(look, resolved)) {
            return Ok(observed);
        }
    }
    let by = crate::confidence::Requester::new(demand.priority, &*key.namespace);
    match context.confidence.get(&resolved.name, &by).await.map(|response| response.value) {
        Ok(credential) => Ok(Observed { credential, look: Look::Read, remembered: false }),
        Err(error) if mode == ObserveMode::Auto && reading_is_refused(&error) => {
            let observed = through_update(resolved, key, demand.priority, context, Some(&error)).await?;
            // Only now: where the update is refused as well, it is not reading that is the matter.
            context.reading.set_refused();
            Ok(observed)
        }
        Err(error) => Err(error.into()),
    }
}

fn reading_is_refused(error: &Error) -> bool {
    matches!(error.cause(), Cause::Unsupported | Cause::Forbidden)
}

async fn through_update(
    resolved: &Resolved,
    key: &Key,
    priority: Priority,
    context: &Context,
    refusal: Option<&Error>,
) -> Result<Observed, Problem> {
    if resolved.policy == DriftPolicy::Report {
        return Err(read_not_allowed(refusal));
    }
    let look = CredentialUpdate::rename(resolved.desired.display_name.clone());
    let by = crate::confidence::Requester::new(priority, &*key.namespace);
    let looked = context.confidence.update(&resolved.name, &look, &by, &|| context.is_current(key)).await;
    let looked = looked.map(|response| response.value);
    let credential = looked.inspect_err(|error| {
        // It may have renamed the credential: what was seen before is worth nothing.
        if error.outcome_unknown() {
            context.memory.forget_look(key);
        }
    })?;
    Ok(Observed { credential, look: Look::Update, remembered: false })
}

fn read_not_allowed(refusal: Option<&Error>) -> Problem {
    let why = refusal.map_or_else(|| "--observe=update rules reading out".to_owned(), ToString::to_string);
    Problem::stalled(
        Reason::ReadNotAllowed,
        format!(
            "driftPolicy Report needs to read the credential ({why}); grant the operator's account the scope to read \
             client credentials, or set driftPolicy to Correct"
        ),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::plan::Desired;

    fn resolved(name: &str) -> Resolved {
        let desired = Desired {
            display_name: "x".to_owned(),
            environments: None,
            labels: None,
            sdk_type: None,
            client_secret: None,
        };
        Resolved { name: name.parse().unwrap(), desired, policy: DriftPolicy::Correct }
    }

    fn look(json: &str) -> Remembered {
        Remembered::read(ClientCredential::from_json(json.as_bytes()).unwrap(), Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_seen_of_another_credential_is_no_look() {
        let other = r#"{"name":"clients/c/clientCredentials/a","displayName":"x"}"#;
        assert!(usable(look(other), &resolved("clients/c/credentials/a")).is_some());
        assert!(usable(look(other), &resolved("clients/c/credentials/b")).is_none());
        let nameless = r#"{"name":"string","displayName":"x"}"#;
        assert!(usable(look(nameless), &resolved("clients/c/credentials/b")).is_some(), "a mock's name tells nothing");
    }
}
