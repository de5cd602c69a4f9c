//! What is taken down of a request when it is over: for the rate limiter, the classification, the metrics and the log.

use std::sync::PoisonError;
use std::time::Duration;

use super::call::{Call, CallKind};
use super::executor::Executor;
use crate::confidence::admission::Permit;
use crate::confidence::error::{Cause, Effect, Error};

impl Executor {
    /// Takes down what a request came to.
    pub(super) fn record(&self, call: &Call<'_>, error: Option<&Error>, permit: Permit, duration: Duration) {
        // The server's quota counts requests that reached it.
        if error.is_none_or(|error| error.is_answered() && error.cause() != Cause::RateLimited) {
            permit.accepted();
        }
        if error.is_none() {
            self.proven.prove(call.kind);
            if call.effect == Effect::Read && call.kind != CallKind::Token {
                let read = Call { still_wanted: &|| true, ..call.clone() };
                *self.last_read.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
            }
        }
        self.metrics.request(call.kind, error.map(Error::cause), duration);
        self.log(call, error, duration);
    }

    /// Counts the entries of a list that could not be read.
    pub(super) fn record_unreadable(&self, call: &Call<'_>, unreadable: usize) {
        if unreadable > 0 {
            let account = self.metrics.name();
            tracing::warn!(account, about = call.about, unreadable, "entries of a list cannot be read");
            self.metrics.unreadable_entries(unreadable);
        }
    }

    /// One line for each write at a level that is on, for each read at one that somebody switches on.
    fn log(&self, call: &Call<'_>, error: Option<&Error>, duration: Duration) {
        let (account, kind) = (self.metrics.name(), call.kind.label());
        let outcome = error.map_or("ok", |error| error.cause().label());
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        if call.effect == Effect::Write {
            let mask = call.update_mask.as_deref();
            tracing::info!(account, kind, about = call.about, update_mask = mask, outcome, milliseconds, "write");
        } else {
            tracing::debug!(account, kind, about = call.about, outcome, milliseconds, "read");
        }
    }
}
