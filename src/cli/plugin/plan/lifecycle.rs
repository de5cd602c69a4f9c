//! The lifecycle of created credentials: asks the operator's own decision, with what the caller may read.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::account::Account;
use crate::api::ConfidenceClientCredential;
use crate::cli::plugin::CommandError;
use crate::cli::plugin::account::{Listed, list_credentials, requester};
use crate::cli::plugin::cluster::Cluster;
use crate::cli::plugin::error::{confidence_sentence, kube_sentence};
use crate::confidence::wire::ClientCredential;
use crate::confidence::{Cause, Error};
use crate::credential::{Outlook, PreviewInputs, Unread, client_of, preview};

/// Previews resources, and lists each client once.
pub(super) struct Lifecycles<'a> {
    cluster: Option<&'a Cluster>,
    instance_id: Option<&'a str>,
    instance: Option<String>,
    listings: HashMap<(Arc<str>, String), Result<Listed<ClientCredential>, Error>>,
}

impl<'a> Lifecycles<'a> {
    /// For resources of a cluster, or of files without one.
    pub(super) fn new(cluster: Option<&'a Cluster>, instance_id: Option<&'a str>) -> Self {
        Self { cluster, instance_id, instance: None, listings: HashMap::new() }
    }

    /// What comes next for a resource in create mode; none for any other.
    pub(super) async fn next(
        &mut self,
        account: &Account,
        object: &ConfidenceClientCredential,
    ) -> Result<Option<Outlook>, CommandError> {
        if object.spec.client.is_none() {
            return Ok(None);
        }
        let instance = self.instance().await?;
        let client = client_of(&object.spec);
        let key = (Arc::clone(&account.name), client.clone());
        if !self.listings.contains_key(&key) {
            let listed = list_credentials(&account.confidence, &client).await;
            self.listings.insert(key.clone(), listed);
        }
        let listed = match self.listings.get(&key) {
            Some(Ok(listed)) => Some(listed),
            Some(Err(error)) if !matches!(error.cause(), Cause::Forbidden | Cause::Unsupported) => {
                return Err(CommandError::new(format!("listing clients/{client}: {}", confidence_sentence(error))));
            }
            _ => None,
        };
        let inputs = PreviewInputs {
            object,
            instance: &instance,
            client: self.cluster.map(|it| &it.client),
            confidence: &account.confidence,
            requester: &requester(),
            listed: listed.map(|it| it.entries.as_slice()),
            server_time: listed.and_then(|it| it.date).unwrap_or_else(Timestamp::now),
        };
        preview(&inputs).await.map(Some).map_err(|error| match error {
            Unread::Secret(error) => CommandError::new(format!("spec.publishedSecret: {}", kube_sentence(&error))),
            Unread::Credential(error) => error.into(),
            Unread::Spec(error) => CommandError::new(error.to_string()),
        })
    }

    /// The id of the installation. Without a cluster no resource exists yet, so nothing carries a label of it.
    async fn instance(&mut self) -> Result<String, CommandError> {
        if self.instance.is_none() {
            self.instance = Some(match (self.cluster, self.instance_id) {
                (Some(cluster), given) => cluster.instance(given).await?,
                (None, given) => given.unwrap_or_default().to_owned(),
            });
        }
        Ok(self.instance.clone().unwrap_or_default())
    }
}
