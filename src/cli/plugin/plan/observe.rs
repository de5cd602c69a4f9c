//! Reads the credentials of many resources: a LIST where several are of one client, else a GET.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::StreamExt;

use super::resource_plan::planned_name;
use crate::account::Account;
use crate::api::ConfidenceClientCredential;
use crate::cli::plugin::account::{list_credentials, requester};
use crate::cli::plugin::progress::Progress;
use crate::confidence::name::CredentialName;
use crate::confidence::wire::ClientCredential;
use crate::confidence::{Confidence, Error};

/// From so many credentials of a client on, a LIST takes fewer calls.
const MIN_TO_LIST: usize = 3;

/// Reads in flight; the account's budget bounds how many a second there are.
const CONCURRENT_READS: usize = 8;

/// What reading came to, by account and credential.
pub(super) type Observed = HashMap<(Arc<str>, CredentialName), Result<ClientCredential, Error>>;

/// Reads the credential of each resource that has one, with its account.
pub(super) async fn observe<'a>(
    resources: impl Iterator<Item = (&'a Account, &'a ConfidenceClientCredential)>,
) -> Observed {
    let mut accounts: BTreeMap<Arc<str>, (&Account, Vec<&ConfidenceClientCredential>)> = BTreeMap::new();
    for (account, resource) in resources {
        accounts.entry(Arc::clone(&account.name)).or_insert_with(|| (account, Vec::new())).1.push(resource);
    }
    let mut observed = Observed::new();
    for (name, (account, resources)) in accounts {
        let read = observe_account(&account.confidence, &resources).await;
        observed.extend(read.into_iter().map(|(credential, read)| ((Arc::clone(&name), credential), read)));
    }
    observed
}

type Read = HashMap<CredentialName, Result<ClientCredential, Error>>;

/// Reads the credentials of one account.
async fn observe_account(confidence: &Confidence, resources: &[&ConfidenceClientCredential]) -> Read {
    let (mut observed, mut alone) = (Read::new(), Vec::new());
    for (client, names) in by_client(resources) {
        // A LIST need not carry the secret where a GET does.
        let (with_secret, without): (Vec<_>, Vec<_>) = names.into_iter().partition(|(_, has_secret)| *has_secret);
        alone.extend(with_secret.into_iter().map(|(name, _)| name));
        let without: Vec<_> = without.into_iter().map(|(name, _)| name).collect();
        if without.len() >= MIN_TO_LIST
            && let Ok(listed) = list_credentials(confidence, &client).await
        {
            observed.extend(listed.entries.into_iter().filter_map(|it| Some((it.name.clone()?, Ok(it)))));
        }
        // What a listing lacks is read by itself: a LIST shows what the account may see.
        alone.extend(without.into_iter().filter(|name| !observed.contains_key(name)));
    }
    let progress = Progress::counting("reading credentials", alone.len());
    let get = async |name: CredentialName| {
        let read = confidence.get(&name, &requester()).await;
        progress.advance();
        (name, read.map(|response| response.value))
    };
    let reads: Vec<_> = futures::stream::iter(alone).map(get).buffer_unordered(CONCURRENT_READS).collect().await;
    observed.extend(reads);
    observed
}

/// The names to read by the id of their client, each with whether a secret has to be compared.
fn by_client(resources: &[&ConfidenceClientCredential]) -> BTreeMap<String, BTreeMap<CredentialName, bool>> {
    let mut clients: BTreeMap<String, BTreeMap<CredentialName, bool>> = BTreeMap::new();
    for resource in resources {
        let Some(name) = planned_name(resource) else { continue };
        let names = clients.entry(name.client().to_owned()).or_default();
        *names.entry(name).or_default() |= resource.spec.client_secret.is_some();
    }
    clients
}
