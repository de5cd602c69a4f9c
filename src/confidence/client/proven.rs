//! Which calls the server is known to offer, because it gave a good answer to one.

use std::sync::atomic::{AtomicBool, Ordering};

use super::CallKind;

/// The calls that were answered well since the program started.
///
/// After that, words that are not Confidence's are a proxy's failure. Reads are known one by one: servers that offer the
/// update alone exist (the OpenAPI describes nothing else). Any good answer vouches for the writes.
#[derive(Debug, Default)]
pub(super) struct ProvenCalls {
    any: AtomicBool,
    get: AtomicBool,
    list: AtomicBool,
    list_clients: AtomicBool,
    token: AtomicBool,
}

impl ProvenCalls {
    pub(super) fn is_proven(&self, kind: CallKind) -> bool {
        self.of(kind).load(Ordering::Relaxed)
    }

    pub(super) fn prove(&self, kind: CallKind) {
        self.of(kind).store(true, Ordering::Relaxed);
        if kind != CallKind::Token {
            self.any.store(true, Ordering::Relaxed);
        }
    }

    fn of(&self, kind: CallKind) -> &AtomicBool {
        match kind {
            CallKind::Get => &self.get,
            CallKind::List => &self.list,
            CallKind::ListClients => &self.list_clients,
            CallKind::Token => &self.token,
            CallKind::Update | CallKind::Create | CallKind::Delete => &self.any,
        }
    }
}
