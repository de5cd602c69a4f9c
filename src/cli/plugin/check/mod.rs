//! `check`: everything that an installation needs, tried and ticked off. It changes nothing.

// The docs of the flags are their --help: text for a terminal, without the marks of Markdown.
#![allow(clippy::doc_markdown)]

mod confidence;
mod crd;
mod item;
mod rights;

use clap::Args;
use kube::Api;

use self::item::{Item, failed, passed};
use super::cluster::Cluster;
use super::error::kube_sentence;
use super::{CommandError, OutputFormat, TargetFlags, output};

/// What is not found out, below the flags.
pub(super) const HELP: &str = "Nothing is changed, so whether the account may write is not found out: the scope for that is \
                               update:clientcredentials.\n\nExit code: 0 all is well, 1 something is missing.";

/// The flags of `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckFlags {
    /// The client whose credentials are listed [default: the first that the account shows]
    #[arg(long, value_name = "CLIENT")]
    pub client: Option<String>,
    /// Check the rights in all namespaces, which an operator that watches all needs
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: OutputFormat,
    /// Which cluster and which account.
    #[command(flatten)]
    pub target: TargetFlags,
}

/// Runs the command to its exit code.
pub(super) async fn run(flags: &CheckFlags) -> Result<u8, CommandError> {
    let mut items = confidence::check(flags).await;
    items.extend(check_cluster(flags).await);
    output::print(&match flags.output {
        OutputFormat::Text => item::text(&items),
        OutputFormat::Json => output::json(&items)?,
    })?;
    Ok(u8::from(items.iter().any(|item| !item.ok)))
}

async fn check_cluster(flags: &CheckFlags) -> Vec<Item> {
    let cluster = match flags.target.cluster.connect().await {
        Ok(cluster) => cluster,
        Err(error) => return vec![failed("cluster", error.to_string())],
    };
    let version = match cluster.client.apiserver_version().await {
        Ok(version) => version.git_version,
        Err(error) => return vec![failed("cluster", kube_sentence(&error))],
    };
    let namespace = (!flags.all_namespaces).then_some(cluster.namespace.as_str());
    let mut items = vec![passed("cluster", format!("Kubernetes {version}"))];
    items.push(check_crd(&cluster).await);
    items.extend(rights::check(&cluster, namespace).await);
    items
}

/// The CRD itself, or where that may not be read, whether the API server serves the kind.
async fn check_crd(cluster: &Cluster) -> Item {
    match Api::all(cluster.client.clone()).get_opt(crd::NAME).await {
        Ok(found) => crd::judge(found.as_ref()),
        Err(kube::Error::Api(status)) if status.code == 403 => {
            match cluster.client.list_api_group_resources(crd::GROUP_VERSION).await {
                Ok(_) => passed("CRD", format!("{} is served; its schema may not be read", crd::GROUP_VERSION)),
                Err(_) => crd::judge(None),
            }
        }
        Err(error) => failed("CRD", kube_sentence(&error)),
    }
}
