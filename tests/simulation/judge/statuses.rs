//! What a status may say, given what its process has seen and heard.

use std::collections::BTreeSet;
use std::time::Duration;

use confidence_operator::api::spec::DriftPolicy;
use confidence_operator::api::{
    ConfidenceClientCredential, ConfidenceClientCredentialSpec, ConfidenceClientCredentialStatus,
};
use confidence_simulator::Credential;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use tokio::time::Instant;

use super::{Found, Heard, Judge, Process, Seen};
use crate::api::{Kind, Write};
use crate::history::differing;

/// How long it takes at the most to write a status: meanwhile the next one may be set down.
const WRITING: Duration = Duration::from_secs(30);

/// What a resource says that may not have its credential.
const REFUSALS: [&str; 3] = ["Unauthenticated", "Forbidden", "CredentialNotFound"];

/// A status that is written, and what it is about.
struct Claim<'a> {
    process: &'a Process,
    status: &'a ConfidenceClientCredentialStatus,
    name: &'a str,
    /// The id of the credential.
    id: &'a str,
    /// The spec that it speaks of.
    spec: &'a ConfidenceClientCredentialSpec,
    /// What it says rests on something that counted then, or later. None: since the process began.
    since: Option<Instant>,
    /// Whether the replicas are to look through updates.
    by_update: bool,
}

impl Judge {
    /// A write is carried out at the API server.
    pub fn write(&self, process: &Process, write: &Write<'_>) {
        // That a leader has ended is told when it has given the lease back.
        if write.kind == Kind::Event && write.after["reason"] != "LeaderElection" {
            self.holds_lease(process, write.holder.as_deref(), &format!("the event {}", write.name));
        }
        if let Some(history) = &self.lifecycle {
            if matches!(write.kind, Kind::Resource | Kind::Secret) {
                self.holds_lease(process, write.holder.as_deref(), &format!("a write of {}", write.name));
            }
            history.write(write);
            return;
        }
        if write.kind != Kind::Resource {
            return;
        }
        self.holds_lease(process, write.holder.as_deref(), &format!("the status of {}", write.name));
        let object: ConfidenceClientCredential = serde_json::from_value(write.after.clone()).unwrap();
        let before: ConfidenceClientCredential = serde_json::from_value(write.before.clone()).unwrap();
        let Some(status) = &object.status else { return };
        let ready = ready(status);
        let reason = ready.map(|it| format!("{} {}", it.status, it.reason)).unwrap_or_default();
        self.record.tell(format_args!("{process} status {} {:?} {reason}", write.name, status.observed_generation));
        let wrong = |what: String| self.record.wrong(format_args!("{process}: the status of {} {what}", write.name));
        if status.observed_generation > object.metadata.generation {
            wrong("speaks of a generation that is still to come".to_owned());
        }
        if status.observed_generation.is_none() {
            // What was written before the spec changed is recorded, and that claims nothing of any spec.
            if *status != only_what_was_written(status) {
                wrong("claims something of no generation".to_owned());
            }
            return;
        }
        let by_update = self.looks_by_update();
        let is_refused = ready.is_some_and(|it| REFUSALS.contains(&it.reason.as_str())) && status.name.is_none();
        self.with(|seen| {
            if is_refused {
                seen.history.note_refusal(write.name);
            }
            seen.statuses += 1;
            *seen.statuses_by_name.entry(write.name.to_owned()).or_default() += 1;
            let told = seen.told.insert((process.clone(), write.name.to_owned()), Instant::now());
            let generation = status.observed_generation.unwrap_or_default();
            let spec = seen.history.wishes(write.name).and_then(|it| it.spec(&object, generation)).cloned();
            let Some(spec) = spec else {
                return wrong(format!("speaks of generation {generation}, which never was"));
            };
            let id = spec.name.as_deref().unwrap().rsplit('/').next().unwrap();
            let since = told.and_then(|it| it.checked_sub(WRITING));
            let claim = Claim { process, status, name: write.name, id, spec: &spec, since, by_update };
            let before = before.status.unwrap_or_default();
            if times(&before) != times(status) && !claim.shows(seen, |_| true) {
                wrong(format!("tells times that this process did not see together: {:?}", times(status)));
            }
            // A reason that stands as it stood may rest on what another process saw.
            if said(ready) != said(self::ready(&before))
                && let Err(why) = claim.check(seen, ready)
            {
                wrong(format!("says {reason} of generation {generation}, {why}"));
            }
        });
    }
}

impl Claim<'_> {
    /// Whether what its reason claims is so, as far as its process can know.
    fn check(&self, seen: &mut Seen, ready: Option<&Condition>) -> Result<(), String> {
        let reason = ready.map_or("", |it| it.reason.as_str());
        let drift: BTreeSet<&str> = self.status.drift.iter().flat_map(|it| &it.fields).map(String::as_str).collect();
        let is_true = match reason {
            "InSync" => drift.is_empty() && self.shows(seen, |_| true) && self.knows_secret(seen),
            "DriftReported" => !drift.is_empty() && self.is_report() && self.shows(seen, |_| true),
            "UpdateNotApplied" => {
                !drift.is_empty() && !self.is_report() && self.shows(seen, |by_own_write| by_own_write)
            }
            "Suspended" => self.spec.suspend,
            "Conflict" => {
                let message = ready.map_or("", |it| it.message.as_str());
                let owners = seen.history.owners_since(self.id, None);
                let mut others = owners.iter().filter(|it| *it != self.name);
                let is_vacant = message.starts_with("the resource that held this credential is gone");
                others.any(|name| is_vacant || message.starts_with(&format!("{name} ")))
            }
            "SecretNotFound" | "SecretUnreadable" => {
                let asked = seen.asked_secrets.get(&(self.process.clone(), format!("secret-{}", self.name)));
                let is_recent = |at: Instant| self.since.is_none_or(|since| at >= since);
                let ground = if reason == "SecretNotFound" { Found::Nothing } else { Found::NoAnswer };
                asked.into_iter().flatten().any(|(at, found)| is_recent(*at) && *found == ground)
            }
            "ReadNotAllowed" => self.is_report() && (self.by_update || self.heard(seen, Heard::reading_was_refused)),
            other => self.heard(seen, |it| it.gives(other, self.id, self.since)),
        };
        is_true.then_some(()).ok_or_else(|| "which its process cannot know".to_owned())
    }

    fn is_report(&self) -> bool {
        self.spec.drift_policy == DriftPolicy::Report
    }

    fn heard(&self, seen: &Seen, is_ground: impl Fn(&Heard) -> bool) -> bool {
        seen.heard.get(self.process).is_some_and(is_ground)
    }

    /// Whether the process saw the credential like this while it counted: with these times, and, where the reason speaks of
    /// drift or of none, with exactly this drift.
    fn shows(&self, seen: &Seen, counts: impl Fn(bool) -> bool) -> bool {
        let Some(sights) = seen.sights.get(&(self.process.clone(), self.id.to_owned())) else { return false };
        let compares = ready(self.status)
            .is_some_and(|it| matches!(it.reason.as_str(), "InSync" | "DriftReported" | "UpdateNotApplied"));
        sights.newest_since(self.since).any(|sight| {
            counts(sight.by_own_write)
                && times_of(&sight.credential) == times(self.status)
                && (!compares || self.is_drift_of(&sight.credential))
        })
    }

    /// Whether the drift that is told is what differs in a credential. The secret may be in it where it is managed; what it is
    /// compared with is not kept.
    fn is_drift_of(&self, credential: &Credential) -> bool {
        let told: BTreeSet<&str> = self.status.drift.iter().flat_map(|it| &it.fields).map(String::as_str).collect();
        let real: BTreeSet<&str> = differing(self.spec, credential).into_iter().map(as_in_the_spec).collect();
        let secret = BTreeSet::from(["clientSecret"]);
        let is_secret_told = !told.is_disjoint(&secret);
        (!is_secret_told || self.spec.client_secret.is_some()) && &told - &secret == real
    }

    /// Nobody says that a secret is in order that was neither written nor told.
    fn knows_secret(&self, seen: &Seen) -> bool {
        let sights = seen.sights.get(&(self.process.clone(), self.id.to_owned()));
        let is_told =
            || sights.is_some_and(|it| it.newest_since(self.since).any(|it| !it.credential.secret.is_empty()));
        self.spec.client_secret.is_none() || self.is_report() || self.status.observed_secret.is_some() || is_told()
    }
}

/// The conditions are those of the CRD's default, which say that nobody has looked.
fn only_what_was_written(status: &ConfidenceClientCredentialStatus) -> ConfidenceClientCredentialStatus {
    ConfidenceClientCredentialStatus {
        conditions: status.conditions.clone().into_iter().filter(|it| it.reason == "Pending").collect(),
        last_update: status.last_update.clone(),
        observed_secret: status.observed_secret.clone(),
        ..ConfidenceClientCredentialStatus::default()
    }
}

fn as_in_the_spec(field: &str) -> &str {
    match field {
        "display_name" => "displayName",
        "sdk_type" => "sdkType",
        other => other,
    }
}

fn ready(status: &ConfidenceClientCredentialStatus) -> Option<&Condition> {
    status.conditions.iter().find(|it| it.type_ == "Ready")
}

fn said(ready: Option<&Condition>) -> Option<(&str, &str, &str, Option<i64>)> {
    ready.map(|it| (it.status.as_str(), it.reason.as_str(), it.message.as_str(), it.observed_generation))
}

type Times = [Option<jiff::Timestamp>; 2];

fn times(status: &ConfidenceClientCredentialStatus) -> Times {
    [status.update_time.map(|it| it.0), status.last_seen_time.map(|it| it.0)]
}

fn times_of(credential: &Credential) -> Times {
    [credential.update_time, credential.last_seen_time]
}
