//! The tokens that were exchanged for an id and a secret.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Token;

/// Who calls: an account, and what the token is for.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub account: String,
    pub token: Token,
}

/// The tokens that were issued, and when each ends.
#[derive(Debug, Default)]
pub(crate) struct IssuedTokens {
    tokens: BTreeMap<String, (Caller, Instant)>,
    count: u64,
}

impl IssuedTokens {
    /// A token that was not issued before; the same ones in the same order in every run.
    pub fn issue(&mut self, caller: Caller, seconds: u64) -> String {
        self.count += 1;
        let token = format!("issued-token-{}", self.count);
        self.tokens.insert(token.clone(), (caller, Instant::now() + Duration::from_secs(seconds)));
        token
    }

    /// Whose token it is, if it has not ended.
    pub fn find(&self, text: &str) -> Option<&Caller> {
        self.tokens.get(text).filter(|(_, end)| *end > Instant::now()).map(|(caller, _)| caller)
    }

    pub fn revoke(&mut self, text: &str) -> bool {
        self.tokens.remove(text).is_some()
    }

    /// Ends all tokens of an account.
    pub fn revoke_all(&mut self, account: &str) {
        self.tokens.retain(|_, (caller, _)| caller.account != account);
    }
}
