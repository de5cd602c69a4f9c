//! The command line: every flag has an environment variable, a default and a sentence.

// The docs of the flags are their --help: text for a terminal, without the marks of Markdown.
#![allow(clippy::doc_markdown, rustdoc::bare_urls, rustdoc::invalid_html_tags)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use secrecy::SecretString;

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
}

/// The flags of `run`.
#[derive(Clone, Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // flags are
pub struct RunFlags {
    /// Where the Confidence IAM API is: https://iam.confidence.dev, or https://iam.eu.confidence.dev or
    /// https://iam.us.confidence.dev for one region
    #[arg(long, env = "CONFIDENCE_URL", default_value = "https://iam.confidence.dev", value_name = "URL")]
    pub confidence_url: String,
    /// A file with a bearer token; read again when it changes
    #[arg(long, env = "CONFIDENCE_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// A file with the id of an API client, to be exchanged for tokens; goes with --client-secret-file
    #[arg(long, env = "CONFIDENCE_CLIENT_ID_FILE", value_name = "FILE")]
    pub client_id_file: Option<PathBuf>,
    /// A file with the secret of that API client
    #[arg(long, env = "CONFIDENCE_CLIENT_SECRET_FILE", value_name = "FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// Where the id and secret are exchanged for a token [default: <confidence-url>/v1/oauth/token]
    #[arg(long, env = "CONFIDENCE_TOKEN_URL", value_name = "URL")]
    pub token_url: Option<String>,
    /// A file with certificates (PEM) of further authorities to trust when calling Confidence
    #[arg(long, env = "CONFIDENCE_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Allow an http:// URL that is not loopback: the token then crosses the network in the clear
    #[arg(long, env = "CONFIDENCE_ALLOW_INSECURE_URL")]
    pub allow_insecure_url: bool,
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
    /// Go without an account of the operator's own; this version knows no other account, so every resource is Stalled then
    #[arg(long, env = "NO_DEFAULT_ACCOUNT")]
    pub no_default_account: bool,
    /// How many requests a second the whole account may cost, token requests included
    #[arg(long, env = "CONFIDENCE_REQUESTS_PER_SECOND", default_value = "20", value_name = "N")]
    pub requests_per_second: NonZeroU32,
    /// By how much lastSeenTime must move to be worth a status write of its own
    #[arg(long, env = "CONFIDENCE_LAST_SEEN_RESOLUTION", default_value = "1h", value_parser = durations::parse)]
    pub last_seen_resolution: Duration,
    /// How the server wants labels: as it shows them (auto), as one JSON object, or as an array of maps
    #[arg(long, env = "CONFIDENCE_LABELS_ENCODING", value_enum, default_value_t)]
    pub labels_encoding: LabelsEncodingFlag,
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

/// How the server wants labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LabelsEncodingFlag {
    /// As it shows them, or as it turns out.
    #[default]
    Auto,
    /// One JSON object.
    Object,
    /// An array of maps.
    Array,
}

/// How to write the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// The account's credentials, as they were given.
#[derive(Clone, Debug)]
pub enum CredentialSource {
    /// A file with a token.
    TokenFile(PathBuf),
    /// Two files, to be exchanged for tokens.
    ClientFiles {
        /// With the id.
        id: PathBuf,
        /// With the secret.
        secret: PathBuf,
    },
    /// A token from the environment.
    Token(SecretString),
}

impl RunFlags {
    /// The namespaces to watch, each once; all where there are none.
    pub fn namespaces(&self) -> Vec<String> {
        let named = self.watch_namespaces.iter().filter(|name| !name.is_empty()).cloned();
        named.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Which of the three kinds of credentials was given. `CONFIDENCE_TOKEN` has no flag, because a command line is there
    /// for every process of the machine to read; a file wins over it.
    pub fn credential_source(&self, environment_token: Option<String>) -> Result<CredentialSource, String> {
        match (&self.token_file, &self.client_id_file, &self.client_secret_file) {
            (Some(token), None, None) => Ok(CredentialSource::TokenFile(token.clone())),
            (None, Some(id), Some(secret)) => {
                Ok(CredentialSource::ClientFiles { id: id.clone(), secret: secret.clone() })
            }
            (Some(_), _, _) => {
                Err("--token-file and --client-id-file or --client-secret-file are two kinds of credentials: give one".into())
            }
            (None, Some(_), None) => Err("--client-id-file needs --client-secret-file beside it".into()),
            (None, None, Some(_)) => Err("--client-secret-file needs --client-id-file beside it".into()),
            (None, None, None) => environment_token
                .map(|token| token.trim_end_matches(['\r', '\n']).to_owned())
                .filter(|token| !token.is_empty())
                .map(|token| CredentialSource::Token(token.into()))
                .ok_or_else(|| {
                    "no credentials for Confidence: give --token-file, or --client-id-file with --client-secret-file, or \
                     set CONFIDENCE_TOKEN"
                        .into()
                }),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn source(flags: &[&str], environment: Option<&str>) -> Result<CredentialSource, String> {
        let cli = Cli::try_parse_from(["confidence-operator"].iter().chain(flags)).unwrap();
        cli.run.credential_source(environment.map(str::to_owned))
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
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

    #[test]
    fn exactly_one_kind_of_credentials_is_taken_and_a_file_wins_over_the_environment() {
        assert!(matches!(source(&["--token-file", "t"], Some("x")), Ok(CredentialSource::TokenFile(_))));
        assert!(matches!(source(&[], Some("x\n")), Ok(CredentialSource::Token(_))));
        let files = ["--client-id-file", "i", "--client-secret-file", "s"];
        assert!(matches!(source(&files, None), Ok(CredentialSource::ClientFiles { .. })));
        for flags in [&["--token-file", "t", "--client-id-file", "i"][..], &files[..2], &files[2..], &[]] {
            assert!(source(flags, None).is_err(), "{flags:?}");
        }
        assert!(source(&[], Some("")).is_err());
    }

    #[test]
    fn the_environment_token_is_not_in_debug() {
        assert!(!format!("{:?}", source(&[], Some("s3cr3t")).unwrap()).contains("s3cr3t"));
    }
}
