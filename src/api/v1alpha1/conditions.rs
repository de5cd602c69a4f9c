//! The conditions of a status, and how they change.
//!
//! Types and reasons are part of the public contract: `docs/troubleshooting.md` has a section for each reason.

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

/// The types of condition: those of kstatus, and those of this operator.
///
/// Ready is always there, Published in create mode; each of the others only while it is True.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Type {
    /// The credential is as the spec says (or, under the policy Report, was compared with it). Of an account: its
    /// credentials are accepted.
    Ready,
    /// The last reconcile did not reach its goal and will be retried without anybody's help.
    Reconciling,
    /// Only a person can help.
    Stalled,
    /// Managed fields differ at Confidence.
    Drifted,
    /// A superseded credential still exists beside the current one.
    Rotating,
    /// The published Secret holds the secret of the current credential.
    Published,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The truth of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody can tell.
    Unknown,
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why a condition is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
pub enum Reason {
    /// Everything managed is as the spec says.
    InSync,
    /// Drift is told and, as the policy asks, not corrected.
    DriftReported,
    /// `spec.suspend` is true.
    Suspended,
    /// The spec has a value that this program cannot use.
    InvalidSpec,
    /// The Secret does not exist.
    SecretNotFound,
    /// The Secret has no such key, or an empty or unusable value there.
    SecretInvalid,
    /// The API server refuses the published Secret.
    SecretUnwritable,
    /// The API server did not give the Secret.
    SecretUnreadable,
    /// An older resource names the same credential.
    Conflict,
    /// Confidence refused the request as invalid.
    Rejected,
    /// Confidence does not know the credential.
    CredentialNotFound,
    /// The account may not do this.
    Forbidden,
    /// The policy Report needs reading, and reading is not offered or not allowed.
    ReadNotAllowed,
    /// The server does not offer the call: probably not Confidence.
    Unsupported,
    /// Confidence refuses the account's credentials.
    Unauthenticated,
    /// The server answered without error, and a field still differs.
    UpdateNotApplied,
    /// The account is over its rate limit.
    RateLimited,
    /// Confidence does not answer for the whole account.
    ServiceUnavailable,
    /// One call failed at the server.
    ServerError,
    /// Confidence could not be reached.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The connection broke.
    ConnectionLost,
    /// TLS failed.
    TlsFailed,
    /// The answer was not what the API promises.
    InvalidResponse,
    /// The credential is being created.
    Creating,
    /// The policy Report forbids to create the credential, which does not exist yet.
    WouldCreate,
    /// The credential carries the label of another owner.
    OwnedElsewhere,
    /// So many credentials of this resource are live that no further one is created.
    TooManyLive,
    /// The account may not list credentials, and without a list none is created.
    CannotList,
    /// Confidence did not keep the operator's labels, by which it would find the credential again.
    LabelsNotKept,
    /// Confidence created the credential and did not return its secret.
    SecretNotReturned,
    /// The Secret to publish in belongs to somebody else.
    SecretNotOurs,
    /// A superseded credential is still in use, and so it is kept.
    OldStillInUse,
    /// A superseded credential is silent, and the new one was never seen either.
    NewNotSeen,
    /// A superseded credential waits for the end of its overlap.
    Rotating,
    /// The secret of the current credential is in the Secret.
    Published,
    /// No grant of the account covers the resource's namespace and client.
    NotAllowedByAccount,
    /// There is no such account.
    AccountNotFound,
    /// The resource is being deleted, and its credentials with it.
    Deleting,
    /// Confidence accepts the account's credentials.
    Authenticated,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One condition, before it knows since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Of which type.
    pub r#type: Type,
    /// How it stands.
    pub truth: Truth,
    /// Why.
    pub reason: Reason,
    /// What a person should know or do.
    pub message: String,
}

impl Verdict {
    /// Reads a condition back; none where an older or newer program wrote what this one does not know.
    pub fn read(condition: &Condition) -> Option<Self> {
        let known = |text: &str| serde_json::Value::String(text.to_owned());
        Some(Self {
            r#type: serde_json::from_value(known(&condition.type_)).ok()?,
            truth: serde_json::from_value(known(&condition.status)).ok()?,
            reason: serde_json::from_value(known(&condition.reason)).ok()?,
            message: condition.message.clone(),
        })
    }
}

/// The schema of a list of conditions: a map by type, with the patterns and lengths of `metav1.Condition`, which the type of
/// k8s-openapi does not have (kubernetes/apimachinery, `meta/v1/types.go`).
pub(super) fn schema(generator: &mut SchemaGenerator) -> Schema {
    let mut item = Condition::json_schema(generator).to_value();
    let bounds = json!({
        "type": {"maxLength": 316, "pattern": TYPE_PATTERN},
        "status": {"enum": ["True", "False", "Unknown"]},
        "reason": {"minLength": 1, "maxLength": 1024, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"},
        "message": {"maxLength": 32768},
        "observedGeneration": {"minimum": 0},
    });
    for (name, bounds) in bounds.as_object().into_iter().flatten() {
        if let (Value::Object(property), Value::Object(bounds)) = (&mut item["properties"][name], bounds) {
            property.extend(bounds.clone());
        }
    }
    schemars::json_schema!({
        "type": "array",
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    })
}

const TYPE_PATTERN: &str =
    "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$";

/// The longest message of a condition; the API server allows 32 Ki, a person reads less.
const MAX_MESSAGE_LENGTH: usize = 1024;

/// Makes the conditions of the next status from those of the last: `lastTransitionTime` moves only with the truth.
pub fn transition(
    before: &[Condition],
    verdicts: Vec<Verdict>,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let since = |verdict: &Verdict| {
        let same = |it: &&Condition| it.type_ == verdict.r#type.to_string() && it.status == verdict.truth.to_string();
        // Whole seconds, because that is what metav1.Time keeps, and what comes back must compare equal.
        before.iter().find(same).map_or_else(|| Time(whole_seconds(now)), |it| it.last_transition_time.clone())
    };
    verdicts
        .into_iter()
        .map(|verdict| Condition {
            last_transition_time: since(&verdict),
            type_: verdict.r#type.to_string(),
            status: verdict.truth.to_string(),
            reason: verdict.reason.to_string(),
            message: shortened(verdict.message),
            observed_generation: generation,
        })
        .collect()
}

/// The condition of a type.
pub fn find(conditions: &[Condition], r#type: Type) -> Option<&Condition> {
    let name = r#type.to_string();
    conditions.iter().find(|it| it.type_ == name)
}

fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn shortened(message: String) -> String {
    match message.char_indices().nth(MAX_MESSAGE_LENGTH) {
        None => message,
        Some((end, _)) => format!("{}…", &message[..end]),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ready(truth: Truth, reason: Reason) -> Vec<Verdict> {
        vec![Verdict { r#type: Type::Ready, truth, reason, message: "m".to_owned() }]
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A new reason or generation is no transition; a new truth is.
    #[test]
    fn transition_time_moves_with_truth_alone() {
        let first = transition(&[], ready(Truth::False, Reason::ServerError), Some(1), at(10));
        assert_eq!(first[0].last_transition_time.0, at(10));
        let second = transition(&first, ready(Truth::False, Reason::TimedOut), Some(2), at(20));
        assert_eq!((second[0].last_transition_time.0, second[0].reason.as_str()), (at(10), "TimedOut"));
        assert_eq!(second[0].observed_generation, Some(2));
        let third = transition(&second, ready(Truth::True, Reason::InSync), Some(2), at(30));
        assert_eq!(third[0].last_transition_time.0, at(30));
    }

    /// What comes back compares equal with what was written, or each reconcile would write again.
    #[test]
    fn condition_survives_the_api_server() {
        let now: Timestamp = "2026-01-02T03:04:05.678901234Z".parse().unwrap();
        let conditions = transition(&[], ready(Truth::True, Reason::InSync), Some(1), now);
        let back: Vec<Condition> = serde_json::from_value(serde_json::to_value(&conditions).unwrap()).unwrap();
        assert_eq!(back, conditions);
    }

    /// A message of several bytes a character is cut without a panic.
    #[test]
    fn long_message_is_cut_between_characters() {
        let long = vec![Verdict { message: "ü".repeat(5000), ..ready(Truth::True, Reason::InSync).remove(0) }];
        let message = &transition(&[], long, None, at(0))[0].message;
        assert_eq!(message.chars().count(), MAX_MESSAGE_LENGTH + 1);
    }
}
