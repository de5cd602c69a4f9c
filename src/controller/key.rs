//! Which resource: a key that is small and cheap to clone, for the maps that hold one entry each for all resources.
//!
//! kube's `ObjectRef` made from an object also holds its uid and version, which is many times as much.

use std::fmt;
use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use crate::api::ConfidenceClientCredential;

/// A resource, by its namespace and name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
}

impl Key {
    /// The key of an object.
    pub(super) fn of(object: &ConfidenceClientCredential) -> Self {
        Self::new(object.metadata.namespace.as_deref().unwrap_or_default(), &object.name_any())
    }

    pub(super) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The same for kube's queue and store.
    pub(super) fn object_ref(&self) -> ObjectRef<ConfidenceClientCredential> {
        ObjectRef::new(&self.name).within(&self.namespace)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
