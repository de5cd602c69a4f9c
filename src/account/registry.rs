//! The accounts that there are now, and who may use which.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use super::connector::Connector;
use super::grants::{Coverage, Labels, coverage, needs_labels};
use super::{Account, NoAccount, name_of};
use crate::api::account::Grant;
use crate::api::spec::{AccountKind, AccountRef};
use crate::engine::{Key, lock};

/// The kinds of accounts that are resources.
const KINDS: [AccountKind; 2] = [AccountKind::ConfidenceAccount, AccountKind::ClusterConfidenceAccount];

/// Every account that there is: the operator's own, and those that are resources. A clone is the same registry.
#[derive(Clone, Default)]
pub struct Accounts(Arc<Registry>);

#[derive(Default)]
struct Registry {
    default: Option<Arc<Account>>,
    /// None: account resources are not used.
    connector: Option<Connector>,
    state: Mutex<State>,
    /// Counts the changes.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    objects: HashMap<Arc<str>, Entry>,
    listed: HashMap<AccountKind, Listed>,
    namespaces: Namespaces,
}

/// An account resource.
struct Entry {
    /// None for a kind that needs no grants.
    grants: Option<Vec<Grant>>,
    /// The Secret with its credentials; none where the spec names none.
    secret: Option<Key>,
    account: Connection,
}

/// The client of an account resource.
#[derive(Clone)]
enum Connection {
    /// Its Secret is still being read.
    Pending,
    Made(Arc<Account>),
    /// The spec cannot be used.
    Unusable(String),
}

/// Whether a kind of account is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    /// The objects that there are.
    Complete,
    /// They cannot be listed.
    Refused,
}

/// The labels of the namespaces.
#[derive(Default)]
enum Namespaces {
    /// Not listed yet.
    #[default]
    Pending,
    Listed(HashMap<Arc<str>, Labels>),
    /// They cannot be listed, so that no selector selects.
    Refused,
}

impl Accounts {
    /// The operator's own account alone.
    pub fn of_default(account: Account) -> Self {
        Self(Arc::new(Registry { default: Some(Arc::new(account)), ..Registry::default() }))
    }

    /// The operator's own account, if it has one, and those that are resources, if they are used.
    pub fn new(default: Option<Arc<Account>>, connector: Option<Connector>) -> Self {
        Self(Arc::new(Registry { default, connector, ..Registry::default() }))
    }

    /// The account of a resource, if its grants cover the resource. `client` is the id of the resource's client.
    ///
    /// # Errors
    /// When there is no such account, or the resource may not use it.
    pub fn find(
        &self,
        namespace: &str,
        reference: Option<&AccountRef>,
        client: &str,
    ) -> Result<Arc<Account>, NoAccount> {
        let Some(reference) = reference else { return self.0.default.clone().ok_or(NoAccount::NoDefault) };
        let described = describe(reference);
        let state = self.state();
        let Some(entry) = state.objects.get(&name_of(namespace, Some(reference))) else {
            return Err(match state.listed.get(&reference.kind) {
                _ if self.0.connector.is_none() => NoAccount::Unwatched(described),
                Some(Listed::Refused) => NoAccount::Unwatched(described),
                None if reference.kind != AccountKind::Unknown => NoAccount::Pending,
                _ => NoAccount::NotFound(described),
            });
        };
        match entry.coverage(&state.namespaces, namespace, client) {
            Coverage::Denied => return Err(NoAccount::NotAllowed(described)),
            Coverage::Unknown => return Err(NoAccount::Pending),
            Coverage::Granted => {}
        }
        match &entry.account {
            Connection::Made(account) => Ok(Arc::clone(account)),
            Connection::Pending => Err(NoAccount::Pending),
            Connection::Unusable(why) => Err(NoAccount::Unusable(described, why.clone())),
        }
    }

    /// Whether a Secret holds the credentials of an account; none as long as the accounts are not listed.
    pub fn use_secret(&self, secret: &Key) -> Option<bool> {
        let state = self.state();
        let is_known = self.0.connector.is_none() || KINDS.iter().all(|kind| state.listed.contains_key(kind));
        is_known.then(|| state.objects.values().any(|entry| entry.secret.as_ref() == Some(secret)))
    }

    /// An account by its name.
    pub fn by_name(&self, name: &str) -> Option<Arc<Account>> {
        self.0.default.iter().find(|account| *account.name == *name).cloned().or_else(|| self.made(name))
    }

    /// Ends all calls but the writes that were sent: the program is about to end.
    pub fn close(&self) {
        self.all().iter().for_each(|account| account.confidence.close());
    }

    /// Every account that has a client, the operator's own first.
    pub fn all(&self) -> Vec<Arc<Account>> {
        let state = self.state();
        let mut made: Vec<_> = state.objects.values().filter_map(|entry| entry.account.made().cloned()).collect();
        made.sort_by(|a, b| a.name.cmp(&b.name));
        self.0.default.iter().cloned().chain(made).collect()
    }

    /// News: an account, a grant, or the labels of a namespace changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Waits until it is known of every account that exists now who may use it.
    pub async fn listed(&self) {
        let mut changes = self.changes();
        while !self.is_listed() && changes.changed().await.is_ok() {}
    }

    /// What makes the clients of account resources; none where they are not used.
    pub(super) fn connector(&self) -> Option<&Connector> {
        self.0.connector.as_ref()
    }

    fn is_listed(&self) -> bool {
        let state = self.state();
        let is_known = |kind: &AccountKind| state.listed.contains_key(kind);
        let is_pending = |entry: &Entry| matches!(entry.account, Connection::Pending);
        self.0.connector.is_none()
            || (KINDS.iter().all(is_known)
                && !state.objects.values().any(is_pending)
                && !(state.needs_namespaces() && matches!(state.namespaces, Namespaces::Pending)))
    }

    fn made(&self, name: &str) -> Option<Arc<Account>> {
        self.state().objects.get(name)?.account.made().cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.changes.send_modify(|count| *count += 1);
    }
}

/// What the watches report.
impl Accounts {
    /// An account exists, with these grants (none for a kind that needs none) and this Secret.
    pub(super) fn put(&self, name: &Arc<str>, grants: Option<Vec<Grant>>, secret: Option<Key>) {
        let is_same = |entry: &Entry| entry.grants == grants && entry.secret == secret;
        let is_known = self.state().objects.get(name).is_some_and(is_same);
        if !is_known {
            self.change(|state| {
                let account = state.objects.remove(name).map_or(Connection::Pending, |entry| entry.account);
                state.objects.insert(Arc::clone(name), Entry { grants, secret, account });
            });
        }
    }

    /// An account has a client, or cannot have one. The client before it is closed.
    pub(super) fn connect(&self, name: &str, account: Result<Arc<Account>, String>) {
        let mut before = None;
        self.change(|state| {
            let Some(entry) = state.objects.get_mut(name) else { return };
            before = entry.account.made().cloned();
            entry.account = match account {
                Ok(account) => Connection::Made(account),
                Err(why) => Connection::Unusable(why),
            };
        });
        if let Some(before) = before {
            before.close();
        }
    }

    /// An account is gone.
    pub(super) fn remove(&self, name: &str) {
        let mut before = None;
        self.change(|state| before = state.objects.remove(name));
        before.iter().filter_map(|entry| entry.account.made()).for_each(|account| account.close());
    }

    /// The accounts of a kind are listed, or cannot be.
    pub(super) fn set_listed(&self, kind: AccountKind, listed: Listed) {
        self.change(|state| {
            state.listed.insert(kind, listed);
        });
    }

    /// A namespace has these labels; none: it is gone.
    pub(super) fn set_labels(&self, namespace: &Arc<str>, labels: Option<Labels>) {
        let mut state = self.state();
        if !matches!(state.namespaces, Namespaces::Listed(_)) {
            state.namespaces = Namespaces::Listed(HashMap::new());
        }
        let Namespaces::Listed(namespaces) = &mut state.namespaces else { return };
        let before = namespaces.get(namespace);
        if before == labels.as_ref() {
            return;
        }
        match labels {
            Some(labels) => namespaces.insert(Arc::clone(namespace), labels),
            None => namespaces.remove(namespace),
        };
        drop(state);
        self.change(|_| {});
    }

    /// The namespaces cannot be listed: until they can, no selector selects one.
    pub(super) fn refuse_namespaces(&self) {
        self.change(|state| {
            if matches!(state.namespaces, Namespaces::Pending) {
                state.namespaces = Namespaces::Refused;
            }
        });
    }

    /// Whether a grant selects namespaces by their labels.
    pub(super) fn needs_namespaces(&self) -> bool {
        self.state().needs_namespaces()
    }
}

impl State {
    fn needs_namespaces(&self) -> bool {
        let mut grants = self.objects.values().filter_map(|entry| entry.grants.as_ref()).flatten();
        grants.any(|grant| needs_labels(&grant.namespace_selector))
    }
}

impl Entry {
    fn coverage(&self, namespaces: &Namespaces, namespace: &str, client: &str) -> Coverage {
        let Some(grants) = &self.grants else { return Coverage::Granted };
        let none = Labels::new();
        let labels = match namespaces {
            Namespaces::Listed(namespaces) => namespaces.get(namespace),
            Namespaces::Pending => None,
            Namespaces::Refused => Some(&none),
        };
        coverage(grants, labels, client)
    }
}

impl Connection {
    fn made(&self) -> Option<&Arc<Account>> {
        match self {
            Self::Made(account) => Some(account),
            Self::Pending | Self::Unusable(_) => None,
        }
    }
}

/// The account as a person writes it.
pub(super) fn describe(reference: &AccountRef) -> String {
    format!("{:?} {}", reference.kind, reference.name)
}
