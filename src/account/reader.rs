//! Reads account resources once, with the rights of whoever asks: for the commands of a person. The operator watches them.
//!
//! What is read goes into a registry of its own, so that grants and messages are those of the operator.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;

use super::connector::{BudgetKey, BudgetShare, Connector, Plan};
use super::object::AccountObject;
use super::registry::{Listed, describe};
use super::secret::{SecretError, SecretSource};
use super::{Account, Accounts, NoAccount, name_of};
use crate::api::account::Grant;
use crate::api::spec::{AccountKind, AccountRef};
use crate::api::{ClusterConfidenceAccount, ConfidenceAccount, ConfidenceAccountSpec};

/// Why an account cannot be used by whoever asks. Displays as a sentence for a person.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AccountReadError {
    /// The operator would say so of the resource too.
    #[error(transparent)]
    NoAccount(#[from] NoAccount),
    /// There is no such account.
    #[error("there is no {0}; check its kind, its name and the namespace")]
    Missing(String),
    /// The spec of the account cannot be used.
    #[error("{0} cannot be used: {1}")]
    Unusable(String, String),
    /// The Secret of the account gives no credentials to whoever asks.
    #[error("{0}")]
    Secret(String),
    /// The API server did not answer with the object; the first is what was asked for.
    #[error("{0} cannot be read: {1}")]
    Api(String, #[source] Arc<kube::Error>),
}

/// Reads accounts, each once.
pub struct AccountReader {
    client: Client,
    operator_namespace: String,
    accounts: Accounts,
    /// The accounts that were looked for; none where there is none.
    read: HashMap<Arc<str>, Result<Option<Found>, AccountReadError>>,
    /// The accounts whose Secrets gave no credentials.
    refused: HashMap<Arc<str>, AccountReadError>,
    /// The namespaces whose labels were read.
    namespaces: Vec<String>,
    /// The budgets, which accounts of one API client share for as long as these are here.
    shares: Vec<BudgetShare>,
}

/// The grants of an account; none for a kind that needs none.
type Grants = Option<Vec<Grant>>;

/// An account resource.
#[derive(Clone)]
struct Found {
    spec: ConfidenceAccountSpec,
    secret_namespace: String,
}

impl AccountReader {
    /// Reads with this client. The Secrets of accounts of the cluster are in the operator's namespace.
    pub fn new(client: Client, operator_namespace: &str, default: Option<Arc<Account>>, connector: Connector) -> Self {
        Self {
            client,
            operator_namespace: operator_namespace.to_owned(),
            accounts: Accounts::new(default, Some(connector)),
            read: HashMap::new(),
            refused: HashMap::new(),
            namespaces: Vec::new(),
            shares: Vec::new(),
        }
    }

    /// The account of a resource, if its grants cover the resource, as [`Accounts::find`] has it. `client_id` is that of the
    /// resource's client. A Secret is read only for a resource that is covered.
    ///
    /// # Errors
    /// When there is no such account, the resource may not use it, or whoever asks may not read it.
    pub async fn find(
        &mut self,
        namespace: &str,
        reference: Option<&AccountRef>,
        client_id: &str,
    ) -> Result<Arc<Account>, AccountReadError> {
        if let Some(reference) = reference {
            self.read(namespace, reference).await?;
            self.read_labels(namespace).await?;
        }
        match (self.accounts.find(namespace, reference, client_id), reference) {
            // The grants cover it, and the account has no client yet.
            (Err(NoAccount::Pending), Some(reference)) => {
                // What is wrong with the spec is told below.
                let _ = self.connect(namespace, reference).await?;
            }
            (found, _) => return Ok(found?),
        }
        Ok(self.accounts.find(namespace, reference, client_id)?)
    }

    /// An account for whoever may read its Secret, whatever its grants say.
    ///
    /// # Errors
    /// When there is no such account, or whoever asks may not read it.
    pub async fn open(&mut self, namespace: &str, reference: &AccountRef) -> Result<Arc<Account>, AccountReadError> {
        self.read(namespace, reference).await?;
        let made = self.connect(namespace, reference).await?;
        made.map_err(|why| AccountReadError::Unusable(describe(reference), why))
    }

    /// Reads an account, once.
    async fn read(&mut self, namespace: &str, reference: &AccountRef) -> Result<(), AccountReadError> {
        let name = name_of(namespace, Some(reference));
        if let Some(read) = self.read.get(&name) {
            return read.as_ref().map(|_| ()).map_err(Clone::clone);
        }
        let read = self.read_object(namespace, reference).await;
        let failed = |error| AccountReadError::Api(describe(reference), Arc::new(error));
        let read = read.map_err(failed).map(|object| {
            self.accounts.set_listed(reference.kind, Listed::Complete);
            let (found, grants) = object?;
            self.accounts.put(&name, grants, None);
            Some(found)
        });
        let result = read.as_ref().map(|_| ()).map_err(Clone::clone);
        self.read.insert(name, read);
        result
    }

    async fn read_object(&self, namespace: &str, reference: &AccountRef) -> kube::Result<Option<(Found, Grants)>> {
        let (client, name) = (self.client.clone(), &reference.name);
        Ok(match reference.kind {
            AccountKind::ConfidenceAccount => {
                let api: Api<ConfidenceAccount> = Api::namespaced(client, namespace);
                api.get_opt(name).await?.map(|object| self.parts_of(&object))
            }
            AccountKind::ClusterConfidenceAccount => {
                let api: Api<ClusterConfidenceAccount> = Api::all(client);
                api.get_opt(name).await?.map(|object| self.parts_of(&object))
            }
            AccountKind::Unknown => None,
        })
    }

    fn parts_of<K: AccountObject>(&self, object: &K) -> (Found, Grants) {
        let namespace = object.meta().namespace.as_deref().unwrap_or(&self.operator_namespace);
        let found = Found { spec: object.settings().clone(), secret_namespace: namespace.to_owned() };
        (found, object.grants().map(<[_]>::to_vec))
    }

    /// Reads the labels that grants select namespaces by, where a grant does.
    async fn read_labels(&mut self, namespace: &str) -> Result<(), AccountReadError> {
        if !self.accounts.needs_namespaces() || self.namespaces.iter().any(|it| it == namespace) {
            return Ok(());
        }
        let read = Api::<Namespace>::all(self.client.clone()).get_metadata_opt(namespace).await;
        let what = || format!("namespace {namespace}, whose labels the grants of the account select by,");
        let read = read.map_err(|error| AccountReadError::Api(what(), Arc::new(error)))?;
        let labels = read.map(|it| it.labels().clone()).unwrap_or_default();
        self.accounts.set_labels(&namespace.into(), Some(labels));
        self.namespaces.push(namespace.to_owned());
        Ok(())
    }

    /// Makes the client of an account; the inner error says what is wrong with its spec.
    async fn connect(
        &mut self,
        namespace: &str,
        reference: &AccountRef,
    ) -> Result<Result<Arc<Account>, String>, AccountReadError> {
        let name = name_of(namespace, Some(reference));
        let Some(Ok(Some(found))) = self.read.get(&name).cloned() else {
            return Err(AccountReadError::Missing(describe(reference)));
        };
        if let Some(error) = self.refused.get(&name) {
            return Err(error.clone());
        }
        let made = self.make(&name, &found).await.map_err(|error| {
            let error = AccountReadError::Secret(sentence(&error, reference.kind));
            self.refused.insert(Arc::clone(&name), error.clone());
            error
        })?;
        self.accounts.connect(&name, made.clone());
        Ok(made)
    }

    /// Reads the Secret of an account, and makes the client.
    async fn make(&mut self, name: &Arc<str>, found: &Found) -> Result<Result<Arc<Account>, String>, SecretError> {
        let spec = &found.spec;
        let source = SecretSource::of(&spec.credentials, &found.secret_namespace)?;
        let credentials = source.read(&self.client).await?;
        let key = BudgetKey::of(&spec.url, &source, &credentials);
        let (_, values) = watch::channel(Some(credentials));
        let plan = Plan {
            name,
            url: &spec.url,
            requests_per_second: spec.requests_per_second,
            key,
            values,
            advice: format!("put valid credentials into Secret {}", source.secret),
        };
        let Some(connector) = self.accounts.connector() else { return Ok(Err("accounts are not used".to_owned())) };
        Ok(connector.connect(plan).map(|(account, share)| {
            self.shares.push(share);
            Arc::new(account)
        }))
    }
}

fn sentence(error: &SecretError, kind: AccountKind) -> String {
    let hint = match kind {
        AccountKind::ClusterConfidenceAccount => {
            "; if the operator runs in another namespace, give --operator-namespace"
        }
        _ => "",
    };
    match error {
        SecretError::Forbidden(secret) => {
            format!("Secret {secret} cannot be read: you may not get it; ask for that right{hint}")
        }
        SecretError::Missing(_) => format!("{error}{hint}"),
        SecretError::Unreadable(_) => error.to_string(),
    }
}
