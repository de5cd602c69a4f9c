//! Keeps one account resource: reads its Secret, makes its client, asks whether Confidence accepts it, and reports that.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::Accounts;
use super::connection::Connection;
use super::connector::{BudgetKey, Plan};
use super::object::AccountObject;
use super::secret::{SecretError, SecretSource};
use super::status::{Standing, next_status};
use crate::api::ConfidenceAccountSpec;
use crate::confidence::settings::CredentialValues;
use crate::engine::{AttemptId, Key, PendingStatus, StatusWriter};

/// How often a Secret is read whose changes nobody reports.
const READ_INTERVAL: Duration = Duration::from_secs(30);

/// What a keeper needs.
pub(super) struct KeeperParts<K: AccountObject> {
    pub(super) name: Arc<str>,
    pub(super) accounts: Accounts,
    pub(super) client: kube::Client,
    /// Where the Secret of a kind without namespace is.
    pub(super) own_namespace: Arc<str>,
    pub(super) statuses: Arc<StatusWriter<K>>,
    /// The object; news are those of its spec.
    pub(super) object: watch::Receiver<Arc<K>>,
    /// The Secret may have changed.
    pub(super) secret_changed: Arc<Notify>,
}

/// Keeps one account.
pub(super) struct Keeper<K: AccountObject> {
    parts: KeeperParts<K>,
    connection: Option<Connection>,
    secret_error: Option<String>,
    /// The generation of the spec that all of this is about.
    generation: Option<i64>,
}

impl<K: AccountObject> Keeper<K> {
    pub(super) fn new(parts: KeeperParts<K>) -> Self {
        Self { parts, connection: None, secret_error: None, generation: None }
    }

    /// Keeps the account for as long as it is polled.
    pub(super) async fn run(mut self) {
        loop {
            self.connect().await;
            let read_at = Instant::now() + READ_INTERVAL;
            loop {
                self.ask().await;
                self.report();
                if self.is_due(read_at).await {
                    break;
                }
            }
        }
    }

    /// Reads the Secret, and makes the client or tells it the credentials.
    async fn connect(&mut self) {
        let object = Arc::clone(&self.parts.object.borrow_and_update());
        self.generation = object.meta().generation;
        let spec = object.settings();
        let namespace = object.namespace().map_or_else(|| Arc::clone(&self.parts.own_namespace), Into::into);
        let source = SecretSource::of(&spec.credentials, &namespace);
        let read = match &source {
            Ok(source) => source.read(&self.parts.client).await,
            Err(error) => Err(SecretError::Missing(error.to_string())),
        };
        self.secret_error = read.as_ref().err().map(ToString::to_string);
        let values = match read {
            Ok(values) => Some(values),
            // The client goes on with what was read before.
            Err(SecretError::Unreadable(_) | SecretError::Forbidden(_)) if self.connection.is_some() => return,
            Err(_) => None,
        };
        let Ok(source) = source else { return };
        let key = self.budget_key(spec, &source, values.as_ref());
        match &mut self.connection {
            Some(connection) if connection.is_for(&source, &key) => {
                connection.update(spec, values, &self.parts.accounts);
            }
            _ => self.make(spec, source, key, values),
        }
    }

    fn budget_key(
        &self,
        spec: &ConfidenceAccountSpec,
        source: &SecretSource,
        values: Option<&CredentialValues>,
    ) -> BudgetKey {
        match (values, &self.connection) {
            (Some(values), _) => BudgetKey::of(&spec.url, source, values),
            // Without credentials it is still whose it was.
            (None, Some(connection)) => connection.key.clone(),
            (None, None) => BudgetKey::Own(Arc::clone(&self.parts.name)),
        }
    }

    fn make(
        &mut self,
        spec: &ConfidenceAccountSpec,
        source: SecretSource,
        key: BudgetKey,
        values: Option<CredentialValues>,
    ) {
        let Some(connector) = self.parts.accounts.connector() else { return };
        let (values, receiver) = watch::channel(values);
        let plan = Plan {
            name: &self.parts.name,
            url: &spec.url,
            requests_per_second: spec.requests_per_second,
            key: key.clone(),
            values: receiver,
            advice: format!("put valid credentials into the Secret of {:?} {}", K::KIND, self.parts.name),
        };
        let made = connector.connect(plan).map(|(account, share)| (Arc::new(account), share));
        self.parts.accounts.connect(&self.parts.name, made.as_ref().map(|it| Arc::clone(&it.0)).map_err(Clone::clone));
        match made {
            Ok(made) => self.connection = Some(Connection::new(made, source, key, values)),
            Err(why) => {
                self.connection = None;
                self.secret_error = Some(why);
            }
        }
    }

    /// Asks Confidence whether it accepts these credentials, unless it has said so.
    async fn ask(&mut self) {
        if let Some(connection) = self.connection.as_mut().filter(|_| self.secret_error.is_none()) {
            connection.ask(&self.parts.name).await;
        }
    }

    fn standing(&self) -> Option<Standing> {
        if let Some(why) = &self.secret_error {
            return Some(Standing::NoSecret(why.clone()));
        }
        self.connection.as_ref()?.standing()
    }

    fn report(&self) {
        let Some(standing) = self.standing() else { return };
        let object = Arc::clone(&self.parts.object.borrow());
        let key = Key::of(object.as_ref());
        let before = self.parts.statuses.current(&key, &object);
        let status = next_status(&before, self.generation, &standing, Timestamp::now());
        if status != before {
            let pending = PendingStatus { status, events: Vec::new(), attempt: AttemptId(0) };
            self.parts.statuses.put(&key, &object, pending);
        }
    }

    /// Waits for news. Returns whether the Secret is to be read again.
    async fn is_due(&mut self, read_at: Instant) -> bool {
        let client_changed = async {
            match &self.connection {
                Some(connection) => connection.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            changed = self.parts.object.changed() => match changed {
                Ok(()) => true,
                // Nobody watches the object any more.
                Err(_) => std::future::pending().await,
            },
            () = self.parts.secret_changed.notified() => true,
            () = client_changed => false,
            () = tokio::time::sleep_until(read_at) => true,
        }
    }
}
