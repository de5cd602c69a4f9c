//! `audit`: credentials that nobody looks after, and the command that mends each. It mends nothing itself.

// The docs of the flags are their --help: text for a terminal, without the marks of Markdown.
#![allow(clippy::doc_markdown)]

mod finding;
mod pushgateway;

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use url::Url;

use self::finding::{Finding, Inputs, Kind};
use super::account::{client_id, list_clients, list_credentials_of};
use super::error::confidence_sentence;
use super::plan::list_resources;
use super::{CommandError, OutputFormat, TargetFlags, output};
use crate::api::durations;
use crate::confidence::Confidence;
use crate::confidence::wire::ClientCredential;

/// The exit codes, below the flags.
pub(super) const HELP: &str = "The resources of all namespaces are read, because any of them may manage a credential. -n is only for \
                               --account ConfidenceAccount/NAME.\n\n\
                               Exit code: 0, 1 where a kind of --fail-on was found, 2 something could not be read.";

/// The flags of `audit`.
#[derive(Clone, Debug, Args)]
pub struct AuditFlags {
    /// The credentials of this client alone: clients/ID, or the id; may be repeated [default: all clients]
    #[arg(long = "client", value_name = "CLIENT")]
    pub clients: Vec<String>,
    /// Exit with 1 where one of these kinds is found
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND")]
    pub fail_on: Vec<Kind>,
    /// After how long without a use a credential is stale
    #[arg(long, default_value = "2160h", value_parser = durations::parse, value_name = "DURATION")]
    pub stale_after: Duration,
    /// After how long since its creation a credential without any use is never-seen
    #[arg(long, default_value = "168h", value_parser = durations::parse, value_name = "DURATION")]
    pub never_seen_after: Duration,
    /// What tells the credentials of this installation from those of another [default: the uid of the namespace kube-system]
    #[arg(long, env = "INSTANCE_ID", value_name = "ID")]
    pub instance_id: Option<String>,
    /// A Prometheus Pushgateway to tell the number of findings of each kind (confidence_operator_audit_findings)
    #[arg(long, env = "PUSHGATEWAY_URL", value_name = "URL")]
    pub pushgateway: Option<Url>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: OutputFormat,
    /// Which cluster and which account.
    #[command(flatten)]
    pub target: TargetFlags,
}

/// Runs the command to its exit code.
pub(super) async fn run(flags: &AuditFlags) -> Result<u8, CommandError> {
    let account = flags.target.account().await?;
    let cluster = flags.target.cluster.connect().await?;
    let resources = list_resources(&cluster.all_resources()).await?;
    let instance = cluster.instance(flags.instance_id.as_deref()).await?;
    let (credentials, unreadable) = credentials(flags, &account.confidence).await?;
    let inputs = Inputs {
        resources: &resources,
        account: &account.name,
        instance: &instance,
        now: Timestamp::now(),
        stale_after: flags.stale_after,
        never_seen_after: flags.never_seen_after,
    };
    let findings = finding::findings(&credentials, &inputs);
    output::print(&match flags.output {
        OutputFormat::Text => finding::text(&findings, credentials.len()),
        OutputFormat::Json => output::json(&findings)?,
    })?;
    // A number that leaves out what cannot be read would be taken for the whole.
    if let Some(url) = flags.pushgateway.as_ref().filter(|_| unreadable == 0) {
        let choice = &flags.target.account;
        let group = pushgateway::group_url(url, &choice.operator_namespace, &account.name);
        pushgateway::push(&choice.flags.http_client()?, &group, pushgateway::metrics(&findings)?).await?;
    }
    if unreadable > 0 {
        output::tell(&format!("{unreadable} entries of the lists could not be read"));
        return Ok(2);
    }
    Ok(exit_code(&findings, &flags.fail_on))
}

fn exit_code(findings: &[Finding], fail_on: &[Kind]) -> u8 {
    u8::from(findings.iter().any(|finding| fail_on.contains(&finding.kind)))
}

async fn credentials(
    flags: &AuditFlags,
    confidence: &Confidence,
) -> Result<(Vec<ClientCredential>, usize), CommandError> {
    let mut clients: Vec<_> = flags.clients.iter().map(|it| client_id(it)).collect();
    let mut unreadable = 0;
    if clients.is_empty() {
        let listed = list_clients(confidence).await;
        let listed = listed.map_err(|error| {
            CommandError::new(format!("listing the clients: {}; or give --client", confidence_sentence(&error)))
        })?;
        unreadable += listed.unreadable;
        clients.extend(listed.entries.into_iter().map(|client| client.id));
    }
    let listed = list_credentials_of(confidence, clients).await?;
    Ok((listed.entries, unreadable + listed.unreadable))
}
