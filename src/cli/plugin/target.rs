//! Which cluster and which account: what the commands that read both have in common.

// The docs of the flags are their --help: text for a terminal, without the marks of Markdown.
#![allow(clippy::doc_markdown)]

use std::sync::Arc;

use clap::Args;

use super::CommandError;
use super::account::{connect, connector};
use super::cluster::{Cluster, ClusterFlags};
use super::error::kube_sentence;
use crate::account::{Account, AccountReadError, AccountReader};
use crate::api::spec::{AccountKind, AccountRef};
use crate::cli::account_flags::AccountFlags;

/// Which cluster and which account.
#[derive(Clone, Debug, Args)]
pub struct TargetFlags {
    /// Which cluster.
    #[command(flatten, next_help_heading = "Cluster")]
    pub cluster: ClusterFlags,
    /// Which account.
    #[command(flatten, next_help_heading = "Account")]
    pub account: AccountChoice,
}

/// Which account: one of the cluster, or that of the flags.
#[derive(Clone, Debug, Args)]
pub struct AccountChoice {
    /// An account of the cluster: ClusterConfidenceAccount/NAME, or ConfidenceAccount/NAME of the namespace. The command reads
    /// it and its Secret with your own rights, and ignores the URL and the credentials below
    #[arg(long = "account", value_name = "KIND/NAME", value_parser = account_reference)]
    pub reference: Option<AccountRef>,
    /// The namespace of the operator, which has the Secrets of ClusterConfidenceAccounts
    #[arg(long, env = "POD_NAMESPACE", default_value = "confidence-operator", value_name = "NAME")]
    pub operator_namespace: String,
    /// The account of the flags.
    #[command(flatten)]
    pub flags: AccountFlags,
}

impl TargetFlags {
    /// The account that is asked for.
    pub async fn account(&self) -> Result<Arc<Account>, CommandError> {
        let Some(reference) = &self.account.reference else { return Ok(Arc::new(connect(&self.account.flags)?)) };
        let cluster = self.cluster.connect().await?;
        let mut reader = self.reader(&cluster, None)?;
        let opened = reader.open(&cluster.namespace, reference).await;
        opened.map_err(|error| CommandError::new(format!("--account: {}", account_sentence(&error))))
    }

    /// What reads account resources with the caller's rights.
    pub fn reader(&self, cluster: &Cluster, default: Option<Arc<Account>>) -> Result<AccountReader, CommandError> {
        let connector = connector(&self.account.flags)?;
        Ok(AccountReader::new(cluster.client.clone(), &self.account.operator_namespace, default, connector))
    }
}

/// What is wrong with an account, and what to do.
pub fn account_sentence(error: &AccountReadError) -> String {
    match error {
        AccountReadError::Api(what, error) => format!("{what} cannot be read: {}", kube_sentence(error)),
        error => error.to_string(),
    }
}

/// `KIND/NAME`, the kind as kubectl takes and prints it.
fn account_reference(text: &str) -> Result<AccountRef, String> {
    let wrong = "give ConfidenceAccount/NAME or ClusterConfidenceAccount/NAME";
    let (kind, name) = text.split_once('/').ok_or(wrong)?;
    let kind = kind.to_lowercase();
    let kind = match kind.strip_suffix(".iam.confidence.dev").unwrap_or(&kind).trim_end_matches('s') {
        "confidenceaccount" => AccountKind::ConfidenceAccount,
        "clusterconfidenceaccount" => AccountKind::ClusterConfidenceAccount,
        _ => return Err(wrong.to_owned()),
    };
    if name.is_empty() || name.contains('/') {
        Err(wrong.to_owned())
    } else {
        Ok(AccountRef { kind, name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `kubectl get -o name` prints is taken as well.
    #[test]
    fn account_is_named_as_kubectl_does() {
        let cluster = AccountRef { kind: AccountKind::ClusterConfidenceAccount, name: "shop".to_owned() };
        let own = AccountRef { kind: AccountKind::ConfidenceAccount, name: "eu".to_owned() };
        assert_eq!(account_reference("ClusterConfidenceAccount/shop"), Ok(cluster.clone()));
        assert_eq!(account_reference("clusterconfidenceaccount.iam.confidence.dev/shop"), Ok(cluster));
        assert_eq!(account_reference("confidenceaccounts/eu"), Ok(own));
        for wrong in ["shop", "Secret/shop", "ConfidenceAccount/", "ConfidenceAccount/a/b"] {
            assert!(account_reference(wrong).is_err(), "{wrong}");
        }
    }
}
