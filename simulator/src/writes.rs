//! Each write at the moment when it lands, for whoever judges what the callers do.

use std::fmt;

use jiff::Timestamp;

use crate::store::Credential;

/// A write that landed. Holds secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// When, on the server's clock.
    pub time: Timestamp,
    /// The account of the credential.
    pub account: String,
    /// The id of the client.
    pub client: String,
    /// The id of the credential.
    pub credential: String,
    /// The credential before; `None`, if the write created it.
    pub before: Option<Credential>,
    /// The credential after; `None`, if the write deleted it.
    pub after: Option<Credential>,
    /// The index of the call that wrote; `None`, if it was somebody with other means than the API.
    pub call: Option<usize>,
}

type Observer = Box<dyn Fn(&Write) + Send>;

/// Those who are told of each write.
#[derive(Default)]
pub(crate) struct Observers(Vec<Observer>);

impl Observers {
    pub fn push(&mut self, observer: impl Fn(&Write) + Send + 'static) {
        self.0.push(Box::new(observer));
    }

    pub fn tell(&self, write: &Write) {
        for observer in &self.0 {
            observer(write);
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observers").field(&self.0.len()).finish()
    }
}
