//! Which object: a key that is small and cheap to clone, for the maps that hold one entry for each resource.
//!
//! kube's `ObjectRef` made from an object also holds its uid and version, which is many times as much.

use std::fmt;
use std::sync::Arc;

use kube::Resource;
use kube::runtime::reflector::{Lookup, ObjectRef};

/// An object of a kind that is known from the context, by its namespace and name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The namespace; empty where the object is cluster-scoped.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl Key {
    /// The key of an object.
    pub fn of<K: Resource>(object: &K) -> Self {
        let meta = object.meta();
        Self::new(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
    }

    /// A key by its parts; the namespace is empty where the object is cluster-scoped.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The same for kube's queue and store.
    pub fn object_ref<K>(&self) -> ObjectRef<K>
    where
        K: Lookup,
        K::DynamicType: Default,
    {
        let object = ObjectRef::new(&self.name);
        if self.namespace.is_empty() { object } else { object.within(&self.namespace) }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
    use kube::core::ObjectMeta;

    use super::*;

    /// A namespaced object reads `namespace/name`, in kube's reference too.
    #[test]
    fn key_of_namespaced_object_names_both() {
        let meta = ObjectMeta { namespace: Some("shop".into()), name: Some("web".into()), ..ObjectMeta::default() };
        let key = Key::of(&ConfigMap { metadata: meta, ..ConfigMap::default() });
        assert_eq!(key, Key::new("shop", "web"));
        assert_eq!(key.to_string(), "shop/web");
        assert_eq!(key.object_ref::<ConfigMap>(), ObjectRef::new("web").within("shop"));
    }

    /// A cluster-scoped object reads `name`, and kube finds it under no namespace.
    #[test]
    fn key_of_cluster_scoped_object_is_its_name() {
        let meta = ObjectMeta { name: Some("eu".into()), ..ObjectMeta::default() };
        let key = Key::of(&Namespace { metadata: meta, ..Namespace::default() });
        assert_eq!(key.to_string(), "eu");
        assert_eq!(key.object_ref::<Namespace>(), ObjectRef::new("eu"));
    }
}
