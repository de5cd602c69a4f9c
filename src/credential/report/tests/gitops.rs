//! What Argo CD and kstatus (Flux) make of every status that a pass can end with.

use testbed::gitops::kstatus::Status as Kstatus;
use testbed::gitops::{argo, kstatus};

use super::*;
use crate::confidence::{Cause, Error};
use crate::credential::resolve;

/// How a person would call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    Fine,
    Wait,
    Mend,
    Suspended,
}

use Judgement::{Fine, Mend, Wait};

impl Judgement {
    fn of_argo(self) -> &'static str {
        match self {
            Fine => "Healthy",
            Wait => "Progressing",
            Mend => "Degraded",
            Self::Suspended => "Suspended",
        }
    }

    /// kstatus knows nothing of suspending: what is not ready is in progress.
    fn of_kstatus(self) -> Kstatus {
        match self {
            Fine => Kstatus::Current,
            Wait | Self::Suspended => Kstatus::InProgress,
            Mend => Kstatus::Failed,
        }
    }
}

/// How passes end for a reason, and what a person would call each. No default: a new reason has to be placed here.
fn ends(reason: Reason) -> Vec<(Outcome, Judgement)> {
    let one = |outcome, judgement| vec![(outcome, judgement)];
    let person = || one(Outcome::Failed(Failure::stalled(reason, "fix it")), Mend);
    match reason {
        Reason::InSync => one(outcome(&[], false), Fine),
        Reason::DriftReported => one(outcome(&[Field::SdkType], true), Fine),
        Reason::UpdateNotApplied => one(outcome(&[Field::Labels], false), Mend),
        Reason::Suspended => one(Outcome::Suspended, Judgement::Suspended),
        Reason::InvalidSpec => {
            one(Outcome::Failed(resolve::credential_name(&spec("nonsense")).unwrap_err().into()), Mend)
        }
        Reason::SecretNotFound
        | Reason::SecretInvalid
        | Reason::SecretUnwritable
        | Reason::Conflict
        | Reason::ReadNotAllowed
        | Reason::WouldCreate
        | Reason::OwnedElsewhere
        | Reason::TooManyLive
        | Reason::CannotList
        | Reason::LabelsNotKept
        | Reason::SecretNotReturned
        | Reason::SecretNotOurs
        | Reason::NotAllowedByAccount
        | Reason::AccountNotFound => person(),
        Reason::Creating | Reason::Deleting => one(Outcome::Failed(Failure::retry(reason, "later")), Wait),
        // Never of the condition Ready, or of an account.
        Reason::Published | Reason::Rotating | Reason::OldStillInUse | Reason::NewNotSeen | Reason::Authenticated => {
            Vec::new()
        }
        // Forbidden by the API server, or not answered by it.
        Reason::SecretUnreadable => [person(), one(Outcome::Failed(Failure::retry(reason, "later")), Wait)].concat(),
        Reason::Rejected => failing(&[Cause::InvalidRequest], Mend),
        Reason::CredentialNotFound => failing(&[Cause::NotFound], Mend),
        Reason::Forbidden => failing(&[Cause::Forbidden], Mend),
        Reason::Unsupported => failing(&[Cause::Unsupported], Mend),
        // The account's trouble, not the resource's: it passes for all when the account is mended.
        Reason::Unauthenticated => failing(&[Cause::Unauthenticated], Wait),
        Reason::RateLimited => failing(&[Cause::RateLimited], Wait),
        Reason::ServiceUnavailable => failing(&[Cause::ServiceUnavailable], Wait),
        Reason::ServerError => failing(&[Cause::ServerError, Cause::Conflict], Wait),
        Reason::Unreachable => failing(&[Cause::Unreachable], Wait),
        Reason::TimedOut => failing(&[Cause::TimedOut], Wait),
        Reason::ConnectionLost => failing(&[Cause::ConnectionLost], Wait),
        Reason::TlsFailed => failing(&[Cause::TlsFailed], Wait),
        Reason::InvalidResponse => failing(&[Cause::InvalidResponse, Cause::ResponseTooLarge], Wait),
    }
}

fn outcome(fields: &[Field], is_report: bool) -> Outcome {
    done(differing(credential(T1, Some(T2)), fields, is_report))
}

/// Each failure twice: of the look, and of the write after one.
fn failing(causes: &[Cause], judgement: Judgement) -> Vec<(Outcome, Judgement)> {
    let problem = |cause| Failure::from(Error::new(cause, "by the server"));
    let before = || differing(credential(T1, None), &[Field::DisplayName], false);
    let seen = |cause| problem(cause).after(before());
    causes.iter().flat_map(|cause| [problem(*cause), seen(*cause)]).map(|it| (Outcome::Failed(it), judgement)).collect()
}

/// Every reason there is, from the source: an enum cannot list itself.
fn reasons() -> Vec<Reason> {
    let source = include_str!("../../../api/v1alpha1/conditions.rs");
    let body = source.split_once("pub enum Reason {").unwrap().1.split_once("\n}").unwrap().0;
    let names = body.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    let value = |name: &str| serde_json::Value::String(name.trim_end_matches(',').to_owned());
    names.map(|name| serde_json::from_value(value(name)).unwrap()).collect()
}

fn all() -> Vec<(Reason, Outcome, Judgement)> {
    let of = |reason| ends(reason).into_iter().map(move |(outcome, judgement)| (reason, outcome, judgement));
    reasons().into_iter().flat_map(of).collect()
}

fn spec(name: &str) -> crate::api::ConfidenceClientCredentialSpec {
    serde_json::from_value(serde_json::json!({"name": name, "displayName": "x"})).unwrap()
}

/// The object as the API server gives it to anybody.
fn object(generation: i64, status: Status) -> serde_json::Value {
    let mut object = ConfidenceClientCredential::new("checkout", spec("clients/c/credentials/k"));
    object.metadata.generation = Some(generation);
    // A suspended resource is one whose spec says so.
    object.spec.suspend = condition(&status, Type::Ready) == is("Unknown", "Suspended");
    object.status = Some(status);
    serde_json::to_value(object).unwrap()
}

#[test]
fn argo_cd_and_kstatus_say_what_a_person_would_whatever_was_said_before() {
    let first = |outcome: &Outcome| next_status(&Status::default(), &facts(1), outcome);
    let mut befores: Vec<_> = all().iter().map(|(_, outcome, _)| first(outcome)).collect();
    befores.push(Status::default());
    for (reason, outcome, judgement) in all() {
        let told = condition(&first(&outcome), Type::Ready).unwrap().1;
        assert_eq!(told, reason.to_string(), "the table is wrong: this end has another reason");
        for before in &befores {
            let status = next_status(before, &facts(1), &outcome);
            let message = find(&status.conditions, Type::Ready).unwrap().message.clone();
            let object = object(1, status);
            let health = argo::health(&object).unwrap();
            assert_eq!(health.status, judgement.of_argo(), "{object:#}");
            assert_eq!(kstatus::status(&object), judgement.of_kstatus(), "{object:#}");
            let own_words = judgement == Judgement::Suspended;
            assert!(own_words || health.message == message, "{}", health.message);
        }
    }
}

#[test]
fn what_was_said_of_an_older_spec_counts_for_nothing() {
    for (_, outcome, _) in all() {
        let object = object(2, next_status(&Status::default(), &facts(1), &outcome));
        assert_eq!(argo::health(&object).unwrap().status, "Progressing", "{object:#}");
        assert_eq!(kstatus::status(&object), Kstatus::InProgress, "{object:#}");
    }
}
