//! What an audit finds. Pure.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde::Serialize;

use crate::account::name_of;
use crate::api::ConfidenceClientCredential;
use crate::cli::plugin::error::one_line;
use crate::cli::plugin::output::{counted, table};
use crate::confidence::name::CredentialName;
use crate::confidence::wire::ClientCredential;
use crate::plan::lifecycle::{OWNER_LABEL, OwnerLabel};

/// What is wrong with a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// No resource manages it.
    Unmanaged,
    /// The operator created it for a resource that is gone.
    Orphan,
    /// The operator of another installation created it.
    Foreign,
    /// It was used, but not for long.
    Stale,
    /// It was never used, though it exists for long.
    NeverSeen,
    /// It was replaced, and is in use all the same.
    SupersededInUse,
}

/// One credential, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finding {
    pub(super) kind: Kind,
    pub(super) credential: String,
    pub(super) display_name: String,
    /// The resource that manages it: namespace/name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_seen_time: Option<Timestamp>,
    /// What mends it.
    pub(super) fix: String,
}

/// What credentials are judged by.
pub(super) struct Inputs<'a> {
    /// The name of the account that the credentials are of. A resource of another account manages none of them.
    pub(super) account: &'a str,
    pub(super) resources: &'a [ConfidenceClientCredential],
    pub(super) instance: &'a str,
    pub(super) now: Timestamp,
    pub(super) stale_after: Duration,
    pub(super) never_seen_after: Duration,
}

/// How a resource and a credential belong together.
struct Managed<'a> {
    resource: &'a ConfidenceClientCredential,
    superseded_since: Option<Timestamp>,
}

/// What is wrong with each credential, by kind and name.
pub(super) fn findings(credentials: &[ClientCredential], inputs: &Inputs<'_>) -> Vec<Finding> {
    let managed = managed(inputs.resources, inputs.account);
    // Of all accounts: a uid is that of one resource, and a label is no reason to advise a deletion while it exists.
    let owners: BTreeSet<String> = inputs
        .resources
        .iter()
        .filter_map(|it| Some(OwnerLabel::new(inputs.instance, it.metadata.uid.as_deref()?).to_string()))
        .collect();
    let mut findings: Vec<Finding> = Vec::new();
    for credential in credentials {
        let Some(name) = &credential.name else { continue };
        let of = managed.get(name);
        let kinds = [ownership(credential, of, &owners, inputs.instance), usage(credential, of, inputs)];
        findings.extend(kinds.into_iter().flatten().map(|kind| finding(kind, name, credential, of)));
    }
    findings.sort_by(|one, other| (one.kind, &one.credential).cmp(&(other.kind, &other.credential)));
    findings
}

/// Which resource manages which credential. What a resource in create mode superseded is its own too.
fn managed<'a>(resources: &'a [ConfidenceClientCredential], account: &str) -> HashMap<CredentialName, Managed<'a>> {
    let mut managed = HashMap::new();
    for resource in resources.iter().filter(|it| *account_name(it) == *account) {
        let status = resource.status.as_ref();
        let current = resource.spec.name.as_deref().or_else(|| status?.name.as_deref());
        let superseded =
            status.and_then(|it| it.rotation.as_ref()).map(|it| it.superseded.as_slice()).unwrap_or_default();
        let superseded = superseded.iter().map(|it| (it.name.as_str(), Some(it.since.0)));
        for (name, superseded_since) in current.map(|name| (name, None)).into_iter().chain(superseded) {
            if let Ok(name) = name.parse() {
                managed.insert(name, Managed { resource, superseded_since });
            }
        }
    }
    managed
}

fn account_name(resource: &ConfidenceClientCredential) -> Arc<str> {
    name_of(resource.metadata.namespace.as_deref().unwrap_or_default(), resource.spec.account_ref.as_ref())
}

fn ownership(
    credential: &ClientCredential,
    managed: Option<&Managed<'_>>,
    owners: &BTreeSet<String>,
    instance: &str,
) -> Option<Kind> {
    if managed.is_some() {
        return None;
    }
    let Some(owner) = credential.labels.get(OWNER_LABEL) else { return Some(Kind::Unmanaged) };
    // The label of no uid is the beginning of every label of this installation.
    let is_ours = owner.starts_with(&OwnerLabel::new(instance, "").to_string());
    match is_ours {
        // On its way: its resource exists and has not recorded it yet.
        true if owners.contains(owner) => None,
        true => Some(Kind::Orphan),
        false => Some(Kind::Foreign),
    }
}

fn usage(credential: &ClientCredential, managed: Option<&Managed<'_>>, inputs: &Inputs<'_>) -> Option<Kind> {
    let is_older = |time: Timestamp, than: Duration| {
        inputs.now.duration_since(time) > SignedDuration::try_from(than).unwrap_or(SignedDuration::MAX)
    };
    let since = managed.and_then(|it| it.superseded_since);
    match (credential.last_seen_time, since) {
        (Some(seen), Some(since)) => (seen > since).then_some(Kind::SupersededInUse),
        (None, Some(_)) => None,
        (Some(seen), None) => is_older(seen, inputs.stale_after).then_some(Kind::Stale),
        (None, None) => {
            let created = credential.create_time?;
            is_older(created, inputs.never_seen_after).then_some(Kind::NeverSeen)
        }
    }
}

fn finding(kind: Kind, name: &CredentialName, credential: &ClientCredential, managed: Option<&Managed<'_>>) -> Finding {
    let resource = managed.map(|it| it.resource);
    let full_name =
        |it: &ConfidenceClientCredential| format!("{}/{}", it.namespace().unwrap_or_default(), it.name_any());
    Finding {
        kind,
        credential: name.to_string(),
        display_name: one_line(&credential.display_name),
        resource: resource.map(full_name),
        last_seen_time: credential.last_seen_time,
        fix: fix(kind, name, resource),
    }
}

/// The command that mends it. Nothing here deletes a credential that no resource created: that is for the console.
fn fix(kind: Kind, name: &CredentialName, resource: Option<&ConfidenceClientCredential>) -> String {
    let import = format!("kubectl confidence import --credential {name} | kubectl apply -f -");
    let target =
        |it: &ConfidenceClientCredential| format!("{} -n {}", it.name_any(), it.namespace().unwrap_or_default());
    match (kind, resource) {
        (Kind::SupersededInUse, Some(it)) => {
            format!("restart its users; or: kubectl annotate ccc {} iam.confidence.dev/retire={name}", target(it))
        }
        (Kind::Stale | Kind::NeverSeen, Some(it)) if it.spec.client.is_some() => {
            format!("if nobody needs it: kubectl delete ccc {}", target(it))
        }
        (Kind::Stale | Kind::NeverSeen, Some(it)) => {
            format!("if nobody needs it: delete it in Confidence, then kubectl delete ccc {}", target(it))
        }
        (Kind::Stale | Kind::NeverSeen, None) => "if nobody needs it: delete it in Confidence".to_owned(),
        (Kind::Foreign, _) => "leave it to the cluster that created it: kubectl confidence audit there".to_owned(),
        (Kind::Orphan, _) => format!("delete it in Confidence; or keep it: {import}"),
        (Kind::Unmanaged | Kind::SupersededInUse, _) => import,
    }
}

/// The findings as people read them.
pub(super) fn text(findings: &[Finding], credentials: usize) -> String {
    let row = |it: &Finding| {
        let seen = it.last_seen_time.map_or_else(|| "never".to_owned(), |time| time.strftime("%Y-%m-%d").to_string());
        let kind = it.kind.to_possible_value().map(|it| it.get_name().to_owned()).unwrap_or_default();
        let resource = it.resource.clone().unwrap_or_else(|| "-".to_owned());
        [kind, it.credential.clone(), it.display_name.clone(), resource, seen, it.fix.clone()]
    };
    let rows: Vec<_> = findings.iter().map(row).collect();
    let summary = format!("{}, {}\n", counted(credentials, "credential"), counted(findings.len(), "finding"));
    if rows.is_empty() {
        return summary;
    }
    table(["KIND", "CREDENTIAL", "DISPLAY NAME", "RESOURCE", "LAST SEEN", "WHAT TO DO"], &rows) + &summary
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
