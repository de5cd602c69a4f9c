//! What an error of the HTTP library means: above all, whether the request may have been sent.

use std::error::Error as StdError;
use std::io;

use super::guarded_body::MayNotWrite;
use super::{TransportError, TransportFault};

/// What an error of reqwest's means. Its words go without the URL: the caller knows which credential it asked for, and
/// every call of a blocked account is told the same words.
pub(super) fn fault_of(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    let fault = if is_withheld(&error) {
        TransportFault::Withheld
    } else if error.is_connect() && is_tls(&error) {
        // Outside the handshake a TLS failure is a broken connection: the request may have been carried out.
        TransportFault::Tls
    } else if io_kind(&error) == Some(io::ErrorKind::ConnectionRefused) {
        TransportFault::Refused
    } else if error.is_connect() && is_dns(&error) {
        TransportFault::Dns
    } else if error.is_connect() {
        TransportFault::Connect
    } else if error.is_timeout() {
        TransportFault::TimedOut
    } else {
        TransportFault::Broken
    };
    TransportError::new(fault, in_full(&error))
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    chain(error).filter_map(|it| it.downcast_ref::<io::Error>()).map(io::Error::kind).last()
}

/// hyper-util keeps the type of this error to itself; its words have been these since hyper 0.14.
fn is_dns(error: &reqwest::Error) -> bool {
    chain(error).any(|it| it.to_string().starts_with("dns error"))
}

fn is_withheld(error: &reqwest::Error) -> bool {
    chain(error).any(<dyn StdError>::is::<MayNotWrite>)
}

fn is_tls(error: &reqwest::Error) -> bool {
    chain(error).any(|it| it.is::<rustls::Error>() || it.downcast_ref::<io::Error>().is_some_and(holds_tls))
}

/// An `io::Error` is no link of the chain to what it wraps, and hyper-rustls wraps one in another.
fn holds_tls(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>() || inner.downcast_ref::<io::Error>().is_some_and(holds_tls))
}

/// The words of the whole chain: reqwest's own say only that sending failed.
pub(super) fn in_full(error: &(dyn StdError + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for text in chain(error).map(ToString::to_string) {
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}
