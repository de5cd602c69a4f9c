//! The command line: every flag has an environment variable, a default and a sentence.

// The docs of the flags are their --help: text for a terminal, without the marks of Markdown.
#![allow(clippy::doc_markdown, rustdoc::bare_urls, rustdoc::invalid_html_tags)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::account_flags::AccountFlags;
use super::plugin::PluginCommand;
use crate::api::durations;
use crate::credential::ObserveMode;

/// Keeps Confidence client credentials as the manifests in this cluster say.
///
/// Watches ConfidenceClientCredential resources. It updates the credentials that they name through the Confidence IAM API, and
/// writes only what differs. It creates, rotates and deletes the credentials of resources that name a client. Give it the
/// account's credentials in one of three ways: --token-file, --client-id-file with --client-secret-file, or, for a quick try,
/// the environment variable CONFIDENCE_TOKEN. The cluster is found as usual: in the pod, else by KUBECONFIG.
#[derive(Debug, Parser)]
#[command(name = "confidence-operator", version, args_conflicts_with_subcommands = true, args_override_self = true)]
pub struct Cli {
    /// What to do; running is the default.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags of `run`.
    #[command(flatten)]
    pub run: RunFlags,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator (the default)
    Run(Box<RunFlags>),
    /// Print the CRDs as YAML
    Crd,
    /// The commands of the kubectl plugin
    #[command(flatten)]
    Plugin(PluginCommand),
}

/// See what the confidence-operator would do before it does it, import what exists, find what was forgotten.
///
/// A plugin of kubectl: the confidence-operator under the name kubectl-confidence. No command writes to Confidence.
#[derive(Debug, Parser)]
#[command(name = "kubectl-confidence", bin_name = "kubectl confidence", version, arg_required_else_help = true)]
pub struct PluginCli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The flags of `run`.
#[derive(Clone, Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // flags are
pub struct RunFlags {
    /// The operator's own account.
    #[command(flatten)]
    pub account: AccountFlags,
    /// How to observe a credential: read it; or, where reading is not offered or not allowed (auto), or always (update),
    /// through an update of its display name
    #[arg(long, env = "CONFIDENCE_OBSERVE", value_enum, default_value_t)]
    pub observe: ObserveMode,
    /// How often to check for drift, such as 90s, 10m or 1h30m; a resource may say otherwise
    #[arg(long, env = "CONFIDENCE_INTERVAL", default_value = "10m", value_parser = durations::parse)]
    pub interval: Duration,
    /// The shortest interval that a resource may ask for; a shorter one counts as this
    #[arg(long, env = "MIN_INTERVAL", default_value = "30s", value_parser = durations::parse)]
    pub min_interval: Duration,
    /// Go without an account of the operator's own: each resource names one in spec.accountRef
    #[arg(long, env = "NO_DEFAULT_ACCOUNT")]
    pub no_default_account: bool,
    /// Use the accounts that are resources, ConfidenceAccount and ClusterConfidenceAccount; false where the operator has no
    /// rights for them
    #[arg(long, env = "WATCH_ACCOUNTS", default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub watch_accounts: bool,
    /// By how much lastSeenTime must move to be worth a status write of its own
    #[arg(long, env = "CONFIDENCE_LAST_SEEN_RESOLUTION", default_value = "1h", value_parser = durations::parse)]
    pub last_seen_resolution: Duration,
    /// Watch this namespace only; may be repeated [default: all namespaces]
    #[arg(long = "watch-namespace", env = "WATCH_NAMESPACES", value_delimiter = ',', value_name = "NAMESPACE",
          value_parser = namespace)]
    pub watch_namespaces: Vec<String>,
    /// Watch Secrets, so that a changed one triggers a reconcile at once; false where the operator may get some but list none:
    /// a change is then noticed at the interval
    #[arg(long, env = "WATCH_SECRETS", default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub watch_secrets: bool,
    /// Where to serve /livez, /readyz and /metrics
    #[arg(long, env = "LISTEN", default_value = "[::]:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// How to write the log [default: text on a terminal, json otherwise]
    #[arg(long, env = "LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
    /// What to log: a level (error, warn, info, debug, trace) or directives such as info,confidence_operator=debug
    #[arg(long, env = "LOG_LEVEL", default_value = "info", value_name = "FILTER")]
    pub log_level: String,
    /// The id of this installation: it tells its credentials from those of another [default: the uid of the namespace
    /// kube-system]
    #[arg(long, env = "INSTANCE_ID", value_name = "ID")]
    pub instance_id: Option<String>,
    /// The name of the Lease, in the namespace of the pod
    #[arg(long, env = "LEASE_NAME", default_value = "confidence-operator", value_name = "NAME")]
    pub lease_name: String,
    /// Let only the replica that holds the Lease work: needed with more than one
    #[arg(long, env = "LEADER_ELECT")]
    pub leader_elect: bool,
    /// How long the Lease lasts without being renewed: as long as it takes until another replica follows one that died
    #[arg(long, env = "LEASE_DURATION", default_value = "30s", value_parser = lease_duration)]
    pub lease_duration: Duration,
}

fn lease_duration(text: &str) -> Result<Duration, String> {
    let duration = durations::parse(text)?;
    let shortest = crate::engine::leader_election::SHORTEST;
    if duration < shortest { Err(format!("a lease lasts {} s or more", shortest.as_secs())) } else { Ok(duration) }
}

/// The name of a namespace, as the API server allows it. An empty one is dropped later: alone, it means all of them.
fn namespace(text: &str) -> Result<String, String> {
    let name = text.trim();
    let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_edge_fine = !name.starts_with('-') && !name.ends_with('-');
    if name.len() <= 63 && name.bytes().all(is_name) && is_edge_fine {
        Ok(name.to_owned())
    } else {
        Err(format!("{name:?} is not the name of a namespace: lower case letters, digits and -, at most 63"))
    }
}

/// How to write the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

impl RunFlags {
    /// The namespaces to watch, each once; all where there are none.
    pub fn namespaces(&self) -> Vec<String> {
        let named = self.watch_namespaces.iter().filter(|name| !name.is_empty()).cloned();
        named.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        PluginCli::command().debug_assert();
    }

    /// OLM sets an empty list where all namespaces are meant. What is no name would be watched in vain.
    #[test]
    fn namespaces_are_names_or_all() {
        let parse = |list: &str| Cli::try_parse_from(["confidence-operator", &format!("--watch-namespace={list}")]);
        assert_eq!(parse("a,b").unwrap().run.namespaces(), ["a", "b"]);
        assert_eq!(parse("b,a,b").unwrap().run.namespaces(), ["a", "b"]);
        assert!(parse("").unwrap().run.namespaces().is_empty());
        for list in ["A", "a_b", "-a", "a,b/c"] {
            assert!(parse(list).unwrap_err().to_string().contains("not the name of a namespace"), "{list}");
        }
    }
}
