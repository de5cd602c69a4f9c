//! The watches: objects of one kind over all watched namespaces, and Secrets by their metadata.
//!
//! ```text
//! reader (pages, lines) → scope (list, then watch, for ever) → resources (a store and its changes)
//!                                                            → secrets   (versions alone)
//! ```
//!
//! Own code in the place of kube's `watcher`, because that one holds each page twice however large it is, fails a whole
//! page for one object that cannot be decoded, counts an expired version as a failure, and does not say when a watch
//! works again. Each scope goes its own way: one that is refused is named, and the others go on.

mod error;
mod item;
mod probe;
mod reader;
mod resources;
mod scope;
mod secrets;
mod tally;

pub use self::error::WatchError;
pub use self::probe::{Missing, end_stand_by, keep_namespaces, stand_by};
pub use self::reader::WATCH_TIMEOUT_SECONDS;
pub use self::resources::{WatchEvent, Watched, resources};
pub use self::scope::Scope;
pub use self::secrets::{SecretEvent, secrets};
pub use self::tally::Tally;

#[cfg(test)]
mod tests;
