//! The account of each resource: its own, or that of the flags.

use std::sync::Arc;

use kube::ResourceExt;

use super::gather::Gathered;
use crate::account::{Account, AccountReadError, AccountReader};
use crate::api::ConfidenceClientCredential;
use crate::cli::plugin::cluster::Cluster;
use crate::cli::plugin::target::account_sentence;
use crate::cli::plugin::{CommandError, TargetFlags};
use crate::credential::{Failure, client_of};

/// The account of a resource, or why the resource has none.
pub(super) type Found = Result<Arc<Account>, String>;

/// Finds the account of each resource, in their order. The account of the flags is needed only where a resource names none.
pub(super) async fn find(
    flags: &TargetFlags,
    cluster: Option<&Cluster>,
    gathered: &[Gathered],
) -> Result<Vec<Found>, CommandError> {
    let needs_default = gathered.iter().any(|it| it.resource.spec.account_ref.is_none());
    let default = if needs_default { Some(flags.account().await?) } else { None };
    let mut reader = cluster.map(|cluster| flags.reader(cluster, default.clone())).transpose()?;
    let mut found = Vec::with_capacity(gathered.len());
    for Gathered { resource, .. } in gathered {
        found.push(match (&resource.spec.account_ref, &mut reader, &default) {
            (None, _, Some(default)) => Ok(Arc::clone(default)),
            (_, Some(reader), _) => of_reference(reader, resource).await,
            _ => Err("spec.accountRef: no cluster to read the account from; give --kubeconfig or --context".to_owned()),
        });
    }
    Ok(found)
}

async fn of_reference(reader: &mut AccountReader, resource: &ConfidenceClientCredential) -> Found {
    let (namespace, spec) = (resource.namespace().unwrap_or_default(), &resource.spec);
    let found = reader.find(&namespace, spec.account_ref.as_ref(), &client_of(spec)).await;
    found.map_err(|error| match error {
        // In the words of the operator's status.
        AccountReadError::NoAccount(no_account) => {
            let failure = Failure::from(no_account);
            format!("{}: {}", failure.reason, failure.message)
        }
        error => account_sentence(&error),
    })
}
