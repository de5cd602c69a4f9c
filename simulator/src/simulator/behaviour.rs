//! The controls of how the server behaves.

use std::collections::BTreeMap;

use super::Simulator;
use crate::config::{Account, Config, DEFAULT_ACCOUNT, Token};
use crate::faults::{Fault, FaultId};

/// How the server behaves.
impl Simulator {
    /// Adds a fault.
    pub fn fault(&self, fault: Fault) -> FaultId {
        self.state().faults.push(fault)
    }

    /// The faults in force, as far as they are not used up.
    pub fn faults(&self) -> Vec<(FaultId, Fault)> {
        self.state().faults.list()
    }

    /// Takes a fault away. Tells whether it was still there.
    pub fn remove_fault(&self, id: FaultId) -> bool {
        self.state().faults.remove(id)
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// How it behaves now.
    pub fn config(&self) -> Config {
        self.state().config.clone()
    }

    /// Changes how it behaves.
    pub fn reconfigure(&self, change: impl FnOnce(&mut Config)) {
        change(&mut self.state().config);
        self.notify();
    }

    /// Adds an account, or gives one that is there other callers and another pace. Its credentials stay.
    pub fn put_account(&self, name: &str, account: Account) {
        self.reconfigure(|config| drop(config.accounts.insert(name.to_owned(), account)));
    }

    /// Accepts one more token of this account.
    pub fn add_token(&self, text: &str, token: Token) {
        self.reconfigure(|config| drop(self.tokens(config).insert(text.to_owned(), token)));
    }

    /// Refuses a token from now on. Tells whether it was valid.
    pub fn revoke_token(&self, text: &str) -> bool {
        let mut state = self.state();
        let was_configured = self.tokens(&mut state.config).remove(text).is_some();
        state.tokens.revoke(text) || was_configured
    }

    /// Refuses all tokens that were issued by exchange for this account up to now.
    pub fn revoke_issued_tokens(&self) {
        self.state().tokens.revoke_all(&self.account);
    }

    fn tokens<'a>(&self, config: &'a mut Config) -> &'a mut BTreeMap<String, Token> {
        match &*self.account {
            DEFAULT_ACCOUNT => &mut config.tokens,
            account => &mut config.accounts.entry(account.to_owned()).or_default().tokens,
        }
    }
}
